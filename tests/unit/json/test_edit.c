#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "px/jsonpath.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct px_str str(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

// A case: how a text looks after an edit, and how many places changed.
struct edit_case {
    const char *text, *path, *value, *result;  // Without a value it is a removal.
    size_t changed;
};

static void check_edit(const struct edit_case *c)
{
    struct px_json_path *path = NULL;
    struct px_buf out = PX_BUF(10000);
    size_t changed = 99;
    assert_int_equal(px_json_path_new(str(c->path), &path, NULL), PX_OK);
    assert_int_equal(px_buf_add(&out, PX_STR("before")), PX_OK);
    enum px_status st = c->value
                            ? px_json_set(str(c->text), path, str(c->value), &out, &changed, NULL)
                            : px_json_remove(str(c->text), path, &out, &changed, NULL);
    assert_int_equal(st, PX_OK);
    struct px_str got = { out.ptr + 6, out.len - 6 };
    if (!px_str_eq(got, str(c->result)) || changed != c->changed) {
        fail_msg("%s at %s: %.*s, %zu changed", c->text, c->path, (int)got.len, got.ptr, changed);
    }
    assert_int_equal(px_json_scan(got, NULL, NULL, NULL), PX_OK);
    px_buf_free(&out);
    px_json_path_free(path);
}

