#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/status.h"

/// Event loop of one thread. Everything hung on it runs on that thread; only px_post() may be
/// called from another one.
struct px_loop;

typedef void (*px_fn)(void *user);

struct px_loop *px_loop_new(void);

/// Runs until px_loop_stop(), or until nothing is left that could wake it. The mailbox does not
/// count as such (see px_loop_keep()), but what waits in it still runs.
void px_loop_run(struct px_loop *loop);

/// Makes px_loop_run() go on for the sake of px_post() alone, or no longer so.
void px_loop_keep(struct px_loop *loop, bool on);

/// Makes px_loop_run() return after the current round.
void px_loop_stop(struct px_loop *loop);

/// Frees a loop on which nothing hangs any more; aborts on a leaked handle, which is a bug.
void px_loop_free(struct px_loop *loop);

/// Version of the library below, for people.
const char *px_loop_library(void);

/// Milliseconds of the monotonic clock, read once a round.
uint64_t px_loop_now(const struct px_loop *loop);

/// Rounds run so far: the watchdog's heartbeat. May be read from any thread.
uint64_t px_loop_beats(const struct px_loop *loop);

/// A piece of work for the top of the loop. Embed it, set `fn` and `user`; the rest is the loop's.
struct px_defer {
    px_fn fn;
    void *user;
    struct px_defer *next;
    bool queued;
};

/// Calls `work->fn` once, from the top of the loop, never from inside another callback, and before
/// the loop waits again. Work runs in the order it came; what it queues in turn waits for the next
/// round. Queued already: no effect.
void px_loop_defer(struct px_loop *loop, struct px_defer *work);

/// Takes the work back. Call it before the memory that holds `work` goes away.
void px_loop_undefer(struct px_loop *loop, struct px_defer *work);

/// A one-shot timer. Embed it, set `fn` and `user`; the rest is the loop's. Arming and disarming
/// costs a step in a heap of the loop's own and no system call.
struct px_timer {
    px_fn fn;
    void *user;
    uint64_t at;  ///< When it fires, in px_loop_now()'s time.
    size_t slot;  ///< Place in the heap plus one; 0 while not armed.
};

/// Arms the timer to fire once `ms` from now; armed already: moves it. PX_ENOMEM leaves it as it
/// was.
PX_CHECK enum px_status px_timer_start(struct px_loop *loop, struct px_timer *timer, uint64_t ms);

/// Disarms the timer: `fn` will not run. Not armed: no effect. Call it before its memory goes away.
void px_timer_stop(struct px_loop *loop, struct px_timer *timer);

/// Queues `fn(user)` to run on the loop's thread, from the top of the loop. Safe from every thread
/// and in any order of threads' lives, as long as the loop lives; px_loop_free() drops what waits.
/// PX_ETOOBIG when 4,096 messages wait already.
PX_CHECK enum px_status px_post(struct px_loop *loop, px_fn fn, void *user);

/// The same for messages that must not be lost (a hand-over, a stop): never full; PX_ENOMEM only.
PX_CHECK enum px_status px_post_sure(struct px_loop *loop, px_fn fn, void *user);
