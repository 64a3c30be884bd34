// A round of the loop is one round of libuv: timers, deferred work (the idle handle), what must
// happen last (the prepare handle: connections send what the round queued), then the wait and the
// callbacks of what came. An active idle handle makes libuv's wait return at once, so it is active
// exactly while work is queued.

#include "px/loop.h"

#include <stdlib.h>

#include "inner.h"
#include "net.h"

static void on_idle(uv_idle_t *idle)
{
    struct px_loop *loop = idle->data;
    struct px_defer end = { .queued = true };
    *loop->last = &end;  // A mark: what is queued from here on waits for the next round.
    loop->last = &end.next;

    while (loop->first != &end) {
        struct px_defer *work = loop->first;
        loop->first = work->next;
        work->queued = false;
        work->fn(work->user);
    }
    loop->first = end.next;
    if (!loop->first) {
        loop->last = &loop->first;
        uv_idle_stop(idle);
    }
}

void px_loop_again(struct px_loop *loop)
{
    if (!uv_is_closing((uv_handle_t *)&loop->idle)) {
        uv_idle_start(&loop->idle, on_idle);
    }
}

void px_loop_defer(struct px_loop *loop, struct px_defer *work)
{
    if (work->queued) {
        return;
    }
    work->queued = true;
    work->next = NULL;
    *loop->last = work;
    loop->last = &work->next;
    px_loop_again(loop);
}

void px_loop_undefer(struct px_loop *loop, struct px_defer *work)
{
    if (!work->queued) {
        return;
    }
    for (struct px_defer **at = &loop->first; *at; at = &(*at)->next) {
        if (*at == work) {
            *at = work->next;
            if (loop->last == &work->next) {
                loop->last = at;
            }
            break;
        }
    }
    work->queued = false;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct px_loop *loop = prepare->data;
    atomic_fetch_add_explicit(&loop->beats, 1, memory_order_relaxed);
    px_net_flush(loop);
}

struct px_loop *px_loop_new(void)
{
    struct px_loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        return NULL;
    }
    loop->last = &loop->first;
    if (uv_loop_init(&loop->uv)) {
        free(loop);
        return NULL;
    }
    loop->uv.data = loop;
    loop->idle.data = loop->prepare.data = loop;
    uv_idle_init(&loop->uv, &loop->idle);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_unref((uv_handle_t *)&loop->prepare);
    px_timers_init(loop);
    if (px_mail_init(loop)) {
        px_loop_free(loop);
        return NULL;
    }
    return loop;
}

void px_loop_run(struct px_loop *loop)
{
    loop->stopped = false;
    do {
        if (px_mail_waiting(loop)) {
            px_loop_defer(loop, &loop->mail.work);
        }
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    } while (!loop->stopped && px_mail_waiting(loop));
    px_net_flush(loop);
}

void px_loop_stop(struct px_loop *loop)
{
    loop->stopped = true;
    uv_stop(&loop->uv);
}

void px_loop_free(struct px_loop *loop)
{
    px_net_deinit(loop);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    px_timers_deinit(loop);
    px_mail_deinit(loop);
    // Handles that others closed this round go away in one turn, those closed by that in a second.
    for (int turn = 0; turn < 4; turn++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    if (uv_loop_close(&loop->uv)) {
        abort();  // A handle leaked: a bug in the caller, not a state to live with.
    }
    px_net_free(loop);
    free(loop);
}

const char *px_loop_library(void)
{
    return uv_version_string();
}

uint64_t px_loop_now(const struct px_loop *loop)
{
    return uv_now(&loop->uv);
}

uint64_t px_loop_beats(const struct px_loop *loop)
{
    return atomic_load_explicit(&loop->beats, memory_order_relaxed);
}
