// Bytes from an upstream to a client, untouched.
//
// A stream goes out up to the end of its last whole event. What is behind it waits for the rest: so
// a stream that is cut ends between two events, where an error event can follow, and keep-alives
// never land inside one. A body that is no stream and small is collected and sent with its head.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "px/log.h"
#include "reply_private.h"

#define EXCERPT 100  ///< Of an answer that is nonsense, in the words that say so.

static enum px_status on_event(const struct px_sse_event *event, void *user)
{
    struct relay *relay = user;
    if (event->end) {
        relay->event_end = event->end;
    }
    tap_event(relay, event);
    return PX_OK;
}

static void send(struct px_reply *reply, struct px_str bytes)
{
    struct relay *relay = reply->relay;
    if (!bytes.len) {
        return;
    }
    px_exchange_write(relay->ex, bytes);
    relay->last_ms = px_loop_now(reply->loop);
    if (px_exchange_full(relay->ex)) {
        reply_pause(reply);
    }
}

static void send_tail(struct px_reply *reply)
{
    struct relay *relay = reply->relay;
    send(reply, px_buf_str(&relay->tail));
    px_buf_free(&relay->tail);
}

static void take_events(struct px_reply *reply, struct px_str bytes)
{
    struct relay *relay = reply->relay;
    relay->event_end = 0;
    if (!relay->taps_off && framing_feed(&reply->framing, bytes, on_event, relay)) {
        relay->taps_off = true;
    }
    size_t whole = relay->event_end;
    if (relay->taps_off || framing_idle(&reply->framing)) {
        whole = bytes.len;
    }
    if (whole) {
        send_tail(reply);
        relay->inside = relay->taps_off;
    }
    send(reply, (struct px_str){ bytes.ptr, whole });
    struct px_str rest = { bytes.ptr + whole, bytes.len - whole };
    if (rest.len && px_buf_add(&relay->tail, rest)) {
        send_tail(reply);  // An event larger than may be held: its pieces pass as they come.
        send(reply, rest);
        relay->inside = true;
    }
}

/// Starts the client's answer when a plain body turns out to be large.
static void open_plain(struct px_reply *reply)
{
    struct relay *relay = reply->relay;
    px_exchange_start(relay->ex, relay->status, relay->headers, relay->count, reply->length);
    send_tail(reply);
}

static void take_plain(struct px_reply *reply, struct px_str bytes)
{
    struct relay *relay = reply->relay;
    if (px_exchange_started(relay->ex)) {
        send(reply, bytes);
        return;
    }
    if (relay->at_once || relay->tail.len + bytes.len > KEEP_MAX ||
        px_buf_add(&relay->tail, bytes)) {
        open_plain(reply);
        send(reply, bytes);
    }
}

void relay_take(struct px_reply *reply, struct px_str bytes)
{
    if (reply->relay->events) {
        take_events(reply, bytes);
    } else {
        take_plain(reply, bytes);
    }
}

