// One transfer from an upstream, and who waits for what of it.

#include <stdlib.h>
#include <string.h>

#include "px/log.h"
#include "reply_private.h"

void reply_notify(struct px_reply *reply, unsigned what)
{
    if (reply->waiting & what) {
        reply->waiting = 0;
        reply->wake(reply->user);
    }
}

void reply_pause(struct px_reply *reply)
{
    if (!reply->paused && reply->fetch) {
        reply->paused = true;
        px_fetch_pause(reply->fetch);
    }
}

void reply_unpause(struct px_reply *reply)
{
    if (reply->paused && reply->fetch) {
        reply->paused = false;
        px_fetch_resume(reply->fetch);
    }
}

void reply_break(struct px_reply *reply)
{
    if (reply->fetch) {
        px_fetch_cancel(reply->fetch);
        reply->fetch = NULL;
    }
    reply->broken = true;
    reply->ended = true;
    reply->failure = PX_FETCH_INTERNAL;
    reply_notify(reply, PX_REPLY_HEAD | PX_REPLY_EVENT | PX_REPLY_END);
}

/// Copies the head into one allocation.
static bool copy_headers(struct px_reply *reply, const struct px_fetch_head *head)
{
    size_t size = head->header_count * sizeof(struct px_fetch_header);
    for (size_t i = 0; i < head->header_count; i++) {
        size += head->headers[i].name.len + head->headers[i].value.len;
    }
    struct px_fetch_header *copy = malloc(size ? size : 1);
    if (!copy) {
        return false;
    }
    char *at = (char *)(copy + head->header_count);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct px_fetch_header *from = &head->headers[i];
        copy[i].name = (struct px_str){ at, from->name.len };
        memcpy(at, from->name.ptr, from->name.len);
        at += from->name.len;
        copy[i].value = (struct px_str){ at, from->value.len };
        if (from->value.len) {
            memcpy(at, from->value.ptr, from->value.len);
        }
        at += from->value.len;
    }
    reply->headers = copy;
    reply->count = head->header_count;
    return true;
}

static void on_head(void *user, const struct px_fetch_head *head)
{
    struct px_reply *reply = user;
    reply->length = head->content_length;
    if (!copy_headers(reply, head)) {
        reply_break(reply);
        return;
    }
    reply->status = head->status;
    reply_notify(reply, PX_REPLY_HEAD);
}

static void collect(struct px_reply *reply, struct px_str bytes)
{
    if (!reply->body) {
        size_t room = reply->length > 0 && (size_t)reply->length <= reply->limit
                          ? (size_t)reply->length
                          : bytes.len;
        reply->body = px_block_new(room);
        if (!reply->body) {
            reply_break(reply);
            return;
        }
    }
    if (bytes.len > reply->limit - reply->body->len) {
        bytes.len = reply->limit - reply->body->len;
        reply->truncated = true;
    }
    if (px_block_add(reply->body, bytes)) {
        reply_break(reply);
    } else if (reply->truncated) {
        px_fetch_cancel(reply->fetch);
        reply->fetch = NULL;
        reply->ended = true;
        reply_notify(reply, PX_REPLY_END);
    }
}

static void take(struct px_reply *reply, struct px_str bytes)
{
    switch (reply->way) {
    case WAY_NONE:
        if (px_buf_add(&reply->raw, bytes)) {
            reply_break(reply);
        } else if (reply->raw.len >= HOLD_MAX) {
            reply_pause(reply);
        }
        break;
    case WAY_COLLECT: collect(reply, bytes); break;
    case WAY_EVENTS: events_take(reply, bytes); break;
    case WAY_RELAY: relay_take(reply, bytes); break;
    }
}

static void on_data(void *user, struct px_str bytes)
{
    struct px_reply *reply = user;
    if (!reply->first_ms) {
        reply->first_ms = px_loop_now(reply->loop);
    }
    reply->bytes += bytes.len;
    take(reply, bytes);
}

/// The transfer is over: what was held back for want of an end is settled.
static void settle(struct px_reply *reply)
{
    if (reply->way == WAY_EVENTS) {
        events_end(reply);
    } else if (reply->way == WAY_RELAY) {
        relay_end(reply);
    }
}

