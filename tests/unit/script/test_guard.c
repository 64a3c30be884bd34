// What a script may use up. In each test another task must get its turns, and the state must stay
// of use.

#include "vm_test.h"

/// Longer than any limit of a script on a busy machine, and far below the watchdog's patience.
#define BOUND_MS 5000

#define TOO_LONG "the script ran for too long without waiting"
#define TOO_MUCH "the script took too much memory"

static const char TICKER[] = "local core, note = require('px.core'), require('note')\n"
                             "for i = 1, 3 do core.sleep(0.001) end\n"
                             "note('ticked')\n";

/// Runs `code` beside a task that only waits, and returns the error that ended it.
static const char *outlive(struct world *world, const char *code)
{
    static char text[300];
    struct job bad, ticker;
    uint64_t start = px_clock_ms();
    world->notes[0] = '\0';
    job_start(&bad, world, code);
    job_start(&ticker, world, TICKER);
    world_run(world);
    if (px_clock_ms() - start >= BOUND_MS) {
        fail_msg("%s: took %d ms, ended by: %s", code, (int)(px_clock_ms() - start),
                 bad.error.text);
    }
    assert_int_equal(ticker.error.status, PX_OK);
    assert_string_equal(world->notes, "[ticked]");
    snprintf(text, sizeof(text), "%s", bad.error.text);
    assert_string_equal(run_code(world, "local t = {}\nfor i = 1, 1e4 do t[i] = i end"), "");
    return text;
}

static void test_endless_code_is_ended(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "while true do end",
        "while true do pcall(error) end",
        "while true do pcall(error, 'x') end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return f() end f()",
        "string.gsub('x', 'x', function() while true do end end)",
        "table.sort({ 3, 2, 1 }, function() while true do end end)",
        "coroutine.wrap(function() while true do end end)()",
        "coroutine.wrap(function() while true do pcall(error) end end)()",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "xpcall(error, function() while true do end end)",
        "xpcall(function() while true do end end, function() while true do end end)",
        "local t = setmetatable({}, { __index = function() while true do end end }) return t.x",
        "for _ in function() return 1 end do end",
        "repeat local ok = pcall(string.rep) until ok",
        "load('while true do end')()",
        "tostring(setmetatable({}, { __tostring = function() while true do end end }))",
        "table.move({}, 1, 1e14, 2, {})",
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        const char *text = outlive(&world, codes[i]);
        if (!strstr(text, TOO_LONG)) {
            fail_msg("%s: \"%s\"", codes[i], text);
        }
    }
    world_close(&world);
}

static void test_a_long_script_gives_way_and_has_its_time_again_after_a_wait(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    const char *text = outlive(&world, "local core = require('px.core')\n"
                                       "for round = 1, 6 do\n"
                                       "  local stop = core.clock() + 0.02\n"
                                       "  while core.clock() < stop do end\n"
                                       "  core.sleep(0)\n"
                                       "end\n");
    assert_string_equal(text, "");
    world_close(&world);
}

static void test_hoarded_memory_ends_its_task(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "return string.rep('x', 1e9)",
        "while true do pcall(string.rep, 'x', 1e9) end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local t = {} for i = 1, 1e9 do t[i] = { i } end",
        "local t = {} for i = 1, 1e9 do t[#t + 1] = ('x'):rep(1e5) .. i end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e6) .. #t end) end",
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        const char *text = outlive(&world, codes[i]);
        if (!strstr(text, TOO_MUCH) && !strstr(text, "not enough memory") &&
            !strstr(text, TOO_LONG)) {
            fail_msg("%s: \"%s\"", codes[i], text);
        }
        assert_true(px_vm_bytes(world.vm) < (64u << 20));
    }
    world_close(&world);
}

static void test_garbage_is_not_hoarding(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(outlive(&world, "local core = require('px.core')\n"
                                        "for i = 1, 300 do\n"
                                        "  local s = ('x'):rep(2e5) .. i\n"
                                        "  if i % 10 == 0 then core.sleep(0) end\n"
                                        "end\n"),
                        "");
    world_close(&world);
}

static void test_deep_calls_end_in_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *code, *error;
    } cases[] = {
        { "local function f() return 1 + f() end f()", "stack overflow" },
        { "local function f() coroutine.wrap(f)() end f()", "nested too deep" },
        { "local function f() assert(coroutine.resume(coroutine.create(f))) end f()", "" },
        { "local function f() string.gsub('x', 'x', f) end f()", "" },
        { "local function f() table.sort({ 3, 2, 1 }, f) end f()", "" },
        { "local function f() pcall(f) error('x') end f()", "" },
        { "local mt = {} mt.__tostring = function(t) return tostring(t) end\n"
          "tostring(setmetatable({}, mt))",
          "" },
        { "local mt = {} mt.__tostring = function(t) return ('%s'):format(t) end\n"
          "tostring(setmetatable({}, mt))",
          "" },
        { "local t = {} setmetatable(t, { __index = function(_, k) return t[k .. 'x'] end })\n"
          "return t.a",
          "" },
        { "local s = ('('):rep(1e5) .. (')'):rep(1e5) error(select(2, load('return ' .. s)), 0)",
          "" },
        { "local s = ('{'):rep(1e5) .. ('}'):rep(1e5) error(select(2, load('return ' .. s)), 0)",
          "" },
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *text = outlive(&world, cases[i].code);
        if (!*text || !strstr(text, cases[i].error)) {
            fail_msg("%s: \"%s\"", cases[i].code, text);
        }
    }
    world_close(&world);
}

static void test_coroutines_may_be_used_one_after_the_other(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(
        run_code(&world, "for i = 1, 1000 do\n"
                         "  local step = coroutine.wrap(function(a)\n"
                         "    local b = coroutine.yield(a + 1)\n"
                         "    return a + b, 'x'\n"
                         "  end)\n"
                         "  assert(step(1) == 2)\n"
                         "  local sum, x = step(5)\n"
                         "  assert(sum == 6 and x == 'x')\n"
                         "end\n"
                         "local failing = coroutine.wrap(function() error('e', 0) end)\n"
                         "local ok, e = pcall(failing)\n"
                         "assert(not ok and e == 'e')\n"
                         "assert(not pcall(failing))\n"
                         "local ok2, e2 = xpcall(error, function(m) return m .. '!' end, 'm')\n"
                         "assert(not ok2 and e2 == 'm!')\n"),
        "");
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endless_code_is_ended),
        cmocka_unit_test(test_a_long_script_gives_way_and_has_its_time_again_after_a_wait),
        cmocka_unit_test(test_hoarded_memory_ends_its_task),
        cmocka_unit_test(test_garbage_is_not_hoarding),
        cmocka_unit_test(test_deep_calls_end_in_an_error),
        cmocka_unit_test(test_coroutines_may_be_used_one_after_the_other),
    };
    return cmocka_run_group_tests_name("script/guard", tests, NULL, NULL);
}
