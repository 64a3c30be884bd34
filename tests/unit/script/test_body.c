// px.body: a request's bytes, looked into and spliced.

#include "vm_test.h"

#include "body.h"

static void run_body(const char *code)
{
    struct world world;
    world_open(&world);
    char text[4096];
    snprintf(text, sizeof(text), "local new = require('px.body').new\n%s", code);
    assert_string_equal(run_code(&world, text), "");
    world_close(&world);
}

static void test_head_reads_model_and_stream(void **state)
{
    (void)state;
    run_body("local function head(text) return new(text):head() end\n"
             "local function is(text, ...)\n"
             "  local got = { head(text) }\n"
             "  for i = 1, 3 do\n"
             "    assert(got[i] == select(i, ...), text .. ' ' .. tostring(got[i]))\n"
             "  end\n"
             "end\n"
             "is('{\"model\":\"m\",\"stream\":true}', true, 'm', true)\n"
             "is(' { \"stream\" : false , \"x\":[1], \"model\":\"a\\\\u0062\\\\n\"} ', true, "
             "'ab\\n', false)\n"
             "is('{}', true, nil, nil)\n"
             "is('{\"model\":null}', true, nil, nil)\n"
             "is('{\"model\":5}', true, 5, nil)\n"
             "is('{\"x\":{\"model\":\"inner\"}}', true, nil, nil)\n"
             "local ok, why = head('{\"model\":\"a\",\"x\":1,\"model\":\"b\"}')\n"
             "assert(ok == nil and why == '\"model\" stands twice in the body', why)\n"
             "ok, why = head('{\"model\":\"a\",\"mod\\\\u0065l\":\"b\"}')\n"
             "assert(ok == nil and why == '\"model\" stands twice in the body', why)\n"
             "ok, why = head('[1]')\n"
             "assert(ok == nil and why == 'the body must be a JSON object')\n"
             "ok, why = head('{\"a\":01}')\n"
             "assert(ok == nil and why:find('not valid JSON', 1, true), why)\n"
             "ok, why = head('')\n"
             "assert(ok == nil and why:find('not valid JSON', 1, true), why)\n");
}

static void test_a_table_is_written_as_json(void **state)
{
    (void)state;
    run_body("local json = require('px.json')\n"
             "local long = ('x'):rep(3000000)\n"
             "assert(new({ a = { 1, 2 } }):text() == '{\"a\":[1,2]}')\n"
             "assert(new(json.array()):text() == '[]')\n"
             "assert(new({ long }):text() == '[\"' .. long .. '\"]')\n"
             "local ok, why = pcall(new, { a = print })\n"
             "assert(not ok and why == 'JSON: a: a function cannot be written', why)\n"
             "ok, why = pcall(new, nil)\n"
             "assert(not ok and why:find('string expected'), why)\n"
             "assert(new({ 1 }):text() == '[1]')\n");
}

static void test_edits_are_splices(void **state)
{
    (void)state;
    run_body("local b = new('{ \"a\" : 1.0,\\n \"b\":[ {\"c\":12345678901234567890} ], "
             "\"model\":\"x\" }')\n"
             "assert(b:set('a', 2) == 1)\n"
             "assert(b:text() == '{ \"a\" : 2,\\n \"b\":[ {\"c\":12345678901234567890} ], "
             "\"model\":\"x\" }')\n"
             "assert(b:get('b[0].c') ~= nil)\n"
             "assert(b:get('b[1].c') == nil and b:get('none') == nil)\n"
             "b:model('y\"z')\n"
             "assert(b:text():find('\"model\":\"y\\\\\"z\" }', 1, true), b:text())\n"
             "local _, name = b:head()\n"
             "assert(name == 'y\"z')\n"
             "assert(b:remove('b') == 1 and b:remove('b') == 0)\n"
             "assert(b:get('b') == nil)\n"
             "assert(b:set('new.deep', 1) == 0 and b:set('new', { 1, 2 }) == 1, b:text())\n"
             "assert(b:get('new[1]') == 2)\n"
             "assert(b:json().a == 2)\n"
             "local c = b:copy()\n"
             "c:set('a', 'other')\n"
             "assert(b:get('a') == 2 and c:get('a') == 'other')\n");
}

static void test_model_keeps_the_bytes_when_the_name_is_the_same(void **state)
{
    (void)state;
    run_body("local text = '{\"model\":\"\\\\u0061b\"}'\n"
             "local b = new(text)\n"
             "b:model('ab')\n"
             "assert(b:text() == text)\n"
             "b:model('c')\n"
             "assert(b:text() == '{\"model\":\"c\"}')\n");
}

static void test_mistakes_raise(void **state)
{
    (void)state;
    run_body("local function raises(part, fn, ...)\n"
             "  local ok, e = pcall(fn, ...)\n"
             "  assert(not ok and tostring(e):find(part, 1, true), tostring(e))\n"
             "end\n"
             "local b = new('{\"a\":1}')\n"
             "raises('bad path', b.get, b, 'a[')\n"
             "raises('bad path', b.set, b, 'a[x]', 1)\n"
             "raises('no model', b.model, b, 'x')\n"
             "raises('value expected', b.set, b, 'a')\n"
             "raises('px.body expected', b.get, {}, 'a')\n"
             "local bad = new('{')\n"
             "raises('not valid JSON', bad.model, bad, 'x')\n"
             "raises('', bad.json, bad)\n"
             "b:release()\n"
             "raises('not in memory any more', b.text, b)\n"
             "raises('not in memory any more', b.head, b)\n"
             "raises('not in memory any more', b.copy, b)\n"
             "b:release()\n");
}

static int push_two(lua_State *L)
{
    struct body **list = lua_touserdata(L, 1);
    struct px_block *block = px_block_copy(PX_STR("{}"));
    px_lua_push_body(L, block, list);
    px_lua_push_body(L, block, list);
    lua_setfield(L, LUA_REGISTRYINDEX, "kept");
    px_block_drop(block);
    return 0;
}

static void test_bodies_die_with_their_request(void **state)
{
    (void)state;
    struct world world;
    struct body *list = NULL;
    world_open(&world);
    assert_int_equal(lua_cpcall(world.vm->L, push_two, &list), 0);
    lua_gc(world.vm->L, LUA_GCCOLLECT, 0);
    assert_non_null(list);
    assert_null(list->next);  // One was collected and took itself off the list.
    assert_int_equal(list->block->refs, 1);
    px_body_release_all(&list);
    assert_null(list);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_reads_model_and_stream),
        cmocka_unit_test(test_a_table_is_written_as_json),
        cmocka_unit_test(test_edits_are_splices),
        cmocka_unit_test(test_model_keeps_the_bytes_when_the_name_is_the_same),
        cmocka_unit_test(test_mistakes_raise),
        cmocka_unit_test(test_bodies_die_with_their_request),
    };
    return cmocka_run_group_tests_name("script/body", tests, NULL, NULL);
}
