// Events read ahead of their reader.
//
// The transfer's callback parses and queues; the driver takes them later from the top of the loop.
// A queue is one buffer of records: two lengths, then type and data. It is emptied whole, so an
// event costs no allocation of its own.

#include <string.h>

#include "reply_private.h"

struct record {
    uint32_t type_len, data_len;
};

static enum px_status on_event(const struct px_sse_event *event, void *user)
{
    struct px_reply *reply = user;
    struct record record = { (uint32_t)event->type.len, (uint32_t)event->data.len };
    if (reply->queue_at >= KEEP_MAX) {  // A reader that is never up to date.
        reply->queue.len -= reply->queue_at;
        memmove(reply->queue.ptr, reply->queue.ptr + reply->queue_at, reply->queue.len);
        reply->queue_at = 0;
    }
    enum px_status st =
        px_buf_reserve(&reply->queue, sizeof(record) + event->type.len + event->data.len);
    if (st) {
        return st;
    }
    st = px_buf_add(&reply->queue, (struct px_str){ (char *)&record, sizeof(record) });
    st = st ? st : px_buf_add(&reply->queue, event->type);
    return st ? st : px_buf_add(&reply->queue, event->data);
}

void events_take(struct px_reply *reply, struct px_str bytes)
{
    if (reply->keep && px_buf_add(&reply->raw, bytes)) {
        reply_break(reply);
        return;
    }
    if (reply->keep && reply->raw.len >= EVENT_MAX) {
        reply->beyond = true;
        reply_pause(reply);
        reply_notify(reply, PX_REPLY_EVENT);
        return;
    }
    if (framing_feed(&reply->framing, bytes, on_event, reply)) {
        reply_break(reply);
        return;
    }
    if (reply->queue.len - reply->queue_at >= KEEP_MAX) {
        reply_pause(reply);
    }
    if (reply->queue_at < reply->queue.len) {
        reply_notify(reply, PX_REPLY_EVENT);
    }
}

void events_end(struct px_reply *reply)
{
    // The last event of a stream that was cut may be a half one.
    bool whole = reply->failure == PX_FETCH_NONE;
    if (whole && !reply->broken && framing_end(&reply->framing, on_event, reply)) {
        reply->broken = true;
    }
}

bool px_reply_next(struct px_reply *reply, struct px_sse_event *event)
{
    if (reply->queue_at >= reply->queue.len) {
        reply->queue_at = 0;
        if (reply->queue.cap > 4096) {
            px_buf_free(&reply->queue);
        }
        px_buf_reset(&reply->queue);
        if (reply->way == WAY_EVENTS && !reply->beyond) {
            reply_unpause(reply);
        }
        return false;
    }
    struct record record;
    const char *at = reply->queue.ptr + reply->queue_at;
    memcpy(&record, at, sizeof(record));
    at += sizeof(record);
    *event = (struct px_sse_event){
        .type = { at, record.type_len },
        .data = { at + record.type_len, record.data_len },
    };
    reply->queue_at += sizeof(record) + record.type_len + record.data_len;
    return true;
}
