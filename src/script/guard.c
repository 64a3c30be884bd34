// What a script may use up: time and memory.
//
// A count hook looks at the clock every 1,000 instructions. A task that has run for 2 ms gives way,
// so that others on the loop go on; one that has used up its slices between two waits is doomed.
// Inside a C callback or a coroutine of the script's own it cannot give way, so there its processor
// time is measured and it can only be ended. A doomed task gets an error at every instruction: no
// pcall of its own catches them all.
//
// Memory is charged to the task that makes the state grow. Garbage is collected while any task
// runs, so a charge is only an upper bound: it counts when the state as a whole has grown by as
// much.

#include <stdio.h>
#include <stdlib.h>

#include "px/clock.h"
#include "px/log.h"
#include "vm_private.h"

#define HOOK_EVERY 1000
#define SLICE_NS 2000000u
#define STATE_LIMIT ((size_t)1 << 30)

static void on_count(lua_State *L, lua_Debug *ar);

void px_guard_arm(struct px_vm *vm)
{
    lua_sethook(vm->L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
}

void px_guard_allow(struct px_task *task, size_t bytes)
{
    task->max_slices += (unsigned)((bytes >> 10) * 250 >> 10);  // 500 ms for each MiB.
    task->share += 6 * bytes;
}

void px_guard_doom(struct px_task *task, const char *why)
{
    if (!task->doomed) {
        task->doomed = why;
    }
}

/// A slice is over where the task cannot give way: only its processor time counts.
static void check_stuck(struct px_task *task)
{
    uint64_t cpu = px_clock_cpu_ns();
    if (!task->cpu_ns) {
        task->cpu_ns = cpu;
    }
    if (cpu - task->cpu_ns > (uint64_t)(task->max_slices - task->slices) * SLICE_NS) {
        px_guard_doom(task, "the script ran for too long without waiting");
    }
}

/// Notes where a doomed task is, once: what it runs later is its own unwinding.
static void note_place(lua_State *L, lua_Debug *ar, struct px_task *task)
{
    if (!task->place[0] && lua_getinfo(L, "Sl", ar)) {
        snprintf(task->place, sizeof(task->place), "%s:%d: ", ar->short_src, ar->currentline);
    }
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct px_vm *vm = px_vm_of(L);
    struct px_task *task = vm->running;
    if (!task) {
        if (vm->load_end_ns && px_clock_ns() > vm->load_end_ns) {
            luaL_where(L, 0);
            lua_pushliteral(L, "loading takes too long");
            lua_concat(L, 2);
            lua_error(L);
        }
        return;
    }
    if (!task->doomed && px_clock_ns() - task->slice_ns >= SLICE_NS) {
        bool free_to_yield = L == task->co && lua_isyieldable(L);
        if (!free_to_yield) {
            check_stuck(task);
        } else if (++task->slices > task->max_slices) {
            px_guard_doom(task, "the script ran for too long without waiting");
        } else {
            task->preempted = true;
            lua_yield(L, 0);
            return;
        }
    }
    if (task->doomed) {
        note_place(L, ar, task);
        lua_sethook(task->co, on_count, LUA_MASKCOUNT, 1);
        luaL_error(L, "%s", task->doomed);
    }
}

/// Tells whether the state may grow by `more` while `task` runs.
static bool may_grow(struct px_vm *vm, struct px_task *task, size_t more)
{
    if (vm->used + more > STATE_LIMIT) {
        return false;
    }
    if (!task || task->charged + more <= task->share) {
        return true;
    }
    size_t grown = vm->used > vm->base ? vm->used - vm->base : 0;
    if (grown + more <= task->share) {
        task->charged = grown;
        return true;
    }
    if (!task->doomed) {
        task->doomed = "the script took too much memory";
    }
    return false;
}

void *px_guard_alloc(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct px_vm *vm = user;
    struct px_task *task = vm->running;
    if (!new_size) {
        px_pool_realloc(&vm->pool, ptr, old_size, 0);
        vm->used -= ptr ? old_size : 0;
        if (task && ptr) {
            task->charged -= task->charged < old_size ? task->charged : old_size;
        }
        return NULL;
    }
    old_size = ptr ? old_size : 0;
    if (new_size > old_size && !may_grow(vm, task, new_size - old_size)) {
        return NULL;
    }
    void *fresh = px_pool_realloc(&vm->pool, ptr, old_size, new_size);
    if (!fresh) {
        return NULL;
    }
    vm->used += new_size - old_size;
    if (task && new_size > old_size) {
        task->charged += new_size - old_size;
    }
    return fresh;
}
