// The life of a connection, and what its owner calls. Sending and telling are in send.c, reading
// in read.c, TLS in shake.c. The socket may go before the owner does (broken) or after (draining):
// the memory goes when both are gone.

#include "conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "inner.h"

#define HIGH_MARK (256 * 1024)

static void free_conn(struct px_conn *conn)
{
    SSL_free(conn->ssl);
    free(conn);
}

static void on_closed(uv_handle_t *uv)
{
    struct px_conn *conn = uv->data;
    conn->closed = true;
    px_net_remove(conn);
    if (conn->released) {
        free_conn(conn);
    }
}

static void on_timeout(void *user)
{
    px_conn_cut(user);
}

/// Writes "127.0.0.1:4711" or "[::1]:4711".
static void name_peer(struct px_conn *conn, const struct sockaddr *peer)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
        uv_ip6_name(in6, host, sizeof(host));
        snprintf(conn->peer, sizeof(conn->peer), "[%s]:%u", host, ntohs(in6->sin6_port));
    } else if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)peer;
        uv_ip4_name(in, host, sizeof(host));
        snprintf(conn->peer, sizeof(conn->peer), "%s:%u", host, ntohs(in->sin_port));
    } else {
        snprintf(conn->peer, sizeof(conn->peer), "?");
    }
}

struct px_conn *px_conn_new(struct px_loop *loop, int fd, const struct sockaddr *peer)
{
    struct px_net *net = px_net_get(loop);
    struct px_conn *conn = net ? calloc(1, sizeof(*conn)) : NULL;
    if (!conn) {
        close(fd);
        return NULL;
    }
    conn->loop = loop;
    conn->net = net;
    conn->phase = PX_CONN_OPEN;
    conn->timer = (struct px_timer){ .fn = on_timeout, .user = conn };
    uv_tcp_init(&loop->uv, &conn->tcp);
    conn->tcp.data = conn->write.data = conn;
    px_net_add(conn);
    name_peer(conn, peer);
    if (uv_tcp_open(&conn->tcp, fd)) {
        close(fd);
        conn->released = true;
        px_conn_cut(conn);
        return NULL;
    }
    return conn;
}

void px_conn_cut(struct px_conn *conn)
{
    if (conn->phase == PX_CONN_CUT) {
        return;
    }
    conn->phase = PX_CONN_CUT;
    conn->listener = NULL;
    px_net_unmark(conn);
    px_timer_stop(conn->loop, &conn->timer);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    // libuv does not touch the bytes of a pending write any more.
    px_queue_clear(&conn->out, &conn->net->pool);
    px_queue_clear(&conn->cipher, &conn->net->pool);
    px_block_drop(conn->rest);
    conn->rest = NULL;
    conn->in_flight = 0;
    conn->full = false;
}

void px_conn_break(struct px_conn *conn, enum px_status status)
{
    if (conn->phase == PX_CONN_CUT) {
        return;
    }
    conn->broken = true;
    if (!conn->ended) {
        conn->ended = conn->end_due = true;
        conn->end_status = status;
    } else if (conn->full) {
        conn->drain_due = true;  // Who waits for room finds out by writing.
    }
    px_conn_cut(conn);
    if (!conn->released) {
        px_net_mark(conn);
    }
}

void px_conn_ended(struct px_conn *conn, enum px_status status)
{
    if (conn->ended) {
        return;
    }
    if (conn->phase == PX_CONN_SHAKING || conn->phase == PX_CONN_LINGERING) {
        px_conn_cut(conn);
        return;
    }
    conn->ended = conn->end_due = true;
    conn->end_status = status;
    px_conn_update_reading(conn);
    px_net_mark(conn);
}

void px_conn_drain(struct px_conn *conn)
{
    conn->fns = NULL;
    conn->released = true;
    conn->listener = NULL;
    conn->phase = PX_CONN_DRAINING;
    px_block_drop(conn->rest);
    conn->rest = NULL;
    if (px_timer_start(conn->loop, &conn->timer, px_net_limits.drain_ms)) {
        px_conn_cut(conn);
        return;
    }
    px_conn_update_reading(conn);
    px_net_mark(conn);
}

void px_conn_close(struct px_conn *conn, bool drain)
{
    conn->fns = NULL;
    conn->user = NULL;
    conn->released = true;
    if (conn->phase == PX_CONN_CUT) {
        px_net_unmark(conn);
        if (conn->closed) {
            free_conn(conn);
        }
    } else if (drain) {
        px_conn_drain(conn);
    } else {
        px_conn_cut(conn);
    }
}

void px_conn_attach(struct px_conn *conn, const struct px_conn_fns *fns, void *user)
{
    conn->fns = fns;
    conn->user = user;
    px_conn_read(conn, true);
    if (conn->end_due) {
        px_net_mark(conn);
    }
}

/// After bytes were queued.
static void queued_more(struct px_conn *conn)
{
    if (px_conn_queued(conn) >= HIGH_MARK) {
        conn->full = true;
        conn->drain_due = false;
    }
    if (!conn->in_flight) {
        px_net_mark(conn);
    }
}

enum px_status px_conn_write(struct px_conn *conn, struct px_str bytes)
{
    if (conn->broken) {
        return PX_EIO;
    }
    enum px_status st = px_queue_add(&conn->out, &conn->net->pool, bytes);
    if (!st) {
        queued_more(conn);
    }
    return st;
}

enum px_status px_conn_write_block(struct px_conn *conn, struct px_block *block, struct px_str part)
{
    if (conn->broken) {
        return PX_EIO;
    }
    enum px_status st = px_queue_add_block(&conn->out, &conn->net->pool, block, part);
    if (!st) {
        queued_more(conn);
    }
    return st;
}

void px_conn_flush(struct px_conn *conn)
{
    px_conn_send(conn);
    if (conn->drain_due) {
        px_net_mark(conn);
    }
}

size_t px_conn_queued(const struct px_conn *conn)
{
    return conn->out.bytes + conn->cipher.bytes;
}

bool px_conn_full(const struct px_conn *conn)
{
    return conn->full;
}

bool px_conn_left(const struct px_conn *conn)
{
    uv_os_fd_t fd;
    struct tcp_info info = { 0 };
    socklen_t len = sizeof(info);
    if (uv_fileno((const uv_handle_t *)&conn->tcp, &fd) ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len)) {
        return false;
    }
    return info.tcpi_state != TCP_ESTABLISHED;
}

const char *px_conn_peer(const struct px_conn *conn)
{
    return conn->peer;
}

bool px_conn_secure(const struct px_conn *conn)
{
    return conn->ssl;
}
