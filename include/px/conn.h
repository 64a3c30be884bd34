#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/block.h"
#include "px/loop.h"
#include "px/str.h"

/// One accepted connection, plain or TLS: the same to its owner. It belongs to its loop.
///
/// Writing never blocks and never sends at once: bytes are queued, and go out together from the top
/// of the loop (or by px_conn_flush()). So a head and the first event that follows it in the same
/// round leave in one system call. An idle connection holds no buffers.
struct px_conn;

struct px_conn_fns {
    /// Bytes arrived; borrowed, all of them must be taken. Not called while reading is off.
    void (*on_data)(void *user, struct px_str bytes);
    /// Nothing more will come: PX_OK when the peer ended its side properly, else what went wrong.
    /// Called once, also when the connection breaks while writing. Never called after
    /// px_conn_close().
    void (*on_end)(void *user, enum px_status status);
    /// The queue, after it was full, fell below the low mark.
    void (*on_drain)(void *user);
};

/// Sets who is told. Before this nothing is read.
void px_conn_attach(struct px_conn *conn, const struct px_conn_fns *fns, void *user);

/// Turns reading on or off. On after px_conn_attach().
void px_conn_read(struct px_conn *conn, bool on);

/// Queues a copy of `bytes`. PX_ENOMEM; PX_EIO after the connection broke (on_end tells why).
PX_CHECK enum px_status px_conn_write(struct px_conn *conn, struct px_str bytes);

/// Queues bytes of `block` without copying; the queue holds the block until they are sent.
PX_CHECK enum px_status px_conn_write_block(struct px_conn *conn, struct px_block *block,
                                            struct px_str part);

/// Sends what is queued now instead of at the top of the loop.
void px_conn_flush(struct px_conn *conn);

/// Bytes queued and not yet taken by the system, ciphertext counted.
size_t px_conn_queued(const struct px_conn *conn);

/// True from the high mark (256 KiB queued) until the low mark (64 KiB): stop producing.
bool px_conn_full(const struct px_conn *conn);

/// Asks the system whether the peer has ended its side. For a connection that is not read, whose
/// end would not be noticed; the end of one that is read comes by on_end.
bool px_conn_left(const struct px_conn *conn);

/// Text of the peer's address, "127.0.0.1:4711". Lives as long as the connection.
const char *px_conn_peer(const struct px_conn *conn);

/// True for a TLS connection.
bool px_conn_secure(const struct px_conn *conn);

/// Lets go of the connection: no callback comes any more. With `drain` what is queued is still
/// sent (TLS says goodbye), for at most 10 seconds, then the peer's remaining bytes are read and
/// thrown away for a moment, so that a last answer is not lost to a reset; without, it is cut.
void px_conn_close(struct px_conn *conn, bool drain);
