// The answer, read into the fetcher's buffer and handed over from there.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "inner.h"

/// Full buffers that one transfer may have in a row before others get their turn.
#define MAX_TURNS 4

/// The answer is whole. What is in `spare` does not belong to it.
static void complete(struct px_fetch *fetch, bool spare)
{
    struct px_fetcher *fetcher = fetch->fetcher;
    struct px_lane_conn *conn = fetch->conn;
    bool sent = !fetch->stopped && px_lane_has_sent(fetch);
    fetch->over = true;
    px_lane_forget(conn);
    if (fetch->reader.keep && sent && !spare && fetcher->max_idle) {
        fetch->conn = NULL;
        px_lane_pool_give(conn, fetcher->max_idle);
    }
    if (!fetch->queued) {
        px_fetch_finish(fetch);
    }
}

static void fail_cut(struct px_fetch *fetch, int error)
{
    char reason[64];
    if (error) {
        snprintf(fetch->error, sizeof(fetch->error), "Recv failure: %s",
                 strerror_r(error, reason, sizeof(reason)));
    }
    if (error || fetch->error[0]) {
        fetch->code = CURLE_RECV_ERROR;
    } else {
        fetch->code = fetch->answer.done ? CURLE_PARTIAL_FILE : CURLE_GOT_NOTHING;
    }
    px_fetch_fail(fetch, PX_FETCH_CUT, NULL);
}

/// The connection has ended, by `error` if it is not 0. A connection that was idle before may have
/// been closed just when the request came, so the request is sent once more on a fresh one.
static bool on_ended(struct px_fetch *fetch, int error)
{
    if (!error && px_reader_ends_here(&fetch->reader)) {
        complete(fetch, true);
        return false;
    }
    bool again = fetch->conn->reused && !fetch->reader.touched;
    if (!again || (fetch->source && !px_lane_upload_restart(fetch))) {
        fail_cut(fetch, error);
        return false;
    }
    px_lane_leave(fetch);
    fetch->sent = 0;
    fetch->stopped = false;
    fetch->error[0] = '\0';
    fetch->active = px_loop_now(fetch->fetcher->loop);
    px_lane_dial(fetch, 0);
    return false;
}

static void on_begun(struct px_fetch *fetch)
{
    fetch->phase = FETCH_ANSWERING;
    fetch->active = px_loop_now(fetch->fetcher->loop);
    px_limit_arm(fetch);
}

static void on_head(struct px_fetch *fetch, const struct px_fetch_head *head)
{
    fetch->answer.done = true;
    if (head->status >= 300 && !px_lane_has_sent(fetch)) {
        fetch->stopped = true;  // The upstream does not want the rest.
        px_lane_watch(fetch);
    }
    if (!fetch->over) {
        fetch->fns.on_head(fetch->user, head);
    }
}

static void on_bad(struct px_fetch *fetch, enum px_reader_step step, const char *fault)
{
    if (step == PX_READER_NO_MEMORY) {
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "no memory for the head of the answer");
    } else {
        px_fetch_fail(fetch, PX_FETCH_PROTOCOL, fault);
    }
}

/// True if the next step may be taken. The end of an answer that has been handed over does not
/// wait.
static bool goes_on(const struct px_fetch *fetch)
{
    return !fetch->over &&
           (!fetch->paused || !fetch->answer.done || px_reader_is_done(&fetch->reader));
}

bool px_lane_take(struct px_fetch *fetch, struct px_str *bytes)
{
    struct px_reader_found found;
    if (fetch->phase == FETCH_ANSWERING) {
        fetch->active = px_loop_now(fetch->fetcher->loop);
    }
    while (goes_on(fetch)) {
        enum px_reader_step step = px_reader_next(&fetch->reader, bytes, &found);
        if (fetch->reader.begun && fetch->phase != FETCH_ANSWERING) {
            on_begun(fetch);
        }
        switch (step) {
        case PX_READER_MORE: return !fetch->over;
        case PX_READER_HEAD: on_head(fetch, &found.head); break;
        case PX_READER_DATA:
            px_fetch_shed_body(fetch);
            fetch->fns.on_data(fetch->user, found.data);
            break;
        case PX_READER_DONE: complete(fetch, bytes->len > 0); return false;
        default: on_bad(fetch, step, found.fault); break;
        }
    }
    return !fetch->over;
}

/// Keeps what a pause has left in the fetcher's buffer.
static void keep_rest(struct px_fetch *fetch, struct px_str bytes)
{
    struct px_lane_conn *conn = fetch->conn;
    conn->kept = malloc(bytes.len);
    if (!conn->kept) {
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "no memory for what has come");
        return;
    }
    memcpy(conn->kept, bytes.ptr, bytes.len);
    conn->rest = (struct px_str){ conn->kept, bytes.len };
    fetch->held = true;
}

bool px_lane_receive(struct px_fetch *fetch)
{
    char *buffer = fetch->fetcher->lane.buffer;
    size_t room = fetch->streamed ? PX_LANE_READ_STREAMED : PX_LANE_READ;
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        ssize_t n = recv(fetch->conn->fd, buffer, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (n <= 0) {
            return on_ended(fetch, n < 0 ? errno : 0);
        }
        struct px_str bytes = { buffer, (size_t)n };
        if (!px_lane_take(fetch, &bytes)) {
            return false;
        }
        if (bytes.len) {
            keep_rest(fetch, bytes);
            return !fetch->over;
        }
        if ((size_t)n < room || (fetch->paused && fetch->answer.done)) {
            return true;
        }
    }
    return true;
}
