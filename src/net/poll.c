// Changing what epoll watches costs system calls, and libcurl changes its mind a lot. So a wish
// that shrinks is only noted: the handle stays armed until an event comes that nobody wants.

#include "px/poll.h"

#include <stdlib.h>

#include "inner.h"

struct px_poll {
    uv_poll_t uv;
    px_poll_fn fn;
    void *user;
    int want;   ///< What the owner waits for.
    int armed;  ///< What libuv waits for: `want` and perhaps more.
};

static void on_poll(uv_poll_t *uv, int status, int events);

static int arm(struct px_poll *poll, int events)
{
    if (events) {
        int uv_events =
            (events & PX_POLL_READ ? UV_READABLE : 0) | (events & PX_POLL_WRITE ? UV_WRITABLE : 0);
        int rc = uv_poll_start(&poll->uv, uv_events, on_poll);
        if (rc) {
            return rc;
        }
    } else {
        uv_poll_stop(&poll->uv);
    }
    poll->armed = events;
    return 0;
}

static void on_poll(uv_poll_t *uv, int status, int uv_events)
{
    struct px_poll *poll = uv->data;
    if (status < 0) {
        // libuv has stopped the handle. Whoever wants more hears of the error again.
        poll->armed = 0;
        if (poll->want) {
            poll->fn(poll->user, PX_POLL_ERROR);
        }
        return;
    }
    int events = (uv_events & UV_READABLE ? PX_POLL_READ : 0) |
                 (uv_events & UV_WRITABLE ? PX_POLL_WRITE : 0);
    if (events & ~poll->want) {
        arm(poll, poll->want);
    }
    if (events & poll->want) {
        poll->fn(poll->user, events & poll->want);
    }
}

struct px_poll *px_poll_new(struct px_loop *loop, int fd, px_poll_fn fn, void *user)
{
    struct px_poll *poll = calloc(1, sizeof(*poll));
    if (!poll) {
        return NULL;
    }
    if (uv_poll_init(&loop->uv, &poll->uv, fd)) {
        free(poll);
        return NULL;
    }
    poll->uv.data = poll;
    poll->fn = fn;
    poll->user = user;
    return poll;
}

enum px_status px_poll_want(struct px_poll *poll, int events)
{
    if (events & ~poll->armed && arm(poll, events)) {
        return PX_EIO;
    }
    poll->want = events;
    // A handle that is armed for nobody must not keep the loop alive.
    px_poll_keep(poll, events != 0);
    return PX_OK;
}

void px_poll_keep(struct px_poll *poll, bool on)
{
    if (on) {
        uv_ref((uv_handle_t *)&poll->uv);
    } else {
        uv_unref((uv_handle_t *)&poll->uv);
    }
}

static void on_closed(uv_handle_t *uv)
{
    free(uv->data);
}

void px_poll_free(struct px_poll *poll)
{
    if (poll) {
        uv_close((uv_handle_t *)&poll->uv, on_closed);
    }
}
