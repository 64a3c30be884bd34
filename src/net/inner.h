#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "px/loop.h"

/// What the files of this folder know about a loop.

/// One armed timer. Its time is repeated here so that ordering the heap does not touch the timer.
struct timer_slot {
    uint64_t at;
    uint64_t seq;  ///< Timers of the same millisecond fire in the order they were armed.
    struct px_timer *timer;
};

struct timers {
    struct timer_slot *heap;  ///< Binary heap, the earliest first.
    size_t len, cap;
    uint64_t seq;
    uint64_t armed;  ///< When `uv` fires; UINT64_MAX while it is stopped.
    uv_timer_t uv;
    struct px_defer overdue;
};

struct message {
    px_fn fn;
    void *user;
    struct message *next;
};

/// Messages from other threads.
struct mailbox {
    pthread_mutex_t mutex;
    struct message *first, **last;
    size_t count;
    uv_async_t async;
    struct px_defer work;  ///< Messages run from the top of the loop, like everything.
};

struct px_net;

struct px_loop {
    uv_loop_t uv;
    uv_idle_t idle;                  ///< Runs deferred work; active while there is some.
    uv_prepare_t prepare;            ///< The last thing before the loop waits.
    struct px_defer *first, **last;  ///< Deferred work, oldest first.
    bool stopped;
    atomic_uint_fast64_t beats;
    struct timers timers;
    struct mailbox mail;
    struct px_net *net;  ///< Connections; made by the first listener.
};

int px_timers_init(struct px_loop *loop);
void px_timers_deinit(struct px_loop *loop);

int px_mail_init(struct px_loop *loop);
void px_mail_deinit(struct px_loop *loop);

/// True while messages wait. They do not keep the loop alive by themselves.
bool px_mail_waiting(struct px_loop *loop);

/// Keeps the loop from waiting in this round, and alive until the next.
void px_loop_again(struct px_loop *loop);
