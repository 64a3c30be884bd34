// The request goes out straight from its head's text and its body's block.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "inner.h"

static ssize_t send_part(struct px_fetch *fetch)
{
    struct iovec parts[3];
    size_t count = 0, body_at = 0;
    if (fetch->sent < fetch->out_len) {
        parts[count++] =
            (struct iovec){ (char *)fetch->out + fetch->sent, fetch->out_len - fetch->sent };
    } else {
        body_at = fetch->sent - fetch->out_len;
    }
    if (body_at < fetch->body_len) {
        parts[count++] = (struct iovec){ fetch->body->ptr + body_at, fetch->body_len - body_at };
    }
    if (fetch->source) {
        count += px_lane_upload_parts(fetch, parts + count);
    }
    if (!count) {
        return 0;
    }
    const struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
    ssize_t n;
    do {
        n = sendmsg(fetch->conn->fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
}

static void note_sent(struct px_fetch *fetch, size_t count)
{
    size_t own = fetch->out_len + fetch->body_len - fetch->sent;
    size_t here = count < own ? count : own;
    fetch->sent += here;
    if (count > here) {
        px_lane_upload_sent(fetch, count - here);
    }
    if (count) {
        fetch->active = px_loop_now(fetch->fetcher->loop);
    }
}

void px_lane_send(struct px_fetch *fetch)
{
    if (!fetch->stopped && px_upload_broke(fetch)) {
        return;
    }
    if (!px_lane_has_sent(fetch)) {
        ssize_t n = send_part(fetch);
        if (n >= 0) {
            // Less than all means that the socket is full: asking again would only say so.
            note_sent(fetch, (size_t)n);
        } else if (errno != EAGAIN) {
            // The upstream may have answered before it closed: receiving says how it ended.
            char reason[64];
            fetch->stopped = true;
            snprintf(fetch->error, sizeof(fetch->error), "Send failure: %s",
                     strerror_r(errno, reason, sizeof(reason)));
        }
    }
    px_fetch_shed_body(fetch);
    if (fetch->source) {
        px_limit_arm(fetch);  // It did not run while there was nothing to send.
    }
    px_lane_watch(fetch);
}
