#pragma once

// What the tests of this folder share: a loop that cannot hang for long, a listener on a
// free port of 127.0.0.1, and a client that blocks and runs on a thread of its own.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "px/conn.h"
#include "px/listener.h"
#include "px/loop.h"

/// Runs the loop; the alarm kills a test that hangs.
static inline void run_loop(struct px_loop *loop)
{
    alarm(60);
    px_loop_run(loop);
    alarm(0);
}

static inline void stop_loop(void *user)
{
    px_loop_stop(user);
}

static inline struct px_listener *listen_any(struct px_loop *loop, struct px_tls *tls,
                                             px_accept_fn fn, void *user)
{
    struct px_listen_conf conf = { .address = "127.0.0.1", .port = 0, .fd = -1 };
    struct px_listener *listener = NULL;
    struct px_error err = { 0 };
    if (px_listener_new(loop, &conf, tls, fn, user, &listener, &err)) {
        fail_msg("%s", err.text);
    }
    return listener;
}

/// A blocking socket connected to 127.0.0.1:port, or -1.
static inline int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/// Writes all of it; false if the peer left.
static inline bool send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        ssize_t done = write(fd, at, len);
        if (done <= 0) {
            return false;
        }
        at += done;
        len -= (size_t)done;
    }
    return true;
}

/// Reads until `len` bytes came or the peer ended; returns how many.
static inline size_t recv_all(int fd, void *bytes, size_t len)
{
    size_t got = 0;
    while (got < len) {
        ssize_t part = read(fd, (char *)bytes + got, len - got);
        if (part <= 0) {
            break;
        }
        got += (size_t)part;
    }
    return got;
}

/// The byte at `at` of a stream that does not repeat soon.
static inline char pattern(size_t at)
{
    return (char)((at * 2654435761u) >> 13);
}

/// The server's side of one connection: writes down what comes, and asks a test's own functions.
struct side {
    struct px_loop *loop;
    struct px_listener *listener;
    struct px_conn *conn;  ///< NULL before and after.
    char got[4096];        ///< The first bytes that came.
    size_t len;
    int ends, drains, opens;
    enum px_status status;
    void (*opened)(struct side *side);
    void (*heard)(struct side *side);
    void (*over)(struct side *side);
    void (*room)(struct side *side);
    void *user;
};

/// Closes connection and listener, so that the loop ends once all is sent.
static inline void side_close(struct side *side, bool drain)
{
    if (side->conn) {
        px_conn_close(side->conn, drain);
        side->conn = NULL;
    }
    px_listener_close(side->listener);
    side->listener = NULL;
}

static inline void side_data(void *user, struct px_str bytes)
{
    struct side *side = user;
    for (size_t i = 0; i < bytes.len; i++, side->len++) {
        if (side->len < sizeof(side->got)) {
            side->got[side->len] = bytes.ptr[i];
        }
    }
    if (side->heard) {
        side->heard(side);
    }
}

static inline void side_end(void *user, enum px_status status)
{
    struct side *side = user;
    side->ends++;
    side->status = status;
    if (side->over) {
        side->over(side);
    } else {
        side_close(side, status == PX_OK);
    }
}

static inline void side_drain(void *user)
{
    struct side *side = user;
    side->drains++;
    if (side->room) {
        side->room(side);
    }
}

static inline void side_accept(void *user, struct px_conn *conn)
{
    static const struct px_conn_fns fns = { side_data, side_end, side_drain };
    struct side *side = user;
    side->conn = conn;
    side->opens++;
    px_conn_attach(conn, &fns, side);
    if (side->opened) {
        side->opened(side);
    }
}

/// A client on a thread: `run` gets a connected socket, which is closed after it.
struct client {
    pthread_t thread;
    int port;
    void (*run)(struct client *client, int fd);
    void *user;
    size_t got;
    bool good;
};

static inline void *run_client(void *user)
{
    struct client *client = user;
    int fd = dial(client->port);
    client->run(client, fd);
    close(fd);
    return NULL;
}

/// Serves one client until the loop ends.
static inline void serve(struct side *side, struct px_tls *tls, struct client *client)
{
    side->loop = px_loop_new();
    side->listener = listen_any(side->loop, tls, side_accept, side);
    client->port = px_listener_port(side->listener);
    pthread_create(&client->thread, NULL, run_client, client);
    run_loop(side->loop);
    pthread_join(client->thread, NULL);
    assert_null(side->conn);
    assert_int_equal(px_listener_connections(side->loop), 0);
    px_loop_free(side->loop);
}
