#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane.h"
#include "px/clock.h"
#include "px/fetch.h"

// A server of threads with blocking sockets, one for each connection, so that a test can say in a
// straight line what an upstream does; and a client that drives one loop and writes down what it
// hears.

#define FAKE __attribute__((unused)) static

struct fake;

/// One connection, on its thread. `tls` is the business of fake_tls.h.
struct peer {
    struct fake *fake;
    int fd;
    int number;  ///< Which connection of the server it is, from 0.
    int served;  ///< Requests read.
    void *tls;
    char head[70000];
    size_t head_len, body_len;
    char *body;
};

struct fake {
    int fd;
    int port;
    void (*serve)(struct peer *peer);
    void *user;
    bool (*shake)(struct peer *peer);
    ssize_t (*recv)(struct peer *peer, void *to, size_t len);
    ssize_t (*send)(struct peer *peer, const void *from, size_t len);
    pthread_t thread;
    pthread_t peers[1200];
    atomic_int accepted, open, requests;
    atomic_bool flag;  ///< For the test's own use.
};

FAKE ssize_t fake_recv(struct peer *peer, void *to, size_t len)
{
    return peer->fake->recv ? peer->fake->recv(peer, to, len) : recv(peer->fd, to, len, 0);
}

FAKE bool fake_send(struct peer *peer, const void *from, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = peer->fake->send
                        ? peer->fake->send(peer, (const char *)from + at, len - at)
                        : send(peer->fd, (const char *)from + at, len - at, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

FAKE bool fake_say(struct peer *peer, const char *text)
{
    return fake_send(peer, text, strlen(text));
}

/// Reads a request: the head into peer->head, its body into peer->body.
FAKE bool fake_read(struct peer *peer)
{
    peer->head_len = 0;
    free(peer->body);
    peer->body = NULL;
    peer->body_len = 0;
    while (!(peer->head_len >= 4 && !memcmp(peer->head + peer->head_len - 4, "\r\n\r\n", 4))) {
        if (peer->head_len + 1 >= sizeof(peer->head) ||
            fake_recv(peer, peer->head + peer->head_len, 1) != 1) {
            return false;
        }
        peer->head[++peer->head_len] = '\0';
    }
    const char *length = strcasestr(peer->head, "\r\ncontent-length:");
    size_t want = length ? strtoul(length + 17, NULL, 10) : 0;
    peer->body = malloc(want + 1);
    while (peer->body_len < want) {
        ssize_t n = fake_recv(peer, peer->body + peer->body_len, want - peer->body_len);
        if (n <= 0) {
            return false;
        }
        peer->body_len += (size_t)n;
    }
    peer->body[peer->body_len] = '\0';
    peer->served++;
    atomic_fetch_add(&peer->fake->requests, 1);
    return true;
}

/// Waits until the other side has closed. False after ten seconds.
FAKE bool fake_wait_closed(struct peer *peer)
{
    char rest[4096];
    for (uint64_t end = px_clock_ms() + 10000; px_clock_ms() < end;) {
        struct pollfd poll_fd = { .fd = peer->fd, .events = POLLIN };
        if (poll(&poll_fd, 1, 10) == 1 && recv(peer->fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0) {
            return true;
        }
    }
    return false;
}

FAKE void fake_reset(struct peer *peer)
{
    struct linger linger = { 1, 0 };
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

FAKE void *fake_run_peer(void *arg)
{
    struct peer *peer = arg;
    struct fake *fake = peer->fake;
    if (!fake->shake || fake->shake(peer)) {
        fake->serve(peer);
    }
    close(peer->fd);
    free(peer->body);
    free(peer);
    atomic_fetch_sub(&fake->open, 1);
    return NULL;
}

FAKE void *fake_run(void *arg)
{
    struct fake *fake = arg;
    for (int fd; (fd = accept(fake->fd, NULL, NULL)) >= 0;) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct peer *peer = calloc(1, sizeof(*peer));
        peer->fake = fake;
        peer->fd = fd;
        peer->number = atomic_load(&fake->accepted);
        atomic_fetch_add(&fake->open, 1);
        pthread_create(&fake->peers[peer->number], NULL, fake_run_peer, peer);
        atomic_fetch_add(&fake->accepted, 1);
    }
    return NULL;
}

/// Makes a listening socket on a free port of 127.0.0.1.
FAKE int fake_listen(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(fd, 1024), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

FAKE void fake_start(struct fake *fake, void (*serve)(struct peer *))
{
    fake->serve = serve;
    fake->fd = fake_listen(&fake->port);
    pthread_create(&fake->thread, NULL, fake_run, fake);
}

/// Stops listening and waits for all connections to be over.
FAKE void fake_stop(struct fake *fake)
{
    shutdown(fake->fd, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->fd);
    for (int i = 0; i < atomic_load(&fake->accepted); i++) {
        pthread_join(fake->peers[i], NULL);
    }
}

/// What a client hears of one transfer.
struct heard {
    struct client *client;
    struct px_fetch *fetch;
    int heads, status;
    int64_t content_length;
    char headers[4096];  ///< "name=value;" for each.
    char *data;
    size_t data_len, data_cap, pieces;
    bool ended;
    enum px_fetch_failure failure;
    char text[400];
    void (*on_head)(struct heard *heard);
    void (*on_data)(struct heard *heard);
};

struct client {
    struct px_loop *loop;
    struct px_fetcher *fetcher;
    struct px_timer timer;  ///< Ends a test that hangs, or looks at something again and again.
    bool (*until)(struct client *client);
    struct heard *wait_for;
    uint64_t give_up;
    void *user;
};

FAKE void heard_head(void *user, const struct px_fetch_head *head)
{
    struct heard *heard = user;
    assert_false(heard->ended);
    heard->heads++;
    heard->status = head->status;
    heard->content_length = head->content_length;
    size_t at = 0;
    heard->headers[0] = '\0';
    for (size_t i = 0; i < head->header_count && at + 1 < sizeof(heard->headers); i++) {
        at += (size_t)snprintf(heard->headers + at, sizeof(heard->headers) - at, "%.*s=%.*s;",
                               (int)head->headers[i].name.len, head->headers[i].name.ptr,
                               (int)head->headers[i].value.len, head->headers[i].value.ptr);
    }
    if (heard->on_head) {
        heard->on_head(heard);
    }
}

FAKE void heard_data(void *user, struct px_str bytes)
{
    struct heard *heard = user;
    assert_int_equal(heard->heads, 1);
    assert_false(heard->ended);
    if (heard->data_len + bytes.len >= heard->data_cap) {
        heard->data_cap = (heard->data_cap + bytes.len) * 2 + 1;
        heard->data = realloc(heard->data, heard->data_cap);
    }
    memcpy(heard->data + heard->data_len, bytes.ptr, bytes.len);
    heard->data_len += bytes.len;
    heard->data[heard->data_len] = '\0';
    heard->pieces++;
    if (heard->on_data) {
        heard->on_data(heard);
    }
}

FAKE void heard_end(void *user, enum px_fetch_failure failure, const char *text)
{
    struct heard *heard = user;
    assert_false(heard->ended);
    heard->ended = true;
    heard->fetch = NULL;
    heard->failure = failure;
    snprintf(heard->text, sizeof(heard->text), "%s", text);
    if (heard->client->wait_for == heard) {
        px_loop_stop(heard->client->loop);
    }
}

static const struct px_fetch_fns heard_fns = { heard_head, heard_data, heard_end };

FAKE void heard_free(struct heard *heard)
{
    free(heard->data);
    heard->data = NULL;
}

FAKE void client_open(struct client *client, size_t max_idle)
{
    client->loop = px_loop_new();
    assert_non_null(client->loop);
    client->fetcher = px_fetcher_new(client->loop, max_idle);
    assert_non_null(client->fetcher);
}

FAKE void client_close(struct client *client)
{
    px_timer_stop(client->loop, &client->timer);
    px_fetcher_free(client->fetcher);
    px_loop_free(client->loop);
}

FAKE void client_tick(void *user)
{
    struct client *client = user;
    assert_true(px_clock_ms() < client->give_up);
    if (client->until && client->until(client)) {
        px_loop_stop(client->loop);
        return;
    }
    assert_int_equal(px_timer_start(client->loop, &client->timer, 2), PX_OK);
}

/// Runs the loop until `until` says so (looked at every 2 ms) or `heard` has ended; NULL: neither.
FAKE void client_run(struct client *client, bool (*until)(struct client *), struct heard *heard)
{
    client->until = until;
    client->wait_for = heard;
    client->give_up = px_clock_ms() + 20000;
    client->timer = (struct px_timer){ .fn = client_tick, .user = client };
    assert_int_equal(px_timer_start(client->loop, &client->timer, 2), PX_OK);
    if (!heard || !heard->ended) {
        px_loop_run(client->loop);
    }
    px_timer_stop(client->loop, &client->timer);
    client->wait_for = NULL;
}

FAKE struct px_str str_of(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

FAKE void start(struct client *client, const struct px_fetch_request *request, struct heard *heard)
{
    struct px_error err = { PX_OK, "" };
    heard->client = client;
    enum px_status st =
        px_fetch_start(client->fetcher, request, &heard_fns, heard, &heard->fetch, &err);
    if (st) {
        fail_msg("px_fetch_start: %s", err.text);
    }
    assert_int_equal(heard->heads, 0);
}

/// Starts a request to the fake server and waits for its end.
FAKE void ask(struct client *client, const struct px_fetch_request *request, struct heard *heard)
{
    start(client, request, heard);
    client_run(client, NULL, heard);
}

FAKE const char *url_of(const struct fake *fake, char *text)
{
    sprintf(text, "http://127.0.0.1:%d/v1/messages?key=hidden", fake->port);
    return text;
}

FAKE int fetch_setup(void **state)
{
    (void)state;
    struct px_error err = { PX_OK, "" };
    px_lane_off = getenv("PX_TEST_NO_LANE") != NULL;
    return px_fetch_global_init(&err) ? -1 : 0;
}

FAKE int fetch_teardown(void **state)
{
    (void)state;
    px_fetch_global_deinit();
    return 0;
}

/// A listening socket whose queue is full, so that connecting to it takes forever.
struct full {
    int fd, port, others[4];
};

FAKE void full_open(struct full *full)
{
    full->fd = fake_listen(&full->port);
    listen(full->fd, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)full->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0; i < 4; i++) {
        full->others[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(full->others[i], (struct sockaddr *)&address, sizeof(address));
    }
}

FAKE void full_close(struct full *full)
{
    for (int i = 0; i < 4; i++) {
        close(full->others[i]);
    }
    close(full->fd);
}

FAKE int rounds_left;

FAKE bool some_rounds_later(struct client *client)
{
    (void)client;
    return --rounds_left <= 0;
}

FAKE bool server_is_alone(struct client *client)
{
    struct fake *fake = client->user;
    return atomic_load(&fake->open) == 0;
}
