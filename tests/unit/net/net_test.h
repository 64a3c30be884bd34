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
