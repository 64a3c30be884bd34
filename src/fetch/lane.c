#include "lane.h"

#include <stdlib.h>

#include "inner.h"

void px_lane_start(struct px_fetch *fetch)
{
    struct px_lane *lane = &fetch->fetcher->lane;
    if (!lane->buffer) {
        lane->buffer = malloc(PX_LANE_READ);
    }
    if (!lane->buffer) {
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "no memory for a buffer");
        return;
    }
    const struct px_lane_origin origin = px_lane_origin_of(&fetch->target);
    struct px_lane_conn *conn = px_upload_is_once(fetch) ? NULL : px_lane_pool_take(lane, &origin);
    if (!conn) {
        px_lane_dial(fetch, 0);
        return;
    }
    conn->reused = true;
    conn->fetch = fetch;
    fetch->conn = conn;
    fetch->phase = FETCH_SENDING;
    px_lane_send(fetch);
}

/// True if the transfer takes what comes. A pause lets the head through.
static bool is_reading(const struct px_fetch *fetch)
{
    return !fetch->paused || !fetch->answer.done;
}

void px_lane_watch(struct px_fetch *fetch)
{
    struct px_lane_conn *conn = fetch->conn;
    if (!conn || fetch->over) {
        return;
    }
    bool sends = !px_lane_has_sent(fetch) &&
                 (!fetch->source || fetch->sent < fetch->out_len || px_lane_upload_ready(fetch));
    int events = conn->connecting || sends ? PX_POLL_WRITE : 0;
    if (!conn->connecting && is_reading(fetch) && !conn->rest.len) {
        events |= PX_POLL_READ;
    }
    if (px_poll_want(conn->poll, events)) {
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "the connection's socket cannot be watched");
    }
}

void px_lane_settle(struct px_fetch *fetch)
{
    struct px_lane_conn *conn = fetch->conn;
    if (conn && !conn->connecting && fetch->source && !px_lane_has_sent(fetch)) {
        px_lane_send(fetch);
    }
    if (!conn || !fetch->held || fetch->paused || fetch->over) {
        return;
    }
    fetch->held = false;
    if (!px_lane_take(fetch, &conn->rest)) {
        return;
    }
    if (conn->rest.len) {
        fetch->held = true;
        return;
    }
    px_lane_forget(conn);
    px_lane_watch(fetch);
}

void px_lane_leave(struct px_fetch *fetch)
{
    if (fetch->conn) {
        px_lane_conn_close(fetch->conn);
        fetch->conn = NULL;
    }
}

bool px_lane_has_sent(const struct px_fetch *fetch)
{
    bool sent = fetch->sent == fetch->out_len + fetch->body_len;
    return fetch->stopped || (sent && (!fetch->source || px_lane_upload_done(fetch)));
}

/// An error has stopped the poll, which does not say what is wrong: receiving does.
static void on_working(struct px_fetch *fetch, int events)
{
    bool failed = events & PX_POLL_ERROR;
    if (events & PX_POLL_WRITE || (failed && !px_lane_has_sent(fetch))) {
        px_lane_send(fetch);
    }
    if (fetch->over || !(failed || events & PX_POLL_READ)) {
        return;
    }
    bool reads = is_reading(fetch) && !fetch->conn->rest.len;
    if (reads && !px_lane_receive(fetch)) {
        return;
    }
    if (failed || !reads) {
        px_lane_watch(fetch);
    }
}

void px_lane_on_ready(void *user, int events)
{
    struct px_lane_conn *conn = user;
    struct px_fetch *fetch = conn->fetch;
    if (!fetch) {
        px_lane_conn_close(conn);  // Idle: closed by the upstream, or it talks out of turn.
    } else if (fetch->over) {
        if (px_poll_want(conn->poll, 0)) {
            return;  // Wanting nothing cannot fail.
        }
    } else if (conn->connecting) {
        px_lane_dialled(conn, events & PX_POLL_ERROR);
    } else {
        on_working(fetch, events);
    }
}

void px_lane_deinit(struct px_lane *lane)
{
    while (lane->newest) {
        px_lane_conn_close(lane->newest);
    }
    free(lane->buffer);
    lane->buffer = NULL;
}
