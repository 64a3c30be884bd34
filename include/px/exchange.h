#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/block.h"
#include "px/conn.h"
#include "px/http.h"
#include "px/loop.h"
#include "px/source.h"
#include "px/str.h"

/// One request's life on the client's side: head, body, answer.
///
/// A host serves the connections of one worker. It reads requests strictly and one after the other
/// (pipelined ones wait), hands each whole request to its driver, and writes what the driver
/// answers. Here is mechanism only; what to answer is the driver's decision.
struct px_host;
struct px_exchange;

struct px_host_conf {
    uint32_t head_ms;        ///< A request's head must be complete after its first byte.
    uint32_t keep_alive_ms;  ///< An idle connection is closed.
    uint32_t body_ms;        ///< Between two pieces of a request's body.
    uint32_t stall_ms;       ///< A client that takes nothing of its answer for so long is cut.
    uint32_t room_ms;        ///< How long a body waits for memory; 0: 10 seconds.
    size_t body_limit;       ///< Bytes of one body, codings undone.
    size_t upload_limit;     ///< Bytes of one upload, which is not kept.
    size_t bodies_limit;     ///< Bytes of all bodies in memory; over it reading waits, then 503.
};

/// Gauges of one worker, read by others.
struct px_host_stats {
    _Atomic size_t connections, requests, body_bytes;
};

struct px_host_hooks {
    /// A request's head is complete: returns what the request holds on to until its end.
    void *(*begin)(void *user);
    /// The request is over: lets go of what begin() returned.
    void (*end)(void *user, void *held);
    /// The request is whole, or an upload has begun (px_exchange_upload()). The driver answers it,
    /// now or later, and calls px_exchange_end().
    void (*run)(void *user, struct px_exchange *ex);
};

/// Creates a host. `hooks` and `stats` live longer than it. NULL if out of memory.
struct px_host *px_host_new(struct px_loop *loop, const struct px_host_conf *conf,
                            const struct px_host_hooks *hooks, void *user,
                            struct px_host_stats *stats);

/// Uses other limits for what begins from now on.
void px_host_configure(struct px_host *host, const struct px_host_conf *conf);

/// Takes over an accepted connection.
void px_host_serve(struct px_host *host, struct px_conn *conn);

/// Ends gracefully: idle connections close now, others after their current answer.
void px_host_stop(struct px_host *host);

/// Cuts all connections; requests that are being answered are told that their client left.
void px_host_cut(struct px_host *host);

/// Connections that are left.
size_t px_host_connections(const struct px_host *host);

/// Frees a host without connections. NULL is allowed.
void px_host_free(struct px_host *host);

/// What a driver is told. Both come from callbacks: they record, and let work follow from the top
/// of the loop.
struct px_exchange_fns {
    /// The client left. The driver still calls px_exchange_end().
    void (*on_gone)(void *user);
    /// The client has taken what was queued: writing may go on.
    void (*on_drain)(void *user);
};

void px_exchange_drive(struct px_exchange *ex, const struct px_exchange_fns *fns, void *user);

const struct px_http_head *px_exchange_head(const struct px_exchange *ex);

/// Path (as sent) and query of the target.
struct px_str px_exchange_path(const struct px_exchange *ex);
struct px_str px_exchange_query(const struct px_exchange *ex);

/// What begin() returned.
void *px_exchange_held(const struct px_exchange *ex);

struct px_loop *px_exchange_loop(const struct px_exchange *ex);

/// Address of the client.
const char *px_exchange_peer(const struct px_exchange *ex);

/// The body, or NULL when there is none (or it was dropped).
struct px_block *px_exchange_body(const struct px_exchange *ex);

/// The body of an upload (multipart/form-data), which passes through memory: the host adds what the
/// client sends, as long as there is room. When the driver gets the request the first
/// PX_SOURCE_AHEAD bytes are there, or all of it. NULL for any other body. Borrowed.
struct px_source *px_exchange_upload(const struct px_exchange *ex);

/// Lets go of the body: no other attempt will need it. An upload that still comes stays.
void px_exchange_drop_body(struct px_exchange *ex);

/// True when the client has left; writing then does nothing.
bool px_exchange_gone(const struct px_exchange *ex);

/// True while more is queued than the client takes: wait for on_drain.
bool px_exchange_full(const struct px_exchange *ex);

/// True when the answer's head was written.
bool px_exchange_started(const struct px_exchange *ex);

/// True when the answer is complete: what is left of it is on its way.
bool px_exchange_complete(const struct px_exchange *ex);

/// Bytes of body written so far.
uint64_t px_exchange_sent(const struct px_exchange *ex);

/// Writes a whole answer. `block` (held, may be NULL) or else `body` (copied) is its body. Headers
/// that frame the message are the host's; a header that may not be sent is left out.
void px_exchange_answer(struct px_exchange *ex, int status, const struct px_http_header *headers,
                        size_t count, struct px_block *block, struct px_str body);

/// Writes the head of an answer whose body follows by px_exchange_write(). `length` -1: in chunks.
void px_exchange_start(struct px_exchange *ex, int status, const struct px_http_header *headers,
                       size_t count, int64_t length);

/// Writes a piece of the body.
void px_exchange_write(struct px_exchange *ex, struct px_str bytes);

/// Writes several as one piece, one behind the other.
void px_exchange_write_parts(struct px_exchange *ex, const struct px_str *parts, size_t count);

/// Writes a large piece of the body without copying.
void px_exchange_write_block(struct px_exchange *ex, struct px_block *block, struct px_str part);

/// Ends a body properly.
void px_exchange_finish(struct px_exchange *ex);

/// The answer cannot be completed: the connection is cut, so that nobody takes it for whole.
void px_exchange_abort(struct px_exchange *ex);

/// The driver is done: the exchange is gone. An answer that was not begun becomes a 500; one that
/// was not finished is cut.
void px_exchange_end(struct px_exchange *ex);
