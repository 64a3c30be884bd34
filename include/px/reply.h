#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/block.h"
#include "px/exchange.h"
#include "px/fetch.h"
#include "px/sse.h"

/// An upstream's answer, taken in one of three ways: collected whole, read as events, or relayed to
/// a client. Before one is chosen up to 64 KiB are held and the upstream is paused.
struct px_reply;

/// What a body is made of.
enum px_framing {
    PX_FRAMING_NONE,   ///< One whole.
    PX_FRAMING_SSE,    ///< text/event-stream.
    PX_FRAMING_LINES,  ///< One JSON text a line: application/x-ndjson.
};

/// What a driver may wait for.
enum px_reply_what {
    PX_REPLY_HEAD = 1,   ///< The head came, or the transfer ended without one.
    PX_REPLY_EVENT = 2,  ///< px_reply_next() has an event, or the end came.
    PX_REPLY_END = 4,    ///< The transfer ended and, for a relay, all was handed to the client.
};

/// Starts a request. `wake(user)` is called (from a callback: record only) when what the driver
/// waits for has come.
PX_CHECK enum px_status px_reply_new(struct px_loop *loop, struct px_fetcher *fetcher,
                                     const struct px_fetch_request *request, px_fn wake, void *user,
                                     struct px_reply **out, struct px_error *err);

/// Cancels what still runs and frees all. NULL is allowed.
void px_reply_free(struct px_reply *reply);

/// True if `what` has come already; else `wake` is called once when it does.
bool px_reply_wait(struct px_reply *reply, enum px_reply_what what);

/// Takes a wait back.
void px_reply_unwait(struct px_reply *reply);

/// 0 before the head came.
int px_reply_status(const struct px_reply *reply);
const struct px_fetch_header *px_reply_headers(const struct px_reply *reply, size_t *count);

/// Value of a header, in any case; empty if there is none.
struct px_str px_reply_header(const struct px_reply *reply, struct px_str name);

bool px_reply_ended(const struct px_reply *reply);

/// How it ended: PX_FETCH_NONE for a complete answer. `text` (may be NULL) receives words.
enum px_fetch_failure px_reply_failure(const struct px_reply *reply, const char **text);

/// The upstream's request is not needed again.
void px_reply_drop_body(struct px_reply *reply);

/// Collects the body, up to `limit` bytes; what is above is cut off and the transfer ended, as
/// px_reply_truncated() then tells. Wait for PX_REPLY_END.
void px_reply_collect(struct px_reply *reply, size_t limit);
bool px_reply_truncated(const struct px_reply *reply);

/// What was collected, or NULL for nothing. Borrowed.
struct px_block *px_reply_body(const struct px_reply *reply);

/// Reads the body as a stream of events. With `keep` the raw bytes are kept too (up to 256 KiB) so
/// that px_reply_relay() may still follow.
void px_reply_events(struct px_reply *reply, enum px_framing framing, bool keep);

/// Takes the next event. Its spans are borrowed until the next call or the loop's next round. False
/// when there is none now: the stream ended if px_reply_ended().
bool px_reply_next(struct px_reply *reply, struct px_sse_event *event);

/// An event was larger than 8 MiB, or memory ran out: nothing more comes.
bool px_reply_broken(const struct px_reply *reply);

struct px_relay_conf {
    /// Status and headers for the client; spans are copied into the answer at once or, for a
    /// unary body, when it is complete.
    int status;
    const struct px_http_header *headers;
    size_t count;
    enum px_framing framing;  ///< A stream is forwarded event by event.
    bool at_once;             ///< What is no stream goes out as it comes: nothing is collected.
    bool json;                ///< What is no stream is one JSON object or list, or not sent at all.
    const char *const *tap;   ///< Names of members to watch for; live as long as the reply.
    size_t taps;              ///< At most PX_RELAY_TAPS.
    struct px_str keepalive;  ///< Sent between events when nothing came; copied. Empty: none.
    uint32_t keepalive_ms;
};

#define PX_RELAY_TAPS 8

/// Relays the body to the client byte for byte. Wait for PX_REPLY_END; the driver then finishes or
/// aborts the exchange. Of a stream the bytes behind its last whole event are held back until the
/// event is whole, or until the upstream ended properly: a cut stream ends between two events.
///
/// A body that is no stream and is small is collected first: if it is cut before anything was
/// sent, px_exchange_started() is still false and the driver can answer with an error. So it is
/// when JSON was promised and what came does not begin and end as such: PX_FETCH_PROTOCOL.
void px_reply_relay(struct px_reply *reply, struct px_exchange *ex,
                    const struct px_relay_conf *conf);

/// Data of the last event that had tap number `at` with a value other than null; empty if none
/// had. For a body that was no stream: the whole body if it is at most 1 MiB.
struct px_str px_reply_tapped(const struct px_reply *reply, size_t at);

/// True when the terminator `[DONE]` was relayed.
bool px_reply_done(const struct px_reply *reply);

/// True when the relayed stream could not be read to its end (an event was larger than 8 MiB):
/// nobody knows whether it is complete.
bool px_reply_blind(const struct px_reply *reply);

/// True when what was relayed of a stream does not end where an event does.
bool px_reply_inside(const struct px_reply *reply);

/// The client takes data again (its driver's on_drain).
void px_reply_resume(struct px_reply *reply);

/// Time of the first byte of the body and bytes so far, for the record.
uint64_t px_reply_first_ms(const struct px_reply *reply);
uint64_t px_reply_bytes(const struct px_reply *reply);
