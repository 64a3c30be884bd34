#pragma once

// What the tests of this folder share: a host behind a listener on 127.0.0.1, a driver that does
// what a request's path says, and clients that are sockets of the same thread. The loop runs while
// a test waits to hear something.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "px/clock.h"
#include "px/exchange.h"
#include "px/listener.h"

#define SITE __attribute__((unused)) static

struct site {
    struct px_loop *loop;
    struct px_host *host;
    struct px_host_conf conf;
    struct px_host_stats stats;
    struct px_listener *listener;
    struct px_timer timer;
    int port;
    struct px_exchange *held[16];  ///< Requests to /hold, in order; a test answers and ends them.
    size_t held_count;
    int begun, ended, gone, drains;
    void (*run)(struct site *site, struct px_exchange *ex);  ///< For other paths.
    char text[1 << 18];                                      ///< What hear() heard.
    size_t len;
};

SITE const struct px_http_header plain = { PX_STR("content-type"), PX_STR("text/plain") };

SITE void *site_begin(void *user)
{
    ((struct site *)user)->begun++;
    return user;
}

SITE void site_end(void *user, void *held)
{
    assert_ptr_equal(user, held);
    ((struct site *)user)->ended++;
}

SITE void site_gone(void *user)
{
    ((struct site *)user)->gone++;
}

SITE void site_drain(void *user)
{
    ((struct site *)user)->drains++;
}

SITE const struct px_exchange_fns site_fns = { site_gone, site_drain };

SITE void site_run(void *user, struct px_exchange *ex)
{
    struct site *site = user;
    struct px_str path = px_exchange_path(ex);
    struct px_block *body = px_exchange_body(ex);
    px_exchange_drive(ex, &site_fns, site);
    if (px_str_eq(path, PX_STR("/hold"))) {
        assert_true(site->held_count < 16);
        site->held[site->held_count++] = ex;
        return;
    }
    if (px_str_eq(path, PX_STR("/echo"))) {
        px_exchange_answer(ex, 200, &plain, 1, body, PX_STR(""));
    } else if (px_str_eq(path, PX_STR("/path"))) {
        px_exchange_answer(ex, 200, &plain, 1, NULL, px_exchange_query(ex));
    } else if (px_str_eq(path, PX_STR("/none"))) {
        px_exchange_answer(ex, 204, &plain, 1, NULL, PX_STR("not sent"));
    } else if (site->run) {
        site->run(site, ex);
        return;
    }
    px_exchange_end(ex);
}

SITE const struct px_host_hooks site_hooks = { site_begin, site_end, site_run };

SITE void site_accept(void *user, struct px_conn *conn)
{
    px_host_serve(((struct site *)user)->host, conn);
}

SITE void site_stop(void *user)
{
    px_loop_stop(((struct site *)user)->loop);
}

SITE const struct px_host_conf site_conf = {
    .head_ms = 5000,
    .keep_alive_ms = 5000,
    .body_ms = 5000,
    .stall_ms = 5000,
    .body_limit = 1 << 20,
    .upload_limit = 4 << 20,
    .bodies_limit = 8 << 20,
};

SITE void site_open(struct site *site, const struct px_host_conf *conf)
{
    memset(site, 0, sizeof(*site));
    signal(SIGPIPE, SIG_IGN);
    site->conf = conf ? *conf : site_conf;
    site->loop = px_loop_new();
    site->timer = (struct px_timer){ .fn = site_stop, .user = site };
    site->host = px_host_new(site->loop, &site->conf, &site_hooks, site, &site->stats);
    assert_non_null(site->host);
    struct px_listen_conf listen = { .address = "127.0.0.1", .port = 0, .fd = -1 };
    struct px_error err = { PX_OK, "" };
    if (px_listener_new(site->loop, &listen, NULL, site_accept, site, &site->listener, &err)) {
        fail_msg("%s", err.text);
    }
    site->port = px_listener_port(site->listener);
}

