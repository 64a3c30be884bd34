#pragma once

// What the tests of this folder share: a state over a bundle that the test composes, and code that
// runs in it as a task on a real loop. The shipped scripts are replaced by a `main` that does
// nothing.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embed.h"
#include "px/clock.h"
#include "vm_private.h"

#define WORLD __attribute__((unused)) static

#ifndef MAIN_LUA
#define MAIN_LUA                                                                                   \
    "local M = {}\n"                                                                               \
    "function M.handle() end\n"                                                                    \
    "function M.failed() end\n"                                                                    \
    "function M.done() end\n"                                                                      \
    "function M.loaded() end\n"                                                                    \
    "function M.rules(path, fn) fn(path) end\n"                                                    \
    "return M\n"
#endif

static const char main_lua[] = MAIN_LUA;
static const char helper_lua[] = "return { who = 'shipped' }\n";

const struct px_embedded px_embedded_files[] = {
    { "main", "lua/main.lua", main_lua, sizeof(main_lua) - 1 },
    { "provider.helper", "lua/provider/helper.lua", helper_lua, sizeof(helper_lua) - 1 },
};
const size_t px_embedded_count = sizeof(px_embedded_files) / sizeof(*px_embedded_files);

/// A folder of scripts that the test writes.
struct folder {
    char path[64];
    char *files[8];
    size_t count;
};

WORLD void folder_open(struct folder *folder)
{
    *folder = (struct folder){ .path = "/tmp/px_script_XXXXXX" };
    assert_non_null(mkdtemp(folder->path));
}

/// Adds a file; its folders are made.
WORLD void folder_add(struct folder *folder, const char *name, const char *text)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder->path, name) > 0);
    folder->files[folder->count++] = path;
    for (char *at = path + strlen(folder->path) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite(text, 1, strlen(text), file);
    fclose(file);
}

WORLD void folder_close(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        unlink(folder->files[i]);
    }
    for (size_t i = 0; i < folder->count; i++) {
        for (char *at; (at = strrchr(folder->files[i], '/')) &&
                       (size_t)(at - folder->files[i]) > strlen(folder->path);) {
            *at = '\0';
            rmdir(folder->files[i]);
        }
        free(folder->files[i]);
    }
    rmdir(folder->path);
}

/// One state on a loop, and what the code in it noted.
struct world {
    struct px_loop *loop;
    struct px_bundle *bundle;
    struct px_counters *counters;
    struct px_vm *vm;
    char notes[8192];
    size_t left;  ///< Tasks that world_run() waits for.
};

static struct world *world_now;

static int l_note(lua_State *L)
{
    size_t at = strlen(world_now->notes);
    snprintf(world_now->notes + at, sizeof(world_now->notes) - at, "[%s]", luaL_checkstring(L, 1));
    return 0;
}

static int add_note(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "px.loaded");
    lua_pushcfunction(L, l_note);
    lua_setfield(L, -2, "note");
    return 0;
}

WORLD void world_open_with(struct world *world, const char *scripts, struct px_vm_conf conf)
{
    struct px_error err = { PX_OK, "" };
    *world = (struct world){ .loop = px_loop_new(), .counters = px_counters_new() };
    assert_int_equal(px_bundle_read(scripts, &world->bundle, &err), PX_OK);
    conf.loop = world->loop;
    conf.bundle = world->bundle;
    conf.counters = world->counters;
    conf.config = PX_STR("{}");
    if (px_vm_new(&conf, &world->vm, &err)) {
        fail_msg("%s", err.text);
    }
    world_now = world;
    assert_int_equal(lua_cpcall(world->vm->L, add_note, NULL), 0);
}

WORLD void world_open(struct world *world)
{
    world_open_with(world, NULL, (struct px_vm_conf){ 0 });
}

WORLD void world_close(struct world *world)
{
    px_vm_free(world->vm);
    px_bundle_drop(world->bundle);
    px_counters_free(world->counters);
    px_loop_free(world->loop);
}

/// One piece of code that runs as a task.
struct job {
    struct world *world;
    const char *code;
    struct px_task *task;
    bool ended;
    struct px_error error;  ///< PX_OK when it returned.
};

WORLD int push_job(lua_State *L, lua_State *co, void *user)
{
    struct job *job = user;
    if (luaL_loadbuffer(L, job->code, strlen(job->code), "=job")) {
        lua_error(L);
    }
    lua_xmove(L, co, 1);
    return 0;
}

WORLD void on_job_end(void *user, const struct px_error *error)
{
    struct job *job = user;
    job->ended = true;
    job->task = NULL;
    job->error = error ? *error : (struct px_error){ PX_OK, "" };
    if (--job->world->left == 0) {
        px_loop_stop(job->world->loop);
    }
}

WORLD void job_start(struct job *job, struct world *world, const char *code)
{
    *job = (struct job){ .world = world, .code = code };
    struct px_task_conf conf = { .push = push_job, .on_end = on_job_end, .user = job };
    struct px_error err = { PX_OK, "" };
    world->left++;
    if (px_task_start(world->vm, &conf, &job->task, &err)) {
        fail_msg("%s", err.text);
    }
    assert_false(job->ended);
}

/// Runs until all jobs have ended.
WORLD void world_run(struct world *world)
{
    alarm(60);
    px_loop_run(world->loop);
    alarm(0);
    assert_int_equal(world->left, 0);
}

WORLD void stop_world(void *user)
{
    px_loop_stop(((struct world *)user)->loop);
}

/// Lets the loop run for a moment.
WORLD void world_turn(struct world *world, uint64_t ms)
{
    struct px_timer timer = { .fn = stop_world, .user = world };
    assert_int_equal(px_timer_start(world->loop, &timer, ms), PX_OK);
    alarm(60);
    px_loop_run(world->loop);
    alarm(0);
    px_timer_stop(world->loop, &timer);
}

/// Runs one piece of code to its end. The result is its error's text, "" for none.
WORLD const char *run_code(struct world *world, const char *code)
{
    static char text[300];
    struct job job;
    job_start(&job, world, code);
    world_run(world);
    snprintf(text, sizeof(text), "%s", job.error.text);
    return text;
}

WORLD void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}
