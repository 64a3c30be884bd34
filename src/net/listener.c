// Accepting is done by hand on a polled descriptor rather than by uv_listen(): when descriptors run
// out libuv either spins or closes everybody who waits, and it cannot pause.

#include "px/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn.h"
#include "inner.h"
#include "px/log.h"
#include "socket.h"
#include "tls.h"

#define ACCEPTS_A_ROUND 64
#define PAUSE_MS 100

struct px_listener {
    uv_poll_t poll;
    int fd;
    int port;
    struct px_loop *loop;
    struct px_tls *tls;
    px_accept_fn fn;
    void *user;
    struct px_timer pause;  ///< Armed while descriptors or memory are short.
    bool on;
    bool polls;
    bool complained;
};

static void on_connection(uv_poll_t *poll, int status, int events);

static void update(struct px_listener *listener)
{
    bool want = listener->on && !listener->pause.slot;
    if (want == listener->polls) {
        return;
    }
    listener->polls = want;
    if (want) {
        uv_poll_start(&listener->poll, UV_READABLE, on_connection);
    } else {
        uv_poll_stop(&listener->poll);
    }
}

static void on_pause_over(void *user)
{
    update(user);
}

static void pause_accepting(struct px_listener *listener, const char *reason)
{
    if (!listener->complained) {
        px_log(PX_LOG_WARN, "net", "cannot accept connections for now: %s", reason);
        listener->complained = true;
    }
    if (!px_timer_start(listener->loop, &listener->pause, PAUSE_MS)) {
        update(listener);
    }
}

static void begin(struct px_listener *listener, int fd, const struct sockaddr *peer)
{
    struct px_conn *conn = px_conn_new(listener->loop, fd, peer);
    if (!conn) {
        pause_accepting(listener, "out of memory");
        return;
    }
    if (!listener->tls) {
        listener->fn(listener->user, conn);
        return;
    }
    conn->listener = listener;
    if (px_conn_shake(conn, px_tls_ctx(listener->tls))) {
        px_conn_close(conn, false);
        pause_accepting(listener, "out of memory");
    }
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct px_listener *listener = poll->data;
    if (status < 0) {
        listener->polls = false;  // libuv has stopped the handle.
        pause_accepting(listener, uv_strerror(status));
        return;
    }
    for (int turn = 0; turn < ACCEPTS_A_ROUND && listener->polls; turn++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        int fd =
            accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->complained = false;
            begin(listener, fd, (struct sockaddr *)&peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            pause_accepting(listener, strerror(errno));
        }
        // Anything else concerns one connection that did not come to be.
    }
}

void px_listener_hand_over(struct px_conn *conn)
{
    struct px_listener *listener = conn->listener;
    conn->listener = NULL;
    conn->released = false;
    conn->phase = PX_CONN_OPEN;
    px_timer_stop(conn->loop, &conn->timer);
    px_conn_update_reading(conn);
    listener->fn(listener->user, conn);
}

enum px_status px_listener_new(struct px_loop *loop, const struct px_listen_conf *conf,
                               struct px_tls *tls, px_accept_fn fn, void *user,
                               struct px_listener **out, struct px_error *err)
{
    int fd;
    enum px_status st = px_socket_listen(conf, &fd, err);
    if (st) {
        return st;
    }
    struct px_listener *listener = calloc(1, sizeof(*listener));
    if (!listener || uv_poll_init(&loop->uv, &listener->poll, fd)) {
        free(listener);
        close(fd);
        return px_fail(err, PX_ENOMEM, "listen %s: out of memory", conf->address);
    }
    listener->poll.data = listener;
    listener->fd = fd;
    listener->port = px_socket_port(fd);
    listener->loop = loop;
    listener->tls = tls ? px_tls_hold(tls) : NULL;
    listener->fn = fn;
    listener->user = user;
    listener->pause = (struct px_timer){ .fn = on_pause_over, .user = listener };
    listener->on = true;
    update(listener);
    *out = listener;
    return PX_OK;
}

void px_listener_set_tls(struct px_listener *listener, struct px_tls *tls)
{
    struct px_tls *old = listener->tls;
    listener->tls = tls ? px_tls_hold(tls) : NULL;
    px_tls_drop(old);
}

void px_listener_accept(struct px_listener *listener, bool on)
{
    listener->on = on;
    update(listener);
}

int px_listener_port(const struct px_listener *listener)
{
    return listener->port;
}

static void on_closed(uv_handle_t *uv)
{
    free(uv->data);
}

void px_listener_close(struct px_listener *listener)
{
    if (!listener) {
        return;
    }
    struct px_net *net = listener->loop->net;
    for (struct px_conn *conn = net ? net->conns : NULL; conn; conn = conn->next) {
        if (conn->listener == listener) {
            px_conn_cut(conn);
        }
    }
    px_timer_stop(listener->loop, &listener->pause);
    listener->polls = false;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    close(listener->fd);
    px_tls_drop(listener->tls);
    listener->tls = NULL;
}