static void on_end(void *user, enum px_fetch_failure failure, const char *text)
{
    struct px_reply *reply = user;
    reply->fetch = NULL;
    reply->failure = failure;
    strncpy(reply->text, text ? text : "", sizeof(reply->text) - 1);
    settle(reply);
    reply->ended = true;
    reply_notify(reply, PX_REPLY_HEAD | PX_REPLY_EVENT | PX_REPLY_END);
}

enum px_status px_reply_new(struct px_loop *loop, struct px_fetcher *fetcher,
                            const struct px_fetch_request *request, px_fn wake, void *user,
                            struct px_reply **out, struct px_error *err)
{
    static const struct px_fetch_fns fns = { on_head, on_data, on_end };
    struct px_reply *reply = calloc(1, sizeof(*reply));
    if (!reply) {
        return px_fail(err, PX_ENOMEM, "no memory for a request to an upstream");
    }
    reply->loop = loop;
    reply->wake = wake;
    reply->user = user;
    reply->raw = PX_BUF(EVENT_MAX);
    reply->queue = PX_BUF(EVENT_MAX + KEEP_MAX * 2);
    framing_init(&reply->framing, PX_FRAMING_SSE, EVENT_MAX);
    enum px_status st = px_fetch_start(fetcher, request, &fns, reply, &reply->fetch, err);
    if (st) {
        free(reply);
        return st;
    }
    *out = reply;
    return PX_OK;
}

void px_reply_free(struct px_reply *reply)
{
    if (!reply) {
        return;
    }
    if (reply->fetch) {
        px_fetch_cancel(reply->fetch);
    }
    relay_free(reply);
    framing_deinit(&reply->framing);
    px_buf_free(&reply->raw);
    px_buf_free(&reply->queue);
    px_block_drop(reply->body);
    free(reply->headers);
    free(reply);
}

bool px_reply_wait(struct px_reply *reply, enum px_reply_what what)
{
    bool come = reply->ended || (what == PX_REPLY_HEAD && reply->status) ||
                (what == PX_REPLY_EVENT && (reply->beyond || reply->queue_at < reply->queue.len));
    reply->waiting = come ? 0 : what;
    return come;
}

void px_reply_unwait(struct px_reply *reply)
{
    reply->waiting = 0;
}

int px_reply_status(const struct px_reply *reply)
{
    return reply->status;
}

const struct px_fetch_header *px_reply_headers(const struct px_reply *reply, size_t *count)
{
    *count = reply->count;
    return reply->headers;
}

struct px_str px_reply_header(const struct px_reply *reply, struct px_str name)
{
    for (size_t i = 0; i < reply->count; i++) {
        if (px_http_same(reply->headers[i].name, name)) {
            return reply->headers[i].value;
        }
    }
    return (struct px_str){ 0 };
}

bool px_reply_ended(const struct px_reply *reply)
{
    return reply->ended;
}

enum px_fetch_failure px_reply_failure(const struct px_reply *reply, const char **text)
{
    if (text) {
        *text = reply->text;
    }
    return reply->failure;
}

void px_reply_drop_body(struct px_reply *reply)
{
    if (reply->fetch) {
        px_fetch_drop_body(reply->fetch);
    }
}

/// Gives what was held to the way that was chosen.
static void choose(struct px_reply *reply, enum reply_way way)
{
    struct px_buf held = reply->raw;
    reply->raw = PX_BUF(EVENT_MAX * 2);  // What is kept ends at the first, somewhere in a piece.
    reply->way = way;
    if (held.len) {
        take(reply, px_buf_str(&held));
    }
    px_buf_free(&held);
    if (reply->ended) {
        settle(reply);
    } else {
        reply_unpause(reply);
    }
}

void px_reply_collect(struct px_reply *reply, size_t limit)
{
    reply->limit = limit;
    choose(reply, WAY_COLLECT);
}

bool px_reply_truncated(const struct px_reply *reply)
{
    return reply->truncated;
}

struct px_block *px_reply_body(const struct px_reply *reply)
{
    return reply->body;
}

void px_reply_events(struct px_reply *reply, enum px_framing framing, bool keep)
{
    reply->framing.kind = framing;
    reply->keep = keep;
    choose(reply, WAY_EVENTS);
}

bool px_reply_broken(const struct px_reply *reply)
{
    return reply->broken;
}

uint64_t px_reply_first_ms(const struct px_reply *reply)
{
    return reply->first_ms;
}

uint64_t px_reply_bytes(const struct px_reply *reply)
{
    return reply->bytes;
}
