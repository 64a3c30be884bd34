#pragma once

// What the files that make up a Lua state share.

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "pool.h"
#include "px/buf.h"
#include "px/vm.h"

struct run;

struct px_task {
    struct px_vm *vm;
    lua_State *co;
    int ref;  ///< Anchors `co` in the registry.
    int nargs;
    struct px_op *op;    ///< What the task waits for, NULL while it runs.
    bool aside;          ///< No client waits for it.
    bool canceled;       ///< Canceled while it ran; ends when it next waits or returns.
    bool preempted;      ///< The hook made it give way; it goes on by itself.
    const char *doomed;  ///< Why it must end, or NULL.
    char place[96];      ///< File and line where that was noticed, with a colon.
    uint64_t slice_ns;   ///< When it was resumed.
    uint64_t cpu_ns;     ///< Processor time when its slice was over, if it could not give way.
    unsigned slices;     ///< Slices used up since it last waited.
    unsigned max_slices;
    size_t charged;  ///< Bytes by which it has made the state grow.
    size_t share;
    struct px_task *next_ready;
    struct px_task *prev, *next;
    void (*on_end)(void *user, const struct px_error *error);
    void *user;
};

struct px_vm {
    lua_State *L;
    struct px_vm_conf conf;
    struct px_task *running;
    struct px_task *ready, **ready_tail;
    size_t ready_count;
    struct px_defer defer;  ///< Queued while a task is ready.
    struct px_task *all;
    size_t tasks;
    struct run *runs;  ///< Requests that are being answered.
    size_t run_count;
    struct px_pool pool;
    size_t used;           ///< Bytes that the state holds.
    size_t base;           ///< Of them, after loading.
    size_t media;          ///< Transfers of px.transfer.fetch_all() that run.
    uint64_t load_end_ns;  ///< While loading: when it must be done.
    unsigned nesting;      ///< Coroutines of scripts inside each other.
    int handle_ref, failed_ref, done_ref;
    uint64_t id_seed;
    struct px_buf scratch;  ///< For text on its way; valid until Lua runs again.
};

/// Something a task waits for. Embed it first in a struct of your own.
struct px_op {
    /// Stops the work and frees the op. The task is not woken.
    void (*cancel)(struct px_op *op);
    /// Pushes the results, frees the op, returns how many values were pushed. If it raises (before
    /// the op is freed), cancel() is called.
    int (*finish)(struct px_op *op, lua_State *L);
    struct px_task *task;  ///< Set by px_task_await().
};

struct px_vm *px_vm_of(lua_State *L);

/// Sets up the queue of tasks.
void px_task_init(struct px_vm *vm);

/// Returns the running task, or raises if it cannot wait here: outside a task, inside a coroutine
/// of the script's own, or below a C function such as table.sort. Call it before starting the work.
struct px_task *px_task_check(lua_State *L);

/// Suspends the task until px_op_done(op). Never raises. Use as `return px_task_await(task, op)`.
int px_task_await(struct px_task *task, struct px_op *op);

/// Reports that the work is done. Safe from any callback: the task runs later.
void px_op_done(struct px_op *op);

/// Pushes a function and its arguments on a fresh coroutine's stack, in a protected call. Returns
/// how many arguments were pushed.
typedef int (*px_task_push_fn)(lua_State *L, lua_State *co, void *user);

struct px_task_conf {
    px_task_push_fn push;
    void (*on_end)(void *user, const struct px_error *error);
    void *user;         ///< For both.
    size_t body_bytes;  ///< Of the request it serves: raises its limits.
    bool aside;         ///< No client waits for it: px_vm_stop() ends it at once.
};

/// Starts a task. It first runs from the top of the loop, not from inside this call.
PX_CHECK enum px_status px_task_start(struct px_vm *vm, const struct px_task_conf *conf,
                                      struct px_task **out, struct px_error *err);

/// Ends the task: what it waits for is stopped, its code never runs again, `on_end` is told
/// PX_ECANCELED. A running task is only marked; it ends as soon as it waits or returns.
void px_task_cancel(struct px_task *task);

/// Text of the error value on top, without allocating.
const char *px_lua_error_text(lua_State *L);

// -- guard.c: what a script may use up --------------------------------------------------------

/// Raises the limits of a task that has so many more bytes to deal with.
void px_guard_allow(struct px_task *task, size_t bytes);

void *px_guard_alloc(void *user, void *ptr, size_t old_size, size_t new_size);
void px_guard_arm(struct px_vm *vm);
void px_guard_doom(struct px_task *task, const char *why);

// -- sandbox.c ------------------------------------------------------------------------------------

/// Opens the libraries that scripts may use, and require() over the bundle.
void px_sandbox_open(lua_State *L, struct px_vm *vm);

/// Loads one file of the bundle as a function on the stack, or raises.
void px_sandbox_load(lua_State *L, const struct px_bundle_file *file);

// -- Parts of px, each a module that its function leaves on the stack
// ---------------------------------

void px_lua_open_cache(lua_State *L);
void px_lua_open_core(lua_State *L);
void px_lua_open_vector(lua_State *L);
void px_lua_open_fetch(lua_State *L);

/// Adds fetch_all() to the module on top of the stack.
void px_lua_add_media(lua_State *L);

void px_lua_open_crypto(lua_State *L);
void px_lua_open_body(lua_State *L);
void px_lua_open_run(lua_State *L);

// -- run.c: one request answered by Lua
// ---------------------------------------------------------------

/// Ends all runs: clients get an error.
void px_run_stop_all(struct px_vm *vm);