SITE void site_turn(struct site *site, uint64_t ms)
{
    assert_int_equal(px_timer_start(site->loop, &site->timer, ms), PX_OK);
    alarm(30);
    px_loop_run(site->loop);
    alarm(0);
    px_timer_stop(site->loop, &site->timer);
}

/// Waits for a condition over the site.
#define site_wait(site, condition)                                                                 \
    do {                                                                                           \
        uint64_t until = px_clock_ms() + 10000;                                                    \
        while (!(condition)) {                                                                     \
            assert_true(px_clock_ms() < until);                                                    \
            site_turn(site, 1);                                                                    \
        }                                                                                          \
    } while (0)

SITE void site_close(struct site *site)
{
    px_listener_close(site->listener);
    px_host_cut(site->host);
    for (size_t i = 0; i < site->held_count; i++) {
        if (site->held[i]) {
            px_exchange_end(site->held[i]);
        }
    }
    site_wait(site, px_listener_connections(site->loop) == 0);
    assert_int_equal(px_host_connections(site->host), 0);
    assert_int_equal(site->begun, site->ended);
    assert_int_equal(site->stats.connections, 0);
    assert_int_equal(site->stats.requests, 0);
    assert_int_equal(site->stats.body_bytes, 0);
    px_host_free(site->host);
    px_loop_run(site->loop);
    px_loop_free(site->loop);
}

SITE int dial(struct site *site)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)site->port) };
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    site->len = 0;
    site->text[0] = '\0';
    return fd;
}

SITE void say_bytes(int fd, const char *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

SITE void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/// Takes what has come. False at the end of the connection, proper or not.
SITE bool hear_some(struct site *site, int fd)
{
    ssize_t got =
        recv(fd, site->text + site->len, sizeof(site->text) - 1 - site->len, MSG_DONTWAIT);
    if (got > 0) {
        site->len += (size_t)got;
        site->text[site->len] = '\0';
    }
    return got > 0 || (got < 0 && errno == EAGAIN);
}

/// Listens until `part` was heard behind offset `from`.
SITE void hear(struct site *site, int fd, const char *part)
{
    uint64_t until = px_clock_ms() + 10000;
    while (!strstr(site->text, part)) {
        bool open = hear_some(site, fd);
        if (strstr(site->text, part)) {
            return;
        }
        if (!open || px_clock_ms() >= until) {
            fail_msg("no \"%s\" in \"%s\"", part, site->text);
        }
        site_turn(site, 1);
    }
}

/// Listens until the connection ends, then closes it.
SITE void hear_end(struct site *site, int fd)
{
    uint64_t until = px_clock_ms() + 10000;
    while (hear_some(site, fd)) {
        if (px_clock_ms() >= until) {
            fail_msg("no end behind \"%s\"", site->text);
        }
        site_turn(site, 1);
    }
    close(fd);
}

/// Forgets what was heard.
SITE void forget(struct site *site)
{
    site->len = 0;
    site->text[0] = '\0';
}

SITE int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) {
        count++;
    }
    return count;
}

SITE struct px_exchange *held(struct site *site, size_t at)
{
    site_wait(site, site->held_count > at);
    return site->held[at];
}

SITE void end_held(struct site *site, size_t at)
{
    px_exchange_end(site->held[at]);
    site->held[at] = NULL;
}

#define assert_has(site, part)                                                                     \
    do {                                                                                           \
        if (!strstr((site)->text, part)) {                                                         \
            fail_msg("no \"%s\" in \"%s\"", part, (site)->text);                                   \
        }                                                                                          \
    } while (0)

#define assert_has_not(site, part)                                                                 \
    do {                                                                                           \
        if (strstr((site)->text, part)) {                                                          \
            fail_msg("\"%s\" is in \"%s\"", part, (site)->text);                                   \
        }                                                                                          \
    } while (0)
