#pragma once

#include "fake.h"

// An answer that is longer than all buffers on its way, and a check that all of it came.

#define FLOOD (24 * 1024 * 1024)

/// Sends FLOOD bytes and raises the flag as often as the other side takes none for a while.
FAKE void serve_flood(struct peer *peer)
{
    char head[128], piece[16384];
    if (!fake_read(peer)) {
        return;
    }
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", FLOOD);
    fake_say(peer, head);
    for (size_t at = 0; at < FLOOD;) {
        for (size_t i = 0; i < sizeof(piece); i++) {
            piece[i] = (char)((at + i) * 31 >> 4);
        }
        struct pollfd poll_fd = { .fd = peer->fd, .events = POLLOUT };
        if (poll(&poll_fd, 1, 100) == 0) {
            atomic_store(&peer->fake->flag, true);
            continue;
        }
        size_t len = FLOOD - at < sizeof(piece) ? FLOOD - at : sizeof(piece);
        ssize_t n = send(peer->fd, piece, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) {
            return;
        }
        at += n > 0 ? (size_t)n : 0;
    }
}

FAKE void pause_now(struct heard *heard)
{
    px_fetch_pause(heard->fetch);
}

FAKE void check_flood(const struct heard *heard)
{
    assert_int_equal(heard->failure, PX_FETCH_NONE);
    assert_int_equal(heard->data_len, FLOOD);
    for (size_t i = 0; i < FLOOD; i++) {
        if (heard->data[i] != (char)(i * 31 >> 4)) {
            fail_msg("byte %zu is wrong", i);
        }
    }
}
