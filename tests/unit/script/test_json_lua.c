#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

#include "failing.h"
#include "json_lua.h"
#include "px/json.h"

// What a script sees of px.json is tested by tests/lua/json_spec.lua, which runs here too; the rest
// is what only C can do: calling the codec, and running out of memory.

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static int open_json(lua_State *L)
{
    px_lua_open_json(L);
    return 1;
}

static lua_State *new_state(void)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_pushcfunction(L, open_json);
    assert_int_equal(lua_pcall(L, 0, 1, 0), 0);
    return L;
}

static void test_the_lua_spec_passes(void **state)
{
    (void)state;
    static const char code[] = "package.path = 'tests/lua/?.lua'\n"
                               "package.loaded['px.json'] = ...\n"
                               "local harness = require('harness')\n"
                               "harness.many = true\n"
                               "dofile('tests/lua/json_spec.lua')\n"
                               "return harness.totals()\n";
    lua_State *L = new_state();
    assert_int_equal(luaL_loadstring(L, code), 0);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) != 0) {
        fail_msg("%s", lua_tostring(L, -1));
    }
    assert_true(lua_toboolean(L, -1));
    lua_close(L);
}

static int decode_arg(lua_State *L)
{
    struct px_str text;
    text.ptr = lua_tolstring(L, 1, &text.len);
    px_lua_json_decode(L, text);
    return 1;
}

static void test_decode_pushes_one_value_or_raises(void **state)
{
    (void)state;
    lua_State *L = new_state();
    lua_settop(L, 0);
    px_lua_json_decode(L, PX_STR("{\"a\":[1,{\"b\":null}]}"));
    assert_int_equal(lua_gettop(L), 1);
    assert_true(lua_istable(L, 1));
    assert_int_equal(px_lua_json_try_decode(L, PX_STR("null")), 1);
    assert_true(px_lua_json_is_null(L, 2));
    assert_int_equal(px_lua_json_try_decode(L, PX_STR("{\"a\":[1,{\"b\":nul}]}")), 0);
    assert_int_equal(lua_gettop(L), 3);
    assert_string_equal(lua_tostring(L, 3), "JSON: byte 13: expected a value");
    assert_false(px_lua_json_is_null(L, 3));
    lua_pushcfunction(L, decode_arg);
    lua_pushliteral(L, "[1,");
    assert_int_equal(lua_pcall(L, 1, 0, 0), LUA_ERRRUN);
    assert_string_equal(lua_tostring(L, -1), "JSON: byte 3: expected a value");
    lua_close(L);
}

static void test_every_prefix_of_a_text_fails_and_leaves_the_stack_alone(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1.0,{\"b\":[]},\"\\u00e9\"],\"c\":{\"d\":1e5,\"e\":{}}}";
    lua_State *L = new_state();
    lua_settop(L, 0);
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        struct px_str part = { text, len };
        assert_int_equal(px_lua_json_try_decode(L, part), 0);
        assert_int_equal(lua_gettop(L), 1);
        lua_settop(L, 0);
    }
    lua_close(L);
}

static int encode_first(lua_State *L)
{
    px_lua_json_encode(L, 1, lua_touserdata(L, 2));
    return 0;
}

static void test_encode_appends_and_keeps_the_limit_of_its_buffer(void **state)
{
    (void)state;
    struct px_str text = PX_STR("{\"a\":[1.0,2],\"b\":\"x\\n\",\"c\":{\"d\":null}}");
    lua_State *L = new_state();
    lua_settop(L, 0);
    px_lua_json_decode(L, text);
    for (size_t limit = 1; limit <= text.len + 1; limit++) {
        struct px_buf out = PX_BUF(limit);
        assert_int_equal(px_buf_add(&out, PX_STR(":")), PX_OK);
        lua_pushcfunction(L, encode_first);
        lua_pushvalue(L, 1);
        lua_pushlightuserdata(L, &out);
        int failed = lua_pcall(L, 2, 0, 0);
        assert_int_equal(failed != 0, limit <= text.len);
        assert_true(out.len <= limit);
        if (failed) {
            assert_non_null(strstr(lua_tostring(L, -1), "the text grows beyond its limit"));
        } else {
            assert_memory_equal(out.ptr + 1, text.ptr, text.len);
        }
        lua_settop(L, 1);
        px_buf_free(&out);
    }
    lua_close(L);
}

static void test_a_light_userdata_that_is_not_null_is_refused(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(100);
    lua_State *L = new_state();
    lua_pushcfunction(L, encode_first);
    lua_pushlightuserdata(L, &out);
    lua_pushlightuserdata(L, &out);
    assert_int_equal(lua_pcall(L, 2, 0, 0), LUA_ERRRUN);
    assert_non_null(strstr(lua_tostring(L, -1), "this light userdata cannot be written"));
    px_buf_free(&out);
    lua_close(L);
}

