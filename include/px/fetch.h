#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/block.h"
#include "px/loop.h"
#include "px/source.h"
#include "px/str.h"

/// Requests to upstreams over HTTP. A fetcher belongs to one loop and keeps its connections open
/// for the next request. Nothing here says what does the work; there are two lanes for it, one for
/// plain HTTP to a numeric address or localhost without a proxy, one for all else.
struct px_fetcher;

/// One transfer.
struct px_fetch;

struct px_fetch_header {
    struct px_str name, value;
};

/// Milliseconds; 0 means without limit.
struct px_fetch_times {
    uint32_t connect;     ///< From the start until the connection (and TLS) stands.
    uint32_t first_byte;  ///< From the request's last byte (or the last that the upstream took)
                          ///< until the first byte of the final answer.
    uint32_t idle;        ///< Between two pieces of the answer. Does not run while paused.
    uint32_t total;       ///< All of it.
};

/// All of it is copied or held by px_fetch_start(); the caller may free it afterwards.
struct px_fetch_request {
    struct px_str method;  ///< Empty: POST with a body, GET without.
    struct px_str url;     ///< http or https, absolute.
    /// At most 256 in 128 KiB. Those about one hop or the framing (Connection, Content-Length,
    /// Transfer-Encoding, Expect, ...) are left out; `accept-encoding: identity` is added unless
    /// Accept-Encoding is given. Control bytes in them are refused.
    const struct px_fetch_header *headers;
    size_t header_count;
    struct px_block *body;  ///< NULL for none; held until sent or px_fetch_drop_body().
    /// Instead of `body`: taken as it comes, sent in chunks if its length is not known; held until
    /// the transfer ends. A broken one ends the transfer with PX_FETCH_UPLOAD. Only one transfer at
    /// a time may have it.
    struct px_source *source;
    struct px_str proxy;    ///< http://, https://, socks5:// or socks5h://, user:password@ allowed.
    struct px_str ca_file;  ///< CAs to trust instead of the system's; empty: the system's.
    bool streamed;          ///< A long stream of small pieces is expected: smaller buffers.
    bool http2;             ///< Offer HTTP/2 (https only, never h2c).
    /// Connect to public addresses alone, whatever the name says: for URLs that strangers give. On
    /// a connection of its own; not with a proxy, which would do the look-up.
    bool guarded;
    struct px_fetch_times times;
};

enum px_fetch_failure {
    PX_FETCH_NONE,
    PX_FETCH_CONNECT,   ///< No address, refused, TLS not accepted, proxy refused.
    PX_FETCH_TIMEOUT,   ///< One of the four limits; the text says which.
    PX_FETCH_CUT,       ///< The connection ended before the answer did.
    PX_FETCH_PROTOCOL,  ///< What came is not HTTP, or its head is too large (64 KiB, 256 fields).
    PX_FETCH_UPLOAD,    ///< The source of the request's body is broken.
    PX_FETCH_INTERNAL,  ///< Out of memory and the like.
};

/// The answer's head, final (1xx are skipped). Spans are borrowed and die with the callback.
struct px_fetch_head {
    int status;
    const struct px_fetch_header *headers;  ///< In order, as they came; values trimmed.
    size_t header_count;
    int64_t content_length;  ///< -1 when it is not known.
};

/// Callbacks only record what happened: they run while the fetcher is at work. They may call
/// px_fetch_pause() and px_fetch_cancel(), nothing else of this module.
struct px_fetch_fns {
    void (*on_head)(void *user, const struct px_fetch_head *head);
    /// A piece of the body, borrowed.
    void (*on_data)(void *user, struct px_str bytes);
    /// The end, once, also after a failure; not after px_fetch_cancel(). The fetch is gone when
    /// this returns. `text` speaks to an operator; it holds no secret (no query, no credentials).
    void (*on_end)(void *user, enum px_fetch_failure failure, const char *text);
};

/// Process-wide set-up, once, before threads start.
PX_CHECK enum px_status px_fetch_global_init(struct px_error *err);
void px_fetch_global_deinit(void);

/// Version of the library below, for people.
const char *px_fetch_library(void);

/// Creates a fetcher. `max_idle` connections are kept open at most, in each of the two lanes.
struct px_fetcher *px_fetcher_new(struct px_loop *loop, size_t max_idle);

/// Closes its connections. No transfer may be left. NULL is allowed.
void px_fetcher_free(struct px_fetcher *fetcher);

/// Transfers that have not ended.
size_t px_fetcher_transfers(const struct px_fetcher *fetcher);

/// Starts a transfer. Callbacks come later, never from inside this call.
PX_CHECK enum px_status px_fetch_start(struct px_fetcher *fetcher,
                                       const struct px_fetch_request *request,
                                       const struct px_fetch_fns *fns, void *user,
                                       struct px_fetch **out, struct px_error *err);

/// Stops reading from the upstream: no on_data after this returns, until px_fetch_resume(). What
/// has been taken from the connection already is kept.
void px_fetch_pause(struct px_fetch *fetch);

/// Reads again; data comes from the top of the loop, never from inside this call.
void px_fetch_resume(struct px_fetch *fetch);

/// The request's body will not be needed again (its answer has begun to reach the client): frees it
/// if it was sent.
void px_fetch_drop_body(struct px_fetch *fetch);

/// Ends the transfer and closes its connection from the top of the loop; no callback comes any
/// more.
void px_fetch_cancel(struct px_fetch *fetch);