static void test_values_are_set(void **state)
{
    (void)state;
    static const struct edit_case cases[] = {
        { "{\"a\":1,\"b\":2}", "a", "\"x\"", "{\"a\":\"x\",\"b\":2}", 1 },
        { " { \"a\" : 1.0 , \"b\" : 2 } ", "b", "[]", " { \"a\" : 1.0 , \"b\" : [] } ", 1 },
        { "{\"a\":1}", "b", "2", "{\"a\":1,\"b\":2}", 1 },
        { "{\"a\":1\n}", "b", "2", "{\"a\":1,\"b\":2\n}", 1 },
        { "{}", "b", "2", "{\"b\":2}", 1 },
        { "{\"a\":1}", "b", " [1, 2]\n", "{\"a\":1,\"b\":[1, 2]}", 1 },
        { "{ }", "b", "2", "{\"b\":2 }", 1 },
        { "{}", "[\"q\\\"\\n\"]", "2", "{\"q\\\"\\n\":2}", 1 },
        { "{\"a\":1,\"\\u0061\":2}", "a", "3", "{\"a\":3,\"\\u0061\":3}", 2 },
        { "{\"a\":{\"b\":[1,2,3]}}", "a.b[1]", "{}", "{\"a\":{\"b\":[1,{},3]}}", 1 },
        { "{\"a\":[1,2]}", "a[2]", "3", "{\"a\":[1,2,3]}", 1 },
        { "{\"a\":[]}", "a[0]", "3", "{\"a\":[3]}", 1 },
        { "{\"a\":[1]}", "a[2]", "3", "{\"a\":[1]}", 0 },
        { "{\"a\":1}", "a.b", "2", "{\"a\":1}", 0 },
        { "{\"a\":1}", "x.b", "2", "{\"a\":1}", 0 },
        { "{\"a\":[]}", "a.b", "2", "{\"a\":[]}", 0 },
        { "{\"a\":{}}", "a[0]", "2", "{\"a\":{}}", 0 },
        { "[1,2]", "[*]", "0", "[0,0]", 2 },
        { "[{\"a\":1},5,{\"b\":2},{}]", "[*].a", "9", "[{\"a\":9},5,{\"b\":2,\"a\":9},{\"a\":9}]",
          3 },
        { " 1 ", "", "{\"a\":2}", " {\"a\":2} ", 1 },
        { "[[1],[2]]", "[*][1]", "0", "[[1,0],[2,0]]", 2 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        check_edit(&cases[i]);
    }
}

static void test_members_are_removed_with_their_comma(void **state)
{
    (void)state;
    static const struct edit_case cases[] = {
        { "{\"a\":1,\"b\":2,\"c\":3}", "a", NULL, "{\"b\":2,\"c\":3}", 1 },
        { "{\"a\":1,\"b\":2,\"c\":3}", "b", NULL, "{\"a\":1,\"c\":3}", 1 },
        { "{\"a\":1,\"b\":2,\"c\":3}", "c", NULL, "{\"a\":1,\"b\":2}", 1 },
        { "{ \"a\" : 1 }", "a", NULL, "{  }", 1 },
        { "{ \"a\" : 1 , \"b\" : 2 }", "a", NULL, "{ \"b\" : 2 }", 1 },
        { "{ \"a\" : 1 , \"b\" : 2 }", "b", NULL, "{ \"a\" : 1 }", 1 },
        { "{\"a\":1,\"a\":2}", "a", NULL, "{}", 2 },
        { "{\"a\":1,\"a\":2,\"b\":3}", "a", NULL, "{\"b\":3}", 2 },
        { "{\"b\":3,\"a\":1,\"a\":2}", "a", NULL, "{\"b\":3}", 2 },
        { "{\"a\":1,\"b\":3,\"a\":2}", "a", NULL, "{\"b\":3}", 2 },
        { "{\"a\":1,\"b\":3,\"a\":2,\"c\":4}", "a", NULL, "{\"b\":3,\"c\":4}", 2 },
        { "[1,2,3]", "[0]", NULL, "[2,3]", 1 },
        { "[1,2,3]", "[2]", NULL, "[1,2]", 1 },
        { "[1, 2, 3 ]", "[*]", NULL, "[ ]", 3 },
        { "[1]", "[1]", NULL, "[1]", 0 },
        { "{\"a\":1}", "b", NULL, "{\"a\":1}", 0 },
        { "{\"m\":[{\"r\":1,\"x\":2},{\"x\":3,\"r\":4},{\"r\":5},{},7]}", "m[*].r", NULL,
          "{\"m\":[{\"x\":2},{\"x\":3},{},{},7]}", 3 },
        { "[[1,2],[3,4]]", "[*][0]", NULL, "[[2],[4]]", 2 },
        { "[{\"a\":1},{\"b\":1,\"a\":2}]", "[*].a", NULL, "[{},{\"b\":1}]", 2 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        check_edit(&cases[i]);
    }
}

static void test_the_whole_text_cannot_be_removed(void **state)
{
    (void)state;
    struct px_json_path *path = NULL;
    struct px_buf out = PX_BUF(100);
    assert_int_equal(px_json_path_new(PX_STR(""), &path, NULL), PX_OK);
    assert_int_equal(px_json_remove(PX_STR("1"), path, &out, NULL, NULL), PX_EINVAL);
    px_json_path_free(path);
    px_buf_free(&out);
}

static void test_a_value_that_is_not_json_or_nests_too_deep_is_refused(void **state)
{
    (void)state;
    struct px_json_path *path = NULL;
    struct px_buf out = PX_BUF(10000);
    struct px_error err = { 0 };
    char deep[2 * PX_JSON_DEPTH + 1];
    assert_int_equal(px_json_path_new(PX_STR("a.b"), &path, NULL), PX_OK);
    assert_int_equal(px_json_set(str("{\"a\":{}}"), path, str("1,2"), &out, NULL, &err), PX_EINVAL);
    assert_string_equal(err.text, "JSON: byte 1: expected nothing after the value");
    assert_int_equal(px_json_set(str("{\"a\":{}}"), path, str(""), &out, NULL, NULL), PX_EINVAL);
    memset(deep, '[', PX_JSON_DEPTH);
    memset(deep + PX_JSON_DEPTH, ']', PX_JSON_DEPTH);
    struct px_str value = { deep + 2, 2 * PX_JSON_DEPTH - 4 };
    assert_int_equal(px_json_set(str("{\"a\":{}}"), path, value, &out, NULL, NULL), PX_OK);
    assert_int_equal(px_json_scan(px_buf_str(&out), NULL, NULL, NULL), PX_OK);
    value = (struct px_str){ deep + 1, 2 * PX_JSON_DEPTH - 2 };
    out.len = 0;
    assert_int_equal(px_json_set(str("{\"a\":{}}"), path, value, &out, NULL, NULL), PX_EINVAL);
    assert_int_equal(out.len, 0);
    px_json_path_free(path);
    px_buf_free(&out);
}

static void test_a_broken_text_or_a_full_buffer_leaves_the_output_alone(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[{\"b\":1},{\"b\":2}],\"c\":3}";
    struct px_json_path *path = NULL;
    assert_int_equal(px_json_path_new(PX_STR("a[*].b"), &path, NULL), PX_OK);
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        struct px_str part = { text, len };
        struct px_buf out = PX_BUF(100);
        size_t changed = 99;
        assert_int_equal(px_json_set(part, path, PX_STR("null"), &out, &changed, NULL), PX_EINVAL);
        assert_int_equal(px_json_remove(part, path, &out, &changed, NULL), PX_EINVAL);
        assert_int_equal(out.len, 0);
        assert_int_equal(changed, 99);
        px_buf_free(&out);
    }
    for (size_t limit = 1; limit < sizeof(text) + 10; limit++) {
        struct px_buf out = PX_BUF(limit);
        struct px_error err = { 0 };
        size_t need = sizeof(text) - 1 + 6;
        enum px_status st = px_json_set(str(text), path, PX_STR("null"), &out, NULL, &err);
        assert_int_equal(st, limit < need ? PX_ETOOBIG : PX_OK);
        assert_int_equal(err.status, st);
        assert_int_equal(out.len, st ? 0 : need);
        px_buf_free(&out);
    }
    px_json_path_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_set),
        cmocka_unit_test(test_members_are_removed_with_their_comma),
        cmocka_unit_test(test_the_whole_text_cannot_be_removed),
        cmocka_unit_test(test_a_value_that_is_not_json_or_nests_too_deep_is_refused),
        cmocka_unit_test(test_a_broken_text_or_a_full_buffer_leaves_the_output_alone),
    };
    return cmocka_run_group_tests_name("json_edit", tests, NULL, NULL);
}
