// The library's sockets on the loop.
//
// The library tells often that it wants nothing from a socket, and soon again that it does. A
// socket that we made keeps its poll until it closes, so that this costs no system call: px_poll
// leaves epoll alone until an unwanted event comes. Sockets that the library made by itself (its
// resolver's) close without a word after CURL_POLL_REMOVE, so their polls end there.

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inner.h"

static void on_ready(void *user, int events);

static struct px_sock **slot_of(struct px_fetcher *fetcher, curl_socket_t fd)
{
    size_t at = (size_t)fd;
    if (at >= fetcher->sock_cap) {
        size_t cap = fetcher->sock_cap ? fetcher->sock_cap : 64;
        while (cap <= at) {
            cap *= 2;
        }
        struct px_sock **socks = realloc(fetcher->socks, cap * sizeof(*socks));
        if (!socks) {
            return NULL;
        }
        memset(socks + fetcher->sock_cap, 0, (cap - fetcher->sock_cap) * sizeof(*socks));
        fetcher->socks = socks;
        fetcher->sock_cap = cap;
    }
    return &fetcher->socks[at];
}

static struct px_sock *find(struct px_fetcher *fetcher, curl_socket_t fd)
{
    return (size_t)fd < fetcher->sock_cap ? fetcher->socks[fd] : NULL;
}

static void drop(struct px_fetcher *fetcher, curl_socket_t fd)
{
    struct px_sock *sock = find(fetcher, fd);
    if (sock) {
        px_poll_free(sock->poll);
        free(sock);
        fetcher->socks[fd] = NULL;
    }
}

static struct px_sock *add(struct px_fetcher *fetcher, curl_socket_t fd, bool ours)
{
    drop(fetcher, fd);  // The library may have closed a socket without a word after a failure.
    struct px_sock **slot = slot_of(fetcher, fd);
    struct px_sock *sock = slot ? calloc(1, sizeof(*sock)) : NULL;
    if (!sock) {
        return NULL;
    }
    *sock = (struct px_sock){ .fetcher = fetcher, .fd = fd, .ours = ours };
    sock->poll = px_poll_new(fetcher->loop, fd, on_ready, sock);
    if (!sock->poll) {
        free(sock);
        return NULL;
    }
    *slot = sock;
    return sock;
}

static enum px_status want(struct px_sock *sock, int events)
{
    sock->want = events;
    return px_poll_want(sock->poll, events);
}

static void on_ready(void *user, int events)
{
    struct px_sock *sock = user;
    struct px_fetcher *fetcher = sock->fetcher;
    curl_socket_t fd = sock->fd;
    if (!(events & PX_POLL_ERROR)) {
        px_fetcher_ready(fetcher, fd, events);
        return;
    }
    // The library finds out for itself what is wrong if it reads and writes: told of an error it
    // would give the transfer up without that. The poll has stopped, and the library, should it
    // still want the same, would not say so again.
    px_fetcher_ready(fetcher, fd, PX_POLL_READ | PX_POLL_WRITE);
    if (find(fetcher, fd) == sock && want(sock, sock->want)) {
        px_fetcher_ready(fetcher, fd, PX_POLL_ERROR);
    }
}

int px_on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *sock_user)
{
    (void)sock_user;
    struct px_fetcher *fetcher = user;
    struct px_sock *sock = find(fetcher, fd);
    if (what == CURL_POLL_REMOVE) {
        if (sock && !sock->ours) {
            drop(fetcher, fd);
        } else if (sock && want(sock, 0)) {
            sock->ours = true;  // Wanting nothing cannot fail.
        }
        return 0;
    }
    int events =
        (what & CURL_POLL_IN ? PX_POLL_READ : 0) | (what & CURL_POLL_OUT ? PX_POLL_WRITE : 0);
    sock = sock ? sock : add(fetcher, fd, false);
    if (!sock || want(sock, events)) {
        // An error returned from here would end every transfer of the library: fail only this one.
        struct px_fetch *fetch = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &fetch);
        if (fetch) {
            px_fetch_fail(fetch, PX_FETCH_INTERNAL, "the connection's socket cannot be watched");
        }
    }
    return 0;
}

curl_socket_t px_on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct px_fetch *fetch = user;
    struct px_fetcher *fetcher = fetch->fetcher;
    fetch->dialled = true;
    if (!fetch->proxy.local) {
        px_gate_found(&fetcher->gate, &fetch->pass, px_loop_now(fetcher->loop));
    }
    if (fetch->guarded && !px_address_is_public(&address->addr)) {
        fetch->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    if (fd >= 0 && !add(fetcher, fd, true)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int px_on_close_socket(void *user, curl_socket_t fd)
{
    drop(user, fd);
    return close(fd);
}

void px_socks_free(struct px_fetcher *fetcher)
{
    for (size_t i = 0; i < fetcher->sock_cap; i++) {
        drop(fetcher, (curl_socket_t)i);
    }
    free(fetcher->socks);
    fetcher->socks = NULL;
    fetcher->sock_cap = 0;
}
