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

static struct px_json_path *compile(const char *text)
{
    struct px_json_path *path = NULL;
    struct px_error err = { 0 };
    if (px_json_path_new(str(text), &path, &err) != PX_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return path;
}

static enum px_status note(struct px_str value, enum px_json_type type, void *user)
{
    char *trace = user;
    sprintf(trace + strlen(trace), "%s %.*s|", px_json_type_name(type), (int)value.len, value.ptr);
    return PX_OK;
}

static void test_paths_find_their_values(void **state)
{
    (void)state;
    static const char text[] =
        " {\"messages\": [ {\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]},\n"
        "7, {\"role\":\"tool\", \"content\":\"x\"} ], \"metadata\":{\"a.b\":1.0,\"\":null,\"a\":"
        "{\"b\":2}},\"d\\u0075p\":1,\"dup\":2,\"user-id\":true,\"0\":\"zero\",\"e\":[[1,2],[3]]} ";
    static const char *cases[][2] = {
        { "messages[0].role", "string \"user\"|" },
        { "messages[0].content[1].text", "string \"b\"|" },
        { "messages[0].content[*].text", "string \"a\"|string \"b\"|" },
        { "messages[*].role", "string \"user\"|string \"tool\"|" },
        { "messages[*].content[*].text", "string \"a\"|string \"b\"|" },
        { "messages[1]", "number 7|" },
        { "messages[1].role", "" },
        { "messages[3]", "" },
        { "messages.role", "" },
        { "messages[2].content[0]", "" },
        { "[\"messages\"][1]", "number 7|" },
        { "metadata[\"a.b\"]", "number 1.0|" },
        { "metadata[\"\"]", "null null|" },
        { "metadata.a.b", "number 2|" },
        { "metadata[\"\\u0061\"].b", "number 2|" },
        { "dup", "number 1|number 2|" },
        { "user-id", "boolean true|" },
        { "0", "string \"zero\"|" },
        { "[0]", "" },
        { "e[*][*]", "number 1|number 2|number 3|" },
        { "e[*][1]", "number 2|" },
        { "e[1]", "array [3]|" },
        { "none", "" },
        { "Messages", "" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char trace[1000] = "";
        struct px_json_path *path = compile(cases[i][0]);
        assert_int_equal(px_json_find(str(text), path, note, trace), PX_OK);
        assert_string_equal(trace, cases[i][1]);
        px_json_path_free(path);
    }
}

static void test_the_empty_path_is_the_whole_text(void **state)
{
    (void)state;
    char trace[100] = "";
    struct px_json_path *path = compile("");
    assert_int_equal(px_json_find(str(" [1, 2] "), path, note, trace), PX_OK);
    assert_int_equal(px_json_find(str("3"), path, note, trace), PX_OK);
    assert_string_equal(trace, "array [1, 2]|number 3|");
    px_json_path_free(path);
}

static void test_get_gives_the_last_value(void **state)
{
    (void)state;
    struct px_json_path *path = compile("[*].a");
    struct px_str value = { 0 };
    enum px_json_type type;
    assert_true(px_json_get(str("[{\"a\":1},{\"a\":\"x\"},{}]"), path, &value, &type));
    assert_true(px_str_eq(value, PX_STR("\"x\"")));
    assert_int_equal(type, PX_JSON_STRING);
    assert_true(px_json_get(str("[{\"a\":1}]"), path, NULL, NULL));
    assert_false(px_json_get(str("[{}]"), path, &value, &type));
    assert_false(px_json_get(str("[{\"a\":1},"), path, &value, &type));
    px_json_path_free(path);
}

static void test_bad_paths_are_refused_at_their_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int at;
    } cases[] = {
        { ".", 0 },          { ".a", 0 },     { "a.", 2 },        { "a..b", 2 },
        { "a[", 2 },         { "a[]", 2 },    { "a[x]", 2 },      { "a[-1]", 2 },
        { "a[1", 3 },        { "a[1x]", 3 },  { "a[*", 3 },       { "a]", 1 },
        { "a[0]b", 4 },      { "a\"b\"", 1 }, { "a[\"b]", 2 },    { "a[\"b\"", 5 },
        { "a[\"\\x\"]", 2 }, { "[\"\\", 1 },  { "a[ 0]", 2 },     { "a[1234567890]", 2 },
        { "a.[0]", 2 },      { "a\377", 1 },  { "a[\"\n\"]", 2 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct px_json_path *path = NULL;
        struct px_error err = { 0 };
        char place[32];
        snprintf(place, sizeof(place), "at byte %d", cases[i].at);
        assert_int_equal(px_json_path_new(str(cases[i].path), &path, &err), PX_EINVAL);
        assert_null(path);
        if (!strstr(err.text, place)) {
            fail_msg("%s: %s, expected %s", cases[i].path, err.text, place);
        }
    }
}

static void test_a_path_has_32_steps_and_no_more(void **state)
{
    (void)state;
    char text[100] = "a";
    for (int i = 1; i < PX_JSON_PATH_STEPS; i++) {
        strcat(text, ".a");
    }
    px_json_path_free(compile(text));
    strcat(text, ".a");
    struct px_json_path *path = NULL;
    assert_int_equal(px_json_path_new(str(text), &path, NULL), PX_ETOOBIG);
    assert_null(path);
}

static void test_broken_text_is_reported_whatever_the_path(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[{\"b\":1},2],\"c\":{\"d\":[]}}";
    static const char *paths[] = { "", "a", "a[*].b", "a[1]", "c.d", "none", "[0]" };
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct px_json_path *path = compile(paths[i]);
        for (size_t len = 0; len < sizeof(text) - 1; len++) {
            char trace[1000] = "";
            struct px_str part = { text, len };
            assert_int_equal(px_json_find(part, path, note, trace), PX_EINVAL);
        }
        px_json_path_free(path);
    }
}

static enum px_status stop(struct px_str value, enum px_json_type type, void *user)
{
    (void)value;
    (void)type;
    ++*(int *)user;
    return PX_ECANCELED;
}

static void test_the_callback_can_stop_the_search(void **state)
{
    (void)state;
    struct px_json_path *path = compile("[*]");
    int calls = 0;
    assert_int_equal(px_json_find(str("[1,2,3]"), path, stop, &calls), PX_ECANCELED);
    assert_int_equal(calls, 1);
    px_json_path_free(path);
    px_json_path_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_find_their_values),
        cmocka_unit_test(test_the_empty_path_is_the_whole_text),
        cmocka_unit_test(test_get_gives_the_last_value),
        cmocka_unit_test(test_bad_paths_are_refused_at_their_mistake),
        cmocka_unit_test(test_a_path_has_32_steps_and_no_more),
        cmocka_unit_test(test_broken_text_is_reported_whatever_the_path),
        cmocka_unit_test(test_the_callback_can_stop_the_search),
    };
    return cmocka_run_group_tests_name("json_path", tests, NULL, NULL);
}
