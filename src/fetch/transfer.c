// The life of one transfer: queued, perhaps held at the gate, open, ended.

#include <stdlib.h>

#include "inner.h"
#include "px/clock.h"

/// The name that the library will look up, for the gate. Empty if it is none.
static struct px_str looked_up(const struct px_fetch *fetch, char *text, size_t size)
{
    const struct px_target *via = fetch->proxy.host.len ? &fetch->proxy : &fetch->target;
    bool both = fetch->proxy.local;
    if (via->numeric && !(both && !fetch->target.numeric)) {
        return PX_STR("");
    }
    int len = snprintf(text, size, "%.*s:%u", (int)via->host.len, via->host.ptr, via->port);
    if (both) {
        len += snprintf(text + len, size - (size_t)len, ">%.*s:%u", (int)fetch->target.host.len,
                        fetch->target.host.ptr, fetch->target.port);
    }
    for (int i = 0; i < len; i++) {
        text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    }
    return (struct px_str){ text, (size_t)len };
}

/// Notes whether the transfer has a connection in use, and tells the library how many to keep.
///
/// The library counts connections in use among those that it keeps, and looks at the limit only
/// when a transfer gives its connection back. That one is not in use any more.
static void set_busy(struct px_fetch *fetch, bool busy)
{
    struct px_fetcher *fetcher = fetch->fetcher;
    if (fetch->busy != busy) {
        fetch->busy = busy;
        fetcher->busy = busy ? fetcher->busy + 1 : fetcher->busy - 1;
        size_t keep = fetcher->max_idle + (fetcher->busy ? fetcher->busy - 1 : 0);
        curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)(keep ? keep : 1));
    }
}

static void open_transfer(struct px_fetch *fetch)
{
    struct px_fetcher *fetcher = fetch->fetcher;
    char text[600];
    if (!fetch->admitted) {
        struct px_str name = looked_up(fetch, text, sizeof(text));
        fetch->admitted = !name.len || px_gate_enter(&fetcher->gate, &fetch->pass, name,
                                                     px_loop_now(fetcher->loop)) == PX_GATE_GO;
        if (!fetch->admitted) {
            return;
        }
    }
    fetch->opened = true;
    set_busy(fetch, true);
    if (curl_multi_add_handle(fetcher->multi, fetch->easy)) {
        fetch->opened = false;
        fetch->spoiled = true;
        set_busy(fetch, false);
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "the transfer cannot be started");
    }
}

/// Tells whether the connection that a request was sent on had been closed while it was idle. The
/// library sends such a request again itself, unless it finds out only in the middle of a body.
static bool met_stale(const struct px_fetch *fetch, CURLcode code)
{
    long connects = 1, answered = 1;
    if (code != CURLE_SEND_ERROR || fetch->phase != FETCH_SENDING || fetch->again ||
        fetch->source) {
        return false;
    }
    curl_easy_getinfo(fetch->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(fetch->easy, CURLINFO_HEADER_SIZE, &answered);
    return connects == 0 && answered == 0;
}

static void send_again(struct px_fetch *fetch)
{
    fetch->stale = false;
    fetch->again = true;
    fetch->opened = false;
    fetch->admitted = false;
    fetch->body_at = 0;
    fetch->phase = FETCH_CONNECTING;
    if (curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy) ||
        curl_easy_setopt(fetch->easy, CURLOPT_FRESH_CONNECT, 1L)) {
        fetch->spoiled = true;
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "the transfer cannot be started");
        return;
    }
    open_transfer(fetch);
}

static void leave_gate(struct px_fetch *fetch)
{
    struct px_gate *gate = &fetch->fetcher->gate;
    bool unknown =
        fetch->code == CURLE_COULDNT_RESOLVE_HOST || fetch->code == CURLE_COULDNT_RESOLVE_PROXY;
    if (unknown && !fetch->pass.waiting) {
        px_gate_refused(gate, &fetch->pass);
    } else {
        px_gate_leave(gate, &fetch->pass);
    }
}

static void free_fetch(struct px_fetch *fetch)
{
    px_upload_end(fetch);
    px_answer_deinit(&fetch->answer);
    px_reader_deinit(&fetch->reader);
    px_tls_end_drop(fetch->end);
    px_block_drop(fetch->body);
    free(fetch);
}

/// Takes the transfer and its handle from the library.
static void leave_library(struct px_fetch *fetch)
{
    struct px_fetcher *fetcher = fetch->fetcher;
    if (fetch->opened) {
        fetch->spoiled = curl_multi_remove_handle(fetcher->multi, fetch->easy) != CURLM_OK;
        set_busy(fetch, false);
    }
    if (fetch->spoiled) {
        curl_easy_cleanup(fetch->easy);
    } else {
        px_fetcher_give_easy(fetcher, fetch->easy, fetch->streamed);
    }
    fetch->easy = NULL;
}

