// Tasks: waiting, spawning, cancelling, failing.

#include "vm_test.h"

static void test_a_task_waits_and_others_go_on(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    struct job slow, fast;
    job_start(&slow, &world,
              "local core, note = require('px.core'), require('note')\n"
              "note('slow')\n"
              "note(tostring(core.sleep(0.02)))\n"
              "note('slow again')\n");
    job_start(&fast, &world, "require('note')('fast')");
    world_run(&world);
    assert_string_equal(world.notes, "[slow][fast][true][slow again]");
    assert_int_equal(slow.error.status, PX_OK);
    assert_int_equal(px_vm_busy(world.vm), 0);
    world_close(&world);
}

static void test_waiting_passes_pcall_metamethods_and_iterators(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(
        run_code(&world,
                 "local core, note = require('px.core'), require('note')\n"
                 "note(tostring(pcall(core.sleep, 0)))\n"
                 "local t = setmetatable({}, { __index = function() return core.sleep(0) end })\n"
                 "note(tostring(t.x))\n"
                 "for x in function(_, last) if not last then return core.sleep(0) end end do\n"
                 "  note('in ' .. tostring(x))\n"
                 "end\n"
                 "note(tostring(xpcall(core.sleep, print, 0)))\n"),
        "");
    assert_string_equal(world.notes, "[true][true][in true][true]");
    world_close(&world);
}

static void test_a_spawned_task_outlives_its_parent(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(run_code(&world, "local core, note = require('px.core'), require('note')\n"
                                         "core.spawn(function(a, b)\n"
                                         "  core.sleep(0.01)\n"
                                         "  note(a .. b)\n"
                                         "end, 'x', 'y')\n"
                                         "core.spawn(function() error('lost') end)\n"
                                         "note('parent')\n"),
                        "");
    assert_int_equal(px_vm_busy(world.vm), 2);
    px_loop_run(world.loop);
    assert_string_equal(world.notes, "[parent][xy]");
    assert_int_equal(px_vm_busy(world.vm), 0);
    world_close(&world);
}

static void test_what_spawn_takes_is_checked(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_contains(run_code(&world, "require('px.core').spawn(5)"), "function expected");
    assert_string_equal(run_code(&world,
                                 "local core, note = require('px.core'), require('note')\n"
                                 "core.spawn(function(...)\n"
                                 "  note(select('#', ...) .. select(15, ...))\n"
                                 "end, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 'z')\n"
                                 "core.sleep(0)\n"),
                        "");
    assert_contains(run_code(&world, "local t = {}\n"
                                     "for i = 1, 200 do t[i] = i end\n"
                                     "require('px.core').spawn(print, unpack(t))"),
                    "too many arguments");
    assert_string_equal(world.notes, "[15z]");
    world_close(&world);
}

static void test_more_than_10000_tasks_are_refused(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_contains(run_code(&world, "local core = require('px.core')\n"
                                     "local function wait() core.sleep(3600) end\n"
                                     "for i = 1, 10001 do\n  core.spawn(wait)\n  if i % 500 == 0 "
                                     "then core.sleep(0) end\nend\n"),
                    "too many tasks");
    assert_int_equal(px_vm_busy(world.vm), 9999);
    px_vm_kill(world.vm);
    assert_int_equal(px_vm_busy(world.vm), 0);
    world_close(&world);
}

static void test_errors_name_file_and_line_and_end_only_their_task(void **state)
{
    (void)state;
    static const struct {
        const char *code, *error;
    } cases[] = {
        { "\nerror('oh')", "job:2: oh" },
        { "local x = nil\nreturn x.y", "job:2: attempt to index local 'x'" },
        { "error({})", "not a string" },
        { "error()", "not a string" },
        { "error(5, 0)", "not a string" },
        { "coroutine.yield(1)", "may not call coroutine.yield" },
        { "require('px.core').sleep(-1)", "between 0 and 3600" },
        { "require('px.core').sleep(0/0)", "between 0 and 3600" },
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_contains(run_code(&world, cases[i].code), cases[i].error);
        assert_int_equal(px_vm_busy(world.vm), 0);
    }
    assert_string_equal(run_code(&world, "return 1"), "");
    world_close(&world);
}

static void test_a_canceled_task_never_runs_again(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    struct job waiting, fresh, other;
    job_start(&waiting, &world, "pcall(require('px.core').sleep, 3600)\nrequire('note')('woke')");
    job_start(&other, &world, "require('px.core').sleep(0.01)");
    world_turn(&world, 2);
    job_start(&fresh, &world, "require('note')('never')");
    px_task_cancel(fresh.task);
    px_task_cancel(waiting.task);
    assert_true(waiting.ended && fresh.ended);
    assert_int_equal(waiting.error.status, PX_ECANCELED);
    assert_int_equal(fresh.error.status, PX_ECANCELED);
    world_run(&world);
    assert_string_equal(world.notes, "");
    assert_int_equal(other.error.status, PX_OK);
    world_close(&world);
}

