#pragma once

// An upstream's answer, as the files that take it in different ways see it.

#include "framing.h"
#include "px/buf.h"
#include "px/reply.h"

#define HOLD_MAX (64u << 10)     ///< Held before a way is chosen.
#define KEEP_MAX (256u << 10)    ///< Raw bytes kept for a relay that may follow; queued events.
#define EVENT_MAX (8u << 20)     ///< One event.
#define TAP_BODY_MAX (1u << 20)  ///< A unary body kept for its usage.

enum reply_way { WAY_NONE, WAY_COLLECT, WAY_EVENTS, WAY_RELAY };

/// A relay to one client.
struct relay {
    struct px_exchange *ex;
    bool events, json, at_once;
    bool taps_off;       ///< The stream broke the parser: bytes still pass.
    bool inside;         ///< A part of an event was sent without its end.
    bool done;           ///< `[DONE]` came.
    size_t event_end;    ///< Of the last whole event in the current feed.
    struct px_buf tail;  ///< Bytes behind the last whole event.
    const char *const *tap;
    size_t taps;
    struct px_buf found[PX_RELAY_TAPS];
    int status;
    struct px_http_header *headers;  ///< Copied, with their bytes, for a later answer.
    size_t count;
    char *keepalive;
    size_t keepalive_len;
    uint32_t keepalive_ms;
    uint64_t last_ms;
    struct px_timer timer;
};

struct px_reply {
    struct px_loop *loop;
    struct px_fetch *fetch;  ///< NULL once it ended.
    px_fn wake;
    void *user;
    unsigned waiting;
    enum reply_way way;
    bool paused, ended, broken, truncated, keep;
    bool beyond;  ///< No event within what may be kept: only a relay can pass it.
    int status;
    enum px_fetch_failure failure;
    char text[200];
    int64_t length;
    struct px_fetch_header *headers;  ///< One allocation with their bytes.
    size_t count;
    struct px_buf raw;  ///< Held or kept bytes.
    struct px_block *body;
    size_t limit;
    struct framing framing;
    struct px_buf queue;  ///< Events that wait: records, see events.c.
    size_t queue_at;
    struct relay *relay;
    uint64_t first_ms, bytes;
};

/// Wakes the driver if it waits for one of `what`.
void reply_notify(struct px_reply *reply, unsigned what);

void reply_pause(struct px_reply *reply);
void reply_unpause(struct px_reply *reply);

/// Something failed in a way that makes the rest useless: the transfer is ended.
void reply_break(struct px_reply *reply);

void events_take(struct px_reply *reply, struct px_str bytes);
void events_end(struct px_reply *reply);

void relay_take(struct px_reply *reply, struct px_str bytes);
void relay_end(struct px_reply *reply);
void relay_free(struct px_reply *reply);

/// Looks into one event for the members that the relay watches.
void tap_event(struct relay *relay, const struct px_sse_event *event);