static void end_events(struct px_reply *reply)
{
    struct relay *relay = reply->relay;
    if (reply->failure == PX_FETCH_NONE) {
        if (relay->tail.len) {
            relay->inside = true;
        }
        if (!relay->taps_off && framing_end(&reply->framing, on_event, relay)) {
            relay->taps_off = true;
        }
        send_tail(reply);
    }
    px_buf_free(&relay->tail);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Tells whether a text begins and ends as a JSON object or list. More is not asked: what is in it
/// is between the upstream and the client.
static bool looks_like_json(struct px_str text)
{
    while (text.len && is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    while (text.len && is_space(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    if (text.len < 2) {
        return false;
    }
    char first = text.ptr[0], last = text.ptr[text.len - 1];
    return (first == '{' && last == '}') || (first == '[' && last == ']');
}

static void refuse_plain(struct px_reply *reply)
{
    struct px_str text = px_buf_str(&reply->relay->tail);
    reply->failure = PX_FETCH_PROTOCOL;
    snprintf(reply->text, sizeof(reply->text), "what is not JSON: %.*s",
             (int)(text.len < EXCERPT ? text.len : EXCERPT), text.len ? text.ptr : "");
}

void relay_end(struct px_reply *reply)
{
    struct relay *relay = reply->relay;
    px_timer_stop(reply->loop, &relay->timer);
    if (relay->events) {
        end_events(reply);
        return;
    }
    bool whole = reply->failure == PX_FETCH_NONE && !px_exchange_started(relay->ex);
    if (whole && relay->json && !looks_like_json(px_buf_str(&relay->tail))) {
        refuse_plain(reply);
        whole = false;
    }
    if (whole) {
        if (relay->taps && px_buf_add(&relay->found[0], px_buf_str(&relay->tail))) {
            px_log(PX_LOG_WARN, "relay", "no memory to read a reply's usage");
        }
        px_exchange_answer(relay->ex, relay->status, relay->headers, relay->count, NULL,
                           px_buf_str(&relay->tail));
    }
    px_buf_free(&relay->tail);
}

/// Nothing came for a while: the client is told that the stream lives, between two events.
static void on_quiet(void *user)
{
    struct px_reply *reply = user;
    struct relay *relay = reply->relay;
    uint64_t quiet = px_loop_now(reply->loop) - relay->last_ms;
    uint64_t wait = relay->keepalive_ms;
    if (quiet < wait) {
        wait -= quiet;
    } else if (!relay->inside && !px_exchange_full(relay->ex)) {
        send(reply, (struct px_str){ relay->keepalive, relay->keepalive_len });
    }
    if (px_timer_start(reply->loop, &relay->timer, wait)) {
        px_log(PX_LOG_WARN, "relay", "no memory for a timer: no keep-alives");
    }
}

/// Copies the headers of an answer that is written later.
static bool copy_headers(struct relay *relay, const struct px_relay_conf *conf)
{
    size_t size = conf->count * sizeof(struct px_http_header);
    for (size_t i = 0; i < conf->count; i++) {
        size += conf->headers[i].name.len + conf->headers[i].value.len;
    }
    relay->headers = malloc(size ? size : 1);
    if (!relay->headers) {
        return false;
    }
    char *at = (char *)(relay->headers + conf->count);
    for (size_t i = 0; i < conf->count; i++) {
        struct px_str parts[2] = { conf->headers[i].name, conf->headers[i].value };
        for (size_t part = 0; part < 2; part++) {
            if (parts[part].len) {
                memcpy(at, parts[part].ptr, parts[part].len);
            }
            parts[part].ptr = at;
            at += parts[part].len;
        }
        relay->headers[i] = (struct px_http_header){ parts[0], parts[1] };
    }
    relay->count = conf->count;
    return true;
}

static bool set_keepalive(struct px_reply *reply, const struct px_relay_conf *conf)
{
    struct relay *relay = reply->relay;
    if (!conf->framing || !conf->keepalive.len || !conf->keepalive_ms) {
        return true;
    }
    relay->keepalive = malloc(conf->keepalive.len);
    if (!relay->keepalive) {
        return false;
    }
    memcpy(relay->keepalive, conf->keepalive.ptr, conf->keepalive.len);
    relay->keepalive_len = conf->keepalive.len;
    relay->keepalive_ms = conf->keepalive_ms;
    relay->last_ms = px_loop_now(reply->loop);
    relay->timer = (struct px_timer){ .fn = on_quiet, .user = reply };
    return px_timer_start(reply->loop, &relay->timer, relay->keepalive_ms) == PX_OK;
}

static struct relay *relay_new(struct px_exchange *ex, const struct px_relay_conf *conf)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    if (!relay) {
        return NULL;
    }
    relay->ex = ex;
    relay->events = conf->framing != PX_FRAMING_NONE;
    relay->json = conf->json;
    relay->at_once = conf->at_once;
    relay->status = conf->status;
    relay->tap = conf->tap;
    relay->taps = conf->taps;
    relay->tail = PX_BUF(KEEP_MAX);
    for (size_t i = 0; i < PX_RELAY_TAPS; i++) {
        relay->found[i] = PX_BUF(TAP_BODY_MAX);
    }
    return relay;
}

void px_reply_relay(struct px_reply *reply, struct px_exchange *ex,
                    const struct px_relay_conf *conf)
{
    struct px_buf held = reply->raw;
    reply->raw = PX_BUF(EVENT_MAX);
    px_buf_free(&reply->queue);
    reply->queue_at = 0;
    framing_deinit(&reply->framing);
    framing_init(&reply->framing, conf->framing, EVENT_MAX);

    reply->relay = relay_new(ex, conf);
    if (!reply->relay || !set_keepalive(reply, conf) ||
        (!conf->framing && !copy_headers(reply->relay, conf))) {
        px_buf_free(&held);
        reply_break(reply);
        return;
    }
    reply->way = WAY_RELAY;
    if (conf->framing) {
        px_exchange_start(ex, conf->status, conf->headers, conf->count, -1);
    }
    if (held.len) {
        relay_take(reply, px_buf_str(&held));
    }
    px_buf_free(&held);
    if (reply->ended) {
        relay_end(reply);
    } else if (!px_exchange_full(ex)) {
        reply_unpause(reply);
    }
}

void px_reply_resume(struct px_reply *reply)
{
    if (reply->way == WAY_RELAY) {
        reply_unpause(reply);
    }
}

struct px_str px_reply_tapped(const struct px_reply *reply, size_t at)
{
    bool known = reply->relay && at < reply->relay->taps;
    return known ? px_buf_str(&reply->relay->found[at]) : (struct px_str){ 0 };
}

bool px_reply_done(const struct px_reply *reply)
{
    return reply->relay && reply->relay->done;
}

bool px_reply_blind(const struct px_reply *reply)
{
    return reply->relay && reply->relay->taps_off;
}

bool px_reply_inside(const struct px_reply *reply)
{
    return reply->relay && reply->relay->inside;
}

void relay_free(struct px_reply *reply)
{
    struct relay *relay = reply->relay;
    if (!relay) {
        return;
    }
    px_timer_stop(reply->loop, &relay->timer);
    px_buf_free(&relay->tail);
    for (size_t i = 0; i < PX_RELAY_TAPS; i++) {
        px_buf_free(&relay->found[i]);
    }
    free(relay->headers);
    free(relay->keepalive);
    free(relay);
    reply->relay = NULL;
}
