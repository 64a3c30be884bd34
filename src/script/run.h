#pragma once

// One request as Lua answers it: the exchange with its client, the reply of its upstream, and the
// task that drives both.
//
// A script may keep `ex` for longer than the request lives. So the userdata holds a pointer that C
// clears when the request is over; every method of a kept `ex` then raises.

#include "body.h"
#include "px/reply.h"
#include "vm_private.h"

#define RUN_TYPE "px.exchange"
#define RUN_TAPS PX_RELAY_TAPS

enum run_wait { RUN_HEAD, RUN_EVENT, RUN_BODY, RUN_RELAY, RUN_DRAIN };

/// What the task waits for; there is one wait at a time.
struct run_op {
    struct px_op op;
    struct px_timer timer;
    enum run_wait what;
    bool active;
    uint64_t until_ms;  ///< When it gives up; 0: never.
};

struct run {
    struct px_vm *vm;
    struct px_exchange *ex;  ///< NULL once the exchange is over (its `done` rules may still run).
    struct px_task *task;
    struct px_reply *reply;
    struct run **box;  ///< The userdata; kept by `box_ref`.
    int box_ref, record_ref;
    struct body *bodies;
    struct run_op wait;
    bool failing;  ///< The task that tells the client of a failure is running.
    char failure[240];
    char taps[RUN_TAPS][32];
    const char *tap[RUN_TAPS];
    size_t tap_count;
    struct run *prev, *next;
};

/// The run of the `ex` at argument 1; raises when its request is over.
struct run *px_run_check(lua_State *L);

/// The same for what waits or changes the answer: the request's own task alone may call that.
struct run *px_run_check_own(lua_State *L);

/// Starts to wait; use as `return px_run_await(...)`. `ms` 0: as long as it takes.
int px_run_await(lua_State *L, struct run *run, enum run_wait what, uint64_t ms);

/// Wakes the run (a px_fn).
void px_run_wake(void *user);

/// Cancels and frees the reply, if there is one.
void px_run_drop_reply(struct run *run);

/// Pushes what send() gives when the client's upload breaks off.
int px_run_push_upload_failure(lua_State *L, const struct px_source *upload);

/// Lua's side of an upload: methods that are added to the table on top.
void px_run_add_upload_methods(lua_State *L);

/// Lua's side of a reply: methods that are added to the table on top.
void px_run_add_reply_methods(lua_State *L);