static struct job self_job;

static int l_cancel_self(lua_State *L)
{
    (void)L;
    px_task_cancel(self_job.task);
    return 0;
}

static int add_cancel(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "px.loaded");
    lua_pushcfunction(L, l_cancel_self);
    lua_setfield(L, -2, "cancel");
    return 0;
}

static void test_a_task_canceled_while_it_runs_ends_when_it_next_waits(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_int_equal(lua_cpcall(world.vm->L, add_cancel, NULL), 0);
    job_start(&self_job, &world,
              "require('cancel')()\n"
              "require('note')('still')\n"
              "require('px.core').sleep(0)\n"
              "require('note')('never')\n");
    world_run(&world);
    assert_int_equal(self_job.error.status, PX_ECANCELED);
    assert_string_equal(world.notes, "[still]");
    world_close(&world);
}

static void test_a_state_may_be_freed_while_tasks_wait(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(run_code(&world, "local core = require('px.core')\n"
                                         "for i = 1, 5 do core.spawn(core.sleep, 3600) end\n"
                                         "core.sleep(0)\n"),
                        "");
    assert_int_equal(px_vm_busy(world.vm), 5);
    world_close(&world);
}

static void test_a_stop_ends_tasks_that_no_client_waits_for(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(run_code(&world, "local core = require('px.core')\n"
                                         "for i = 1, 3 do\n"
                                         "  core.spawn(function()\n"
                                         "    while true do core.sleep(3600) end\n"
                                         "  end)\n"
                                         "end\n"),
                        "");
    assert_int_equal(px_vm_busy(world.vm), 3);
    px_vm_stop(world.vm);
    assert_int_equal(px_vm_busy(world.vm), 0);
    world_close(&world);
}

static void test_where_a_task_cannot_wait_it_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *code, *error;
    } cases[] = {
        { "coroutine.wrap(sleep)(0)", "must not be called inside coroutine.wrap/create" },
        { "local ok, e = coroutine.resume(coroutine.create(sleep), 0)\nerror(e, 0)",
          "must not be called inside coroutine.wrap/create" },
        { "table.sort({ 1, 2, 3 }, function() sleep(0) end)", "sort or gsub callback" },
        { "string.gsub('abc', '.', function() sleep(0) end)", "sort or gsub callback" },
        { "coroutine.wrap(function() require('px.core').spawn(sleep, 0) end)()",
          "must not be called inside coroutine.wrap/create" },
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char code[300];
        snprintf(code, sizeof(code), "local sleep = require('px.core').sleep;\n%s", cases[i].code);
        assert_contains(run_code(&world, code), cases[i].error);
    }
    world_close(&world);
}

static void test_counters_and_ids_come_from_scripts(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(run_code(&world, "local core = require('px.core')\n"
                                         "core.count('a_total{x=\"1\"}')\n"
                                         "core.count('a_total{x=\"1\"}', 4)\n"
                                         "local seen = {}\n"
                                         "for i = 1, 2000 do\n"
                                         "  local id = core.id()\n"
                                         "  assert(#id == 24 and id:match('^%w+$'), id)\n"
                                         "  assert(not seen[id])\n"
                                         "  seen[id] = true\n"
                                         "end\n"),
                        "");
    struct px_buf out = PX_BUF(4096);
    assert_int_equal(px_counters_print(world.counters, &out), PX_OK);
    assert_non_null(memmem(out.ptr, out.len, "a_total{x=\"1\"} 5\n", 17));
    px_buf_free(&out);
    assert_contains(run_code(&world, "require('px.core').count('x', -1)"), "at least 0");
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_waits_and_others_go_on),
        cmocka_unit_test(test_waiting_passes_pcall_metamethods_and_iterators),
        cmocka_unit_test(test_a_spawned_task_outlives_its_parent),
        cmocka_unit_test(test_what_spawn_takes_is_checked),
        cmocka_unit_test(test_more_than_10000_tasks_are_refused),
        cmocka_unit_test(test_errors_name_file_and_line_and_end_only_their_task),
        cmocka_unit_test(test_a_canceled_task_never_runs_again),
        cmocka_unit_test(test_a_task_canceled_while_it_runs_ends_when_it_next_waits),
        cmocka_unit_test(test_a_state_may_be_freed_while_tasks_wait),
        cmocka_unit_test(test_a_stop_ends_tasks_that_no_client_waits_for),
        cmocka_unit_test(test_where_a_task_cannot_wait_it_is_told),
        cmocka_unit_test(test_counters_and_ids_come_from_scripts),
    };
    return cmocka_run_group_tests_name("script/task", tests, NULL, NULL);
}
