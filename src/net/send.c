// Sending. What a round queued goes out by one uv_try_write(). What the socket does not take waits
// in the queue; a small uv_write() of its oldest bytes reports when the socket takes more.

#include <sys/socket.h>

#include "conn.h"
#include "inner.h"

#define LOW_MARK (64 * 1024)
#define MAX_BUFS 64
#define WAIT_SIZE 16384
#define MAX_AT_ONCE (1024 * 1024)  // Then the others have their turn.

static struct px_queue *wire_queue(struct px_conn *conn)
{
    return conn->ssl ? &conn->cipher : &conn->out;
}

static void on_written(uv_write_t *write, int status)
{
    struct px_conn *conn = write->data;
    if (conn->phase == PX_CONN_CUT) {
        return;
    }
    size_t size = conn->in_flight;
    conn->in_flight = 0;
    if (status < 0) {
        px_conn_break(conn, PX_EIO);
        return;
    }
    px_queue_drop(wire_queue(conn), &conn->net->pool, size);
    px_conn_serve(conn);
}

static void wait_writable(struct px_conn *conn)
{
    uv_buf_t buf;
    size_t size = WAIT_SIZE;
    px_queue_peek(wire_queue(conn), &buf, 1, &size);
    conn->in_flight = size;
    if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_written)) {
        conn->in_flight = 0;
        px_conn_break(conn, PX_EIO);
    }
}

void px_conn_send(struct px_conn *conn)
{
    struct px_queue *queue = wire_queue(conn);
    size_t total = 0;
    while (!conn->in_flight && conn->phase != PX_CONN_CUT) {
        if (conn->ssl) {
            px_conn_encrypt(conn);
        }
        if (!queue->bytes) {
            break;
        }
        if (total >= MAX_AT_ONCE) {
            px_net_mark(conn);
            break;
        }
        uv_buf_t bufs[MAX_BUFS];
        size_t size = MAX_AT_ONCE - total;
        unsigned count = px_queue_peek(queue, bufs, MAX_BUFS, &size);
        int sent = uv_try_write((uv_stream_t *)&conn->tcp, bufs, count);
        if (sent < 0 && sent != UV_EAGAIN) {
            px_conn_break(conn, PX_EIO);
            return;
        }
        if (sent > 0) {
            px_queue_drop(queue, &conn->net->pool, (size_t)sent);
            total += (size_t)sent;
        }
        if (sent < 0 || (size_t)sent < size) {
            wait_writable(conn);
        }
    }
    if (conn->full && px_conn_queued(conn) < LOW_MARK) {
        conn->full = false;
        conn->drain_due = true;
    }
}

/// All is sent and nobody owns the connection: say so and wait for the peer's end. Closing at once
/// while bytes of the peer are unread would make a reset that overtakes the last answer.
static void finish(struct px_conn *conn)
{
    if (conn->ssl && !conn->said_bye) {
        px_conn_bye(conn);
        px_conn_send(conn);
        if (conn->phase == PX_CONN_CUT || px_conn_queued(conn)) {
            return;
        }
    }
    uv_os_fd_t fd;
    if (conn->ended || conn->lingered > px_net_limits.linger_bytes ||
        uv_fileno((uv_handle_t *)&conn->tcp, &fd) || shutdown(fd, SHUT_WR)) {
        px_conn_cut(conn);
        return;
    }
    conn->phase = PX_CONN_LINGERING;
    uint64_t now = px_loop_now(conn->loop);
    uint64_t left = conn->timer.at > now ? conn->timer.at - now : 0;
    uint64_t linger = px_net_limits.linger_ms;
    if (px_timer_start(conn->loop, &conn->timer, left < linger ? left : linger)) {
        px_conn_cut(conn);
    }
}

/// Tells what is due. The owner may free a broken connection from there, so it is the last step.
static void tell(struct px_conn *conn)
{
    if (!conn->fns) {
        return;
    }
    if (conn->drain_due && !conn->end_due) {
        conn->drain_due = false;
        conn->fns->on_drain(conn->user);
    } else if (conn->end_due) {
        conn->end_due = false;
        conn->drain_due = conn->drain_due && !conn->broken;
        if (conn->drain_due) {
            px_net_mark(conn);  // The peer's end does not end our side: room is told next.
        }
        conn->fns->on_end(conn->user, conn->end_status);
    }
}

void px_conn_serve(struct px_conn *conn)
{
    px_net_unmark(conn);
    px_conn_send(conn);
    if (conn->rest) {
        px_conn_decrypt_rest(conn);
    }
    if (conn->phase == PX_CONN_DRAINING && !px_conn_queued(conn)) {
        finish(conn);
    }
    tell(conn);
}