static void test_a_state_without_the_module_raises(void **state)
{
    (void)state;
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    lua_pushcfunction(L, decode_arg);
    lua_pushliteral(L, "1");
    assert_int_equal(lua_pcall(L, 1, 0, 0), LUA_ERRRUN);
    lua_close(L);
}

// -- Running out of memory ------------------------------------------------------------------------

struct budget {
    long left;  // Allocations that still succeed; below 0 all do.
    size_t used;
};

// The allocator of a state, which grows or shrinks blocks and may refuse to grow.
static void *allocate(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct budget *budget = user;
    if (new_size > old_size && budget->left >= 0) {
        if (budget->left == 0) {
            return NULL;
        }
        budget->left--;
    }
    void *result = NULL;
    if (new_size == 0) {
        free(ptr);
    } else {
        result = __real_realloc(ptr, new_size);
        assert_non_null(result);
    }
    budget->used += new_size - old_size;
    return result;
}

static const char *const texts[] = {
    "{\"id\":\"x\",\"n\":1,\"c\":[{\"d\":{\"t\":\"a\\nb\"}},[],{}]}",
    "{\"a\":1.0,\"b\":[1e5,2],\"c\":12345678901234567890}",
    "[[[[{\"k\":{\"l\":{\"m\":[1,2,3,4,5,6,7,8,9]}}}]]]]",
};

// Takes a text to Lua and back, with a new member; the buffer is the second argument.
static int round_trip(lua_State *L)
{
    struct px_buf *out = lua_touserdata(L, 2);
    px_lua_json_decode(L, (struct px_str){ lua_tostring(L, 1), lua_objlen(L, 1) });
    px_lua_json_encode(L, -1, out);
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "new");
    px_lua_json_encode(L, -1, out);
    return 0;
}

static int run_text(lua_State *L, const char *text, struct px_buf *out)
{
    out->len = 0;
    lua_settop(L, 0);
    lua_pushcfunction(L, round_trip);
    lua_pushstring(L, text);
    lua_pushlightuserdata(L, out);
    return lua_pcall(L, 2, 0, 0);
}

// The budgets: Lua's own, or malloc's.
static void fail_each(const char *text, bool lua_memory)
{
    struct px_str all = { text, strlen(text) };
    struct px_buf out = PX_BUF(1000);
    long failures = 0;
    for (size_t n = 0;; n++) {
        struct budget budget = { .left = -1 };
        lua_State *L = lua_newstate(allocate, &budget);
        assert_non_null(L);
        lua_pushcfunction(L, open_json);
        assert_int_equal(lua_pcall(L, 0, 0, 0), 0);
        lua_gc(L, LUA_GCSTOP, 0);
        // What px_buf needs is there, so that only the codec's own memory is short.
        assert_int_equal(px_buf_reserve(&out, 500), PX_OK);
        out.len = 0;
        lua_settop(L, 0);
        lua_pushcfunction(L, round_trip);
        lua_pushstring(L, text);
        lua_pushlightuserdata(L, &out);
        budget.left = lua_memory ? (long)n : -1;
        failing_start(lua_memory ? 0 : n + 1);
        int st = lua_pcall(L, 2, 0, 0);
        bool failed = failing_stop() || budget.left == 0;
        budget.left = -1;
        failures += st != 0;
        // The state is as good as before.
        assert_int_equal(run_text(L, text, &out), 0);
        assert_memory_equal(out.ptr, all.ptr, all.len);
        lua_close(L);
        assert_int_equal(budget.used, 0);
        if (!failed) {
            break;
        }
    }
    assert_true(failures > 0 || !lua_memory);
    px_buf_free(&out);
}

static void test_no_failing_allocation_harms_the_state_or_loses_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        fail_each(texts[i], true);
        fail_each(texts[i], false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_lua_spec_passes),
        cmocka_unit_test(test_decode_pushes_one_value_or_raises),
        cmocka_unit_test(test_every_prefix_of_a_text_fails_and_leaves_the_stack_alone),
        cmocka_unit_test(test_encode_appends_and_keeps_the_limit_of_its_buffer),
        cmocka_unit_test(test_a_light_userdata_that_is_not_null_is_refused),
        cmocka_unit_test(test_a_state_without_the_module_raises),
        cmocka_unit_test(test_no_failing_allocation_harms_the_state_or_loses_memory),
    };
    return cmocka_run_group_tests_name("json_lua", tests, NULL, NULL);
}
