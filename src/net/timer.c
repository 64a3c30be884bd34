// All timers of a loop share one uv_timer. It is armed for the earliest, lazily: a timer that goes
// away leaves it as it is, and it re-arms itself when it fires for nobody.

#include <stdlib.h>

#include "inner.h"
#include "px/clock.h"

static bool earlier(const struct timer_slot *a, const struct timer_slot *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void put(struct timers *timers, size_t at, struct timer_slot slot)
{
    timers->heap[at] = slot;
    slot.timer->slot = at + 1;
}

static void sift_up(struct timers *timers, size_t at, struct timer_slot slot)
{
    while (at > 0 && earlier(&slot, &timers->heap[(at - 1) / 2])) {
        put(timers, at, timers->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(timers, at, slot);
}

static void sift_down(struct timers *timers, size_t at, struct timer_slot slot)
{
    for (size_t child; (child = 2 * at + 1) < timers->len; at = child) {
        if (child + 1 < timers->len && earlier(&timers->heap[child + 1], &timers->heap[child])) {
            child++;
        }
        if (!earlier(&timers->heap[child], &slot)) {
            break;
        }
        put(timers, at, timers->heap[child]);
    }
    put(timers, at, slot);
}

/// Puts `slot` where place `at` is free.
static void settle(struct timers *timers, size_t at, struct timer_slot slot)
{
    if (at > 0 && earlier(&slot, &timers->heap[(at - 1) / 2])) {
        sift_up(timers, at, slot);
    } else {
        sift_down(timers, at, slot);
    }
}

static void take_out(struct timers *timers, struct px_timer *timer)
{
    size_t at = timer->slot - 1;
    timer->slot = 0;
    struct timer_slot moved = timers->heap[--timers->len];
    if (at < timers->len) {
        settle(timers, at, moved);
    }
}

static void on_fire(uv_timer_t *uv);

static void arm(struct px_loop *loop)
{
    struct timers *timers = &loop->timers;
    if (!timers->len) {
        uv_timer_stop(&timers->uv);
        timers->armed = UINT64_MAX;
        return;
    }
    uint64_t at = timers->heap[0].at;
    if (at < timers->armed) {
        uint64_t now = uv_now(&loop->uv);
        uv_timer_start(&timers->uv, on_fire, at > now ? at - now : 0, 0);
        timers->armed = at;
    }
}

/// Runs what is due. What is armed meanwhile waits for the next round, even if it is due at once:
/// libuv would fire a timer of zero that its own callback armed again and again without a pause.
static void run_due(void *user)
{
    struct px_loop *loop = user;
    struct timers *timers = &loop->timers;
    uint64_t now = uv_now(&loop->uv);
    uint64_t seq = timers->seq;
    timers->armed = 0;  // Arms nothing before this is over.

    while (timers->len && timers->heap[0].at <= now && timers->heap[0].seq < seq) {
        struct px_timer *timer = timers->heap[0].timer;
        take_out(timers, timer);
        timer->fn(timer->user);
    }
    timers->armed = UINT64_MAX;
    if (timers->len && timers->heap[0].at <= now) {
        px_loop_defer(loop, &timers->overdue);
    } else {
        arm(loop);
    }
}

static void on_fire(uv_timer_t *uv)
{
    run_due(uv->data);
}

static bool grow(struct timers *timers)
{
    if (timers->len < timers->cap) {
        return true;
    }
    size_t cap = timers->cap ? timers->cap * 2 : 64;
    struct timer_slot *heap = realloc(timers->heap, cap * sizeof(*heap));
    if (!heap) {
        return false;
    }
    timers->heap = heap;
    timers->cap = cap;
    return true;
}

enum px_status px_timer_start(struct px_loop *loop, struct px_timer *timer, uint64_t ms)
{
    struct timers *timers = &loop->timers;
    // The loop's own time may be older than this round's work: a timer must not be early by that.
    uint64_t now = px_clock_ms();
    uint64_t at = ms < UINT64_MAX - now ? now + ms : UINT64_MAX - 1;
    struct timer_slot slot = { at, timers->seq, timer };

    if (timer->slot) {
        timer->at = at;
        settle(timers, timer->slot - 1, slot);
    } else {
        if (!grow(timers)) {
            return PX_ENOMEM;
        }
        timer->at = at;
        sift_up(timers, timers->len++, slot);
    }
    timers->seq++;
    arm(loop);
    return PX_OK;
}

void px_timer_stop(struct px_loop *loop, struct px_timer *timer)
{
    if (timer->slot) {
        take_out(&loop->timers, timer);
        if (!loop->timers.len) {
            arm(loop);
        }
    }
}

int px_timers_init(struct px_loop *loop)
{
    loop->timers.uv.data = loop;
    loop->timers.armed = UINT64_MAX;
    loop->timers.overdue = (struct px_defer){ .fn = run_due, .user = loop };
    return uv_timer_init(&loop->uv, &loop->timers.uv);
}

void px_timers_deinit(struct px_loop *loop)
{
    uv_close((uv_handle_t *)&loop->timers.uv, NULL);
    free(loop->timers.heap);
    loop->timers.heap = NULL;
    loop->timers.len = loop->timers.cap = 0;
}
