#include "px/signal.h"

#include <stdlib.h>

#include "inner.h"

struct px_signal {
    uv_signal_t uv;
    px_fn fn;
    void *user;
};

static void on_signal(uv_signal_t *uv, int signum)
{
    (void)signum;
    struct px_signal *handler = uv->data;
    handler->fn(handler->user);
}

static void on_closed(uv_handle_t *uv)
{
    free(uv->data);
}

struct px_signal *px_signal_new(struct px_loop *loop, int signum, px_fn fn, void *user)
{
    struct px_signal *handler = calloc(1, sizeof(*handler));
    if (!handler) {
        return NULL;
    }
    if (uv_signal_init(&loop->uv, &handler->uv)) {
        free(handler);
        return NULL;
    }
    handler->uv.data = handler;
    handler->fn = fn;
    handler->user = user;
    if (uv_signal_start(&handler->uv, on_signal, signum)) {
        uv_close((uv_handle_t *)&handler->uv, on_closed);
        return NULL;
    }
    return handler;
}

void px_signal_free(struct px_signal *handler)
{
    if (handler) {
        uv_close((uv_handle_t *)&handler->uv, on_closed);
    }
}
