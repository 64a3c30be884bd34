// Connections of the lean lane, from nothing until they stand.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inner.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct px_lane_origin px_lane_origin_of(const struct px_target *target)
{
    struct px_lane_origin origin = { .port = (uint16_t)target->port };
    char text[INET6_ADDRSTRLEN];
    if (target->numeric && target->host.len < sizeof(text)) {
        memcpy(text, target->host.ptr, target->host.len);
        text[target->host.len] = '\0';
        origin.kind = memchr(text, ':', target->host.len) ? 6 : 4;
        inet_pton(origin.kind == 6 ? AF_INET6 : AF_INET, text, origin.address);
    }
    return origin;
}

/// The origin's address to try at the given attempt: localhost has two. @return 0 if there is none.
static socklen_t address_of(const struct px_lane_origin *origin, int attempt, union address *out)
{
    if (attempt >= (origin->kind ? 1 : 2)) {
        return 0;
    }
    if (origin->kind == 6 || attempt == 1) {
        out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
                                         .sin6_port = htons(origin->port),
                                         .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        if (origin->kind) {
            memcpy(&out->v6.sin6_addr, origin->address, 16);
        }
        return sizeof(out->v6);
    }
    out->v4 = (struct sockaddr_in){ .sin_family = AF_INET,
                                    .sin_port = htons(origin->port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (origin->kind) {
        memcpy(&out->v4.sin_addr, origin->address, 4);
    }
    return sizeof(out->v4);
}

static void set_options(int fd)
{
    static const int on = 1, idle = 60, interval = 30;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
}

/// Makes a socket that connects. @return -1, with errno, if it cannot.
static int connect_to(const union address *address, socklen_t len)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    set_options(fd);
    if (connect(fd, &address->any, len) && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/// Makes a connection of the socket, and closes it if there is no memory for one.
static struct px_lane_conn *conn_new(struct px_fetcher *fetcher, int fd)
{
    struct px_lane_conn *conn = calloc(1, sizeof(*conn));
    if (conn) {
        conn->poll = px_poll_new(fetcher->loop, fd, px_lane_on_ready, conn);
    }
    if (!conn || !conn->poll) {
        free(conn);
        close(fd);
        return NULL;
    }
    conn->fetcher = fetcher;
    conn->fd = fd;
    conn->connecting = true;
    return conn;
}

/// The first address says best why there is no connection.
static void fail_connect(struct px_fetch *fetch)
{
    fetch->code = CURLE_COULDNT_CONNECT;
    px_fetch_fail(fetch, PX_FETCH_CONNECT, NULL);
}

void px_lane_dial(struct px_fetch *fetch, int attempt)
{
    const struct px_lane_origin origin = px_lane_origin_of(&fetch->target);
    union address address;
    for (socklen_t len; (len = address_of(&origin, attempt, &address)); attempt++) {
        int fd = connect_to(&address, len);
        if (fd < 0) {
            fetch->os_error = fetch->os_error ? fetch->os_error : errno;
            continue;
        }
        struct px_lane_conn *conn = conn_new(fetch->fetcher, fd);
        if (!conn) {
            px_fetch_fail(fetch, PX_FETCH_INTERNAL, "no memory for a connection");
            return;
        }
        conn->origin = origin;
        conn->attempt = attempt;
        conn->fetch = fetch;
        fetch->conn = conn;
        px_lane_watch(fetch);
        return;
    }
    fail_connect(fetch);
}

void px_lane_dialled(struct px_lane_conn *conn, bool failed)
{
    struct px_fetch *fetch = conn->fetch;
    if (failed) {
        int error = 0, attempt = conn->attempt;
        socklen_t len = sizeof(error);
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        fetch->os_error = fetch->os_error ? fetch->os_error : error;
        px_lane_leave(fetch);
        px_lane_dial(fetch, attempt + 1);
        return;
    }
    conn->connecting = false;
    fetch->phase = FETCH_SENDING;
    fetch->active = px_loop_now(fetch->fetcher->loop);
    px_limit_arm(fetch);
    px_lane_send(fetch);
}
