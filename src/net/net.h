#pragma once

#include "px/conn.h"
#include "queue.h"

/// What the connections of one loop share, so that an idle one holds nothing.

#define PX_INPUT_SIZE 65536
#define PX_RECORD_SIZE 16384  // The most plain text that one TLS record carries.

struct px_net {
    struct px_conn *conns;                ///< All of them.
    struct px_conn *dirty, **dirty_last;  ///< Those with something to do before the loop waits.
    size_t count;
    struct px_pool pool;
    char input[PX_INPUT_SIZE];    ///< Bytes from a socket, until its callback returns.
    char plain[PX_RECORD_SIZE];   ///< Decrypted bytes, until on_data() returns.
    char gather[PX_RECORD_SIZE];  ///< Bytes on their way into one record.
};

/// Limits that tests shorten. Milliseconds and bytes.
struct px_net_limits {
    unsigned handshake_ms;
    unsigned drain_ms;   ///< From px_conn_close() to the last byte sent.
    unsigned linger_ms;  ///< From there until the connection is cut.
    size_t linger_bytes;
};
extern struct px_net_limits px_net_limits;

/// The loop's shared state, made when missing. NULL if out of memory.
struct px_net *px_net_get(struct px_loop *loop);

/// Has `conn` flushed before the loop waits.
void px_net_mark(struct px_conn *conn);
void px_net_unmark(struct px_conn *conn);

void px_net_add(struct px_conn *conn);
void px_net_remove(struct px_conn *conn);

/// Serves the marked connections. Called once a round.
void px_net_flush(struct px_loop *loop);

/// Cuts connections that their owners let go of. Those still held are their owners' leak.
void px_net_deinit(struct px_loop *loop);

/// Frees what connections shared.
void px_net_free(struct px_loop *loop);
