#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define BACKLOG 1024

static enum px_status fail_listen(const struct px_listen_conf *conf, int error,
                                  struct px_error *err)
{
    bool in6 = strchr(conf->address, ':');
    const char *left = in6 ? "[" : "", *right = in6 ? "]" : "";
    const char *reason = strerror(error), *hint = "check address and port";
    if (error == EADDRINUSE) {
        reason = "the port is in use by another process";
        hint = "stop it or choose another with --port";
    } else if (error == EACCES) {
        reason = "no permission";
        hint = "choose a port above 1023 with --port";
    } else if (error == EADDRNOTAVAIL) {
        reason = "this machine does not have the address";
        hint = "choose another with --host";
    }
    return px_fail(err, PX_EIO, "listen %s%s%s:%d: %s; %s", left, conf->address, right, conf->port,
                   reason, hint);
}

static enum px_status parse_address(const struct px_listen_conf *conf,
                                    struct sockaddr_storage *addr, socklen_t *len,
                                    struct px_error *err)
{
    if (conf->port < 0 || conf->port > 65535) {
        return px_fail(err, PX_EINVAL, "listen: port %d is not between 0 and 65535", conf->port);
    }
    memset(addr, 0, sizeof(*addr));
    if (uv_ip4_addr(conf->address, conf->port, (struct sockaddr_in *)addr) == 0) {
        *len = sizeof(struct sockaddr_in);
        return PX_OK;
    }
    if (uv_ip6_addr(conf->address, conf->port, (struct sockaddr_in6 *)addr) == 0) {
        *len = sizeof(struct sockaddr_in6);
        return PX_OK;
    }
    return px_fail(err, PX_EINVAL,
                   "listen: \"%s\" is not a numeric address; write for example 127.0.0.1, "
                   "0.0.0.0 or ::1",
                   conf->address);
}

static int set_option(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof(on));
}

/// Opens a socket and binds it. Shared: other sockets of this user may bind the same port.
static enum px_status bind_socket(const struct px_listen_conf *conf, bool shared, int *out,
                                  struct px_error *err)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;
    enum px_status st = parse_address(conf, &addr, &len, err);
    if (st) {
        return st;
    }
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fail_listen(conf, errno, err);
    }
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) ||
        (shared && set_option(fd, SOL_SOCKET, SO_REUSEPORT)) ||
        (addr.ss_family == AF_INET6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        bind(fd, (struct sockaddr *)&addr, len)) {
        st = fail_listen(conf, errno, err);
        close(fd);
        return st;
    }
    *out = fd;
    return PX_OK;
}

static enum px_status adopt_socket(int inherited, int *out, struct px_error *err)
{
    int type = 0;
    socklen_t len = sizeof(type);
    if (getsockopt(inherited, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM) {
        return px_fail(err, PX_EINVAL, "listen: inherited descriptor %d is not a TCP socket",
                       inherited);
    }
    int fd = fcntl(inherited, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)) {
        if (fd >= 0) {
            close(fd);
        }
        return px_fail(err, PX_EIO, "listen: inherited descriptor %d: %s", inherited,
                       strerror(errno));
    }
    *out = fd;
    return PX_OK;
}

enum px_status px_socket_listen(const struct px_listen_conf *conf, int *out, struct px_error *err)
{
    int fd;
    enum px_status st =
        conf->fd >= 0 ? adopt_socket(conf->fd, &fd, err) : bind_socket(conf, true, &fd, err);
    if (st) {
        return st;
    }
    // Accepted sockets inherit TCP_NODELAY, which spares a system call for each.
    if (set_option(fd, IPPROTO_TCP, TCP_NODELAY) || listen(fd, BACKLOG)) {
        st = fail_listen(conf, errno, err);
        close(fd);
        return st;
    }
    *out = fd;
    return PX_OK;
}

int px_socket_port(int fd)
{
    struct sockaddr_storage addr = { 0 };
    socklen_t len = sizeof(addr);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    if (addr.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    }
    return addr.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&addr)->sin_port) : 0;
}

enum px_status px_listener_probe(const struct px_listen_conf *conf, struct px_error *err)
{
    if (conf->fd >= 0 || conf->port == 0) {
        return PX_OK;
    }
    int fd;
    enum px_status st = bind_socket(conf, false, &fd, err);
    if (!st) {
        close(fd);
    }
    return st;
}