void px_fetch_finish(struct px_fetch *fetch)
{
    struct px_fetcher *fetcher = fetch->fetcher;
    char text[320] = "";
    px_limit_stop(fetch);
    leave_gate(fetch);
    if (!fetch->cancelled && fetch->failure) {
        px_failure_text(fetch, text, sizeof(text));
    }
    if (fetch->lean) {
        px_lane_leave(fetch);
    } else {
        leave_library(fetch);
    }
    if (!fetch->cancelled) {
        fetcher->live--;
        fetch->cancelled = true;  // A cancel from inside on_end has nothing left to do.
        fetch->fns.on_end(fetch->user, fetch->failure, text);
    }
    free_fetch(fetch);
}

static void resume(struct px_fetch *fetch)
{
    fetch->held = fetch->held && fetch->paused;
    fetch->starved = fetch->starved && !px_upload_goes_on(fetch);
    CURLcode rc = curl_easy_pause(fetch->easy, (fetch->held ? CURLPAUSE_RECV : 0) |
                                                   (fetch->starved ? CURLPAUSE_SEND : 0));
    if (rc) {
        px_fetch_end(fetch, rc);
    }
}

void px_fetch_settle(struct px_fetch *fetch)
{
    if (fetch->over) {
        px_fetch_finish(fetch);
    } else if (fetch->lean) {
        px_lane_settle(fetch);
    } else if (fetch->stale) {
        send_again(fetch);
    } else if (!fetch->opened && !fetch->pass.waiting) {
        open_transfer(fetch);
    } else if (fetch->opened && ((fetch->held && !fetch->paused) || px_upload_goes_on(fetch))) {
        resume(fetch);
    }
}

void px_fetch_fail(struct px_fetch *fetch, enum px_fetch_failure failure, const char *fault)
{
    if (!fetch->over) {
        fetch->over = true;
        fetch->failure = failure;
        fetch->fault = fault;
        px_fetcher_queue(fetch);
    }
}

void px_fetch_end(struct px_fetch *fetch, CURLcode code)
{
    if (!fetch->over && met_stale(fetch, code)) {
        fetch->stale = true;
        set_busy(fetch, false);
        px_fetcher_queue(fetch);
    } else if (!fetch->over) {
        fetch->over = true;
        fetch->code = code;
        fetch->failure = px_failure_of(fetch, code);
        set_busy(fetch, false);
        px_fetcher_queue(fetch);
    }
}

/// Readies the transfer for its lane.
static enum px_status enter_lane(struct px_fetch *fetch, bool http2)
{
    struct px_fetcher *fetcher = fetch->fetcher;
    if (fetch->lean) {
        px_lane_start(fetch);
        return PX_OK;
    }
    fetch->easy = px_fetcher_take_easy(fetcher, fetch->streamed);
    if (!fetch->easy || px_easy_setup(fetch, http2, fetcher->max_idle > 0)) {
        curl_easy_cleanup(fetch->easy);
        return PX_ENOMEM;
    }
    px_fetcher_queue(fetch);
    return PX_OK;
}

enum px_status px_fetch_start(struct px_fetcher *fetcher, const struct px_fetch_request *request,
                              const struct px_fetch_fns *fns, void *user, struct px_fetch **out,
                              struct px_error *err)
{
    struct px_fetch *fetch = NULL;
    enum px_status st = px_request_copy(request, &fetch, err);
    if (st) {
        return st;
    }
    fetch->fetcher = fetcher;
    fetch->fns = *fns;
    fetch->user = user;
    fetch->started = fetch->active = px_clock_ms();
    fetch->timer = (struct px_timer){ .fn = px_limit_on_timer, .user = fetch };
    if (enter_lane(fetch, request->http2)) {
        free_fetch(fetch);
        return px_fail(err, PX_ENOMEM, "no memory for a transfer");
    }
    fetcher->live++;
    px_limit_arm(fetch);
    *out = fetch;
    return PX_OK;
}

void px_fetch_pause(struct px_fetch *fetch)
{
    fetch->paused = true;
    if (fetch->lean) {
        px_lane_watch(fetch);
    }
}

void px_fetch_resume(struct px_fetch *fetch)
{
    if (!fetch->paused || fetch->over) {
        return;
    }
    fetch->paused = false;
    fetch->active = px_clock_ms();
    px_limit_arm(fetch);
    if (fetch->lean) {
        px_lane_watch(fetch);
    }
    if (fetch->held) {
        px_fetcher_queue(fetch);
    }
}

void px_fetch_drop_body(struct px_fetch *fetch)
{
    fetch->unwanted = true;
    if (!fetch->over) {
        px_fetch_shed_body(fetch);
    }
}

void px_fetch_cancel(struct px_fetch *fetch)
{
    if (!fetch->cancelled) {
        fetch->cancelled = true;
        fetch->over = true;
        fetch->fetcher->live--;
        px_upload_end(fetch);
        px_limit_stop(fetch);
        px_fetcher_queue(fetch);
    }
}
