#include "px/watch.h"

#include <stdlib.h>

#include "inner.h"

struct px_watch {
    uv_fs_event_t uv;
    struct px_loop *loop;
    struct px_defer work;  ///< Makes one call of all that came in a round.
    px_fn fn;
    void *user;
};

static void on_event(uv_fs_event_t *uv, const char *name, int events, int status)
{
    (void)name, (void)events, (void)status;
    struct px_watch *watch = uv->data;
    px_loop_defer(watch->loop, &watch->work);
}

static void tell(void *user)
{
    struct px_watch *watch = user;
    watch->fn(watch->user);
}

static void on_closed(uv_handle_t *uv)
{
    free(uv->data);
}

struct px_watch *px_watch_new(struct px_loop *loop, const char *dir, px_fn fn, void *user,
                              struct px_error *err)
{
    struct px_watch *watch = calloc(1, sizeof(*watch));
    if (!watch || uv_fs_event_init(&loop->uv, &watch->uv)) {
        free(watch);
        px_fail(err, PX_ENOMEM, "watch %s: out of memory", dir);
        return NULL;
    }
    watch->uv.data = watch;
    watch->loop = loop;
    watch->work = (struct px_defer){ .fn = tell, .user = watch };
    watch->fn = fn;
    watch->user = user;
    int rc = uv_fs_event_start(&watch->uv, on_event, dir, 0);
    if (rc) {
        px_fail(err, PX_EIO, "watch %s: %s", dir, uv_strerror(rc));
        px_watch_free(watch);
        return NULL;
    }
    return watch;
}

void px_watch_free(struct px_watch *watch)
{
    if (watch) {
        px_loop_undefer(watch->loop, &watch->work);
        uv_close((uv_handle_t *)&watch->uv, on_closed);
    }
}
