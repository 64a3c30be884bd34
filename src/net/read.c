// Reading. All connections of a loop read into one buffer: libuv calls back before it reads again.

#include "conn.h"

static void on_alloc(uv_handle_t *uv, size_t hint, uv_buf_t *buf)
{
    (void)hint;
    struct px_conn *conn = uv->data;
    *buf = (uv_buf_t){ .base = conn->net->input, .len = sizeof(conn->net->input) };
}

/// Bytes for nobody.
static void throw_away(struct px_conn *conn, size_t size)
{
    conn->lingered += size;
    if (conn->lingered <= px_net_limits.linger_bytes) {
        return;
    }
    if (conn->phase == PX_CONN_LINGERING) {
        px_conn_cut(conn);
    } else {
        px_conn_update_reading(conn);
    }
}

static void on_read(uv_stream_t *uv, ssize_t size, const uv_buf_t *buf)
{
    struct px_conn *conn = uv->data;
    if (size == 0) {
        return;
    }
    if (size == UV_EOF) {
        // TLS has an end of its own; without it the stream was cut.
        px_conn_ended(conn, conn->ssl ? PX_EIO : PX_OK);
    } else if (size < 0) {
        px_conn_break(conn, PX_EIO);
    } else if (conn->phase >= PX_CONN_DRAINING) {
        throw_away(conn, (size_t)size);
    } else if (conn->ssl) {
        px_conn_decrypt(conn, (struct px_str){ buf->base, (size_t)size });
    } else {
        px_conn_deliver(conn, (struct px_str){ buf->base, (size_t)size });
    }
    if (conn->end_due) {
        px_conn_serve(conn);  // At once, so that the owner hears of it before a write fails.
    }
}

static bool wants_bytes(const struct px_conn *conn)
{
    switch (conn->phase) {
    case PX_CONN_SHAKING: return true;
    case PX_CONN_OPEN: return conn->fns && conn->reading && !conn->rest;
    case PX_CONN_DRAINING:
    case PX_CONN_LINGERING: return conn->lingered <= px_net_limits.linger_bytes;
    default: return false;
    }
}

void px_conn_update_reading(struct px_conn *conn)
{
    bool want = !conn->ended && wants_bytes(conn);
    if (want == conn->uv_reads || conn->phase == PX_CONN_CUT) {
        return;
    }
    conn->uv_reads = want;
    if (!want) {
        uv_read_stop((uv_stream_t *)&conn->tcp);
    } else if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read)) {
        px_conn_break(conn, PX_EIO);
    }
}

void px_conn_read(struct px_conn *conn, bool on)
{
    conn->reading = on;
    if (on && conn->rest) {
        px_net_mark(conn);
    }
    px_conn_update_reading(conn);
}

void px_conn_deliver(struct px_conn *conn, struct px_str bytes)
{
    if (conn->fns) {
        conn->fns->on_data(conn->user, bytes);
    }
}
