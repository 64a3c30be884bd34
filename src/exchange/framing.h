#pragma once

// How a stream is cut into events: text/event-stream, or one JSON text a line (NDJSON).

#include "px/buf.h"
#include "px/reply.h"
#include "px/sse.h"

struct framing {
    enum px_framing kind;
    struct px_sse sse;
    struct px_buf line;  ///< Start of a line whose end has not arrived.
};

/// `max_event` bounds one event.
void framing_init(struct framing *framing, enum px_framing kind, size_t max_event);
void framing_deinit(struct framing *framing);

/// As px_sse_feed() and px_sse_end(): an event's `end` is where its line ends. Empty lines are
/// none.
PX_CHECK enum px_status framing_feed(struct framing *framing, struct px_str bytes, px_sse_fn fn,
                                     void *user);
PX_CHECK enum px_status framing_end(struct framing *framing, px_sse_fn fn, void *user);

/// True when the bytes so far end where an event ends.
bool framing_idle(const struct framing *framing);
