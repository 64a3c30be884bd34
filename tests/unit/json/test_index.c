#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "px/json.h"

static void assert_str(struct px_str got, const char *expected)
{
    struct px_str want = { expected, strlen(expected) };
    if (!px_str_eq(got, want)) {
        fail_msg("expected %s, got %.*s", expected, (int)got.len, got.ptr);
    }
}

static void test_members_are_indexed_in_their_order(void **state)
{
    (void)state;
    struct px_str text = PX_STR(" { \"a\" : 1.0 ,\"b\\n\":[1, {\"x\":2}] , \"c\":{\"d\":null},"
                                "\"e\":\"s\",\"f\":true,\"g\":false,\"h\":null} ");
    static const struct {
        const char *key, *value;
        enum px_json_type type;
    } members[] = {
        { "\"a\"", "1.0", PX_JSON_NUMBER },
        { "\"b\\n\"", "[1, {\"x\":2}]", PX_JSON_ARRAY },
        { "\"c\"", "{\"d\":null}", PX_JSON_OBJECT },
        { "\"e\"", "\"s\"", PX_JSON_STRING },
        { "\"f\"", "true", PX_JSON_TRUE },
        { "\"g\"", "false", PX_JSON_FALSE },
        { "\"h\"", "null", PX_JSON_NULL },
    };
    struct px_json_index index = { 0 };
    assert_int_equal(px_json_scan(text, &index, NULL, NULL), PX_OK);
    assert_int_equal(index.type, PX_JSON_OBJECT);
    assert_int_equal(index.len, 7);
    assert_int_equal(index.value.len, text.len - 2);
    for (size_t i = 0; i < index.len; i++) {
        assert_str(index.members[i].key, members[i].key);
        assert_str(index.members[i].value, members[i].value);
        assert_int_equal(index.members[i].type, members[i].type);
        assert_int_equal(index.members[i].key_escaped, i == 1);
    }
    px_json_index_free(&index);
    px_json_index_free(&index);
}

static void test_keys_are_found_however_they_are_escaped(void **state)
{
    (void)state;
    struct px_str text = PX_STR("{\"mod\\u0065l\":1,\"stream\":2,\"str\\u0065am\":3,\"\":4,"
                                "\"a\\u0000b\":5,\"\\ud83d\\ude00\":6,\"mode\":7}");
    struct px_json_index index = { 0 };
    assert_int_equal(px_json_scan(text, &index, NULL, NULL), PX_OK);
    assert_str(px_json_index_get(&index, PX_STR("model"))->value, "1");
    assert_str(px_json_index_get(&index, PX_STR("stream"))->value, "3");
    assert_str(px_json_index_get(&index, PX_STR(""))->value, "4");
    assert_str(px_json_index_get(&index, PX_STR("a\0b"))->value, "5");
    assert_str(px_json_index_get(&index, PX_STR("\360\237\230\200"))->value, "6");
    assert_null(px_json_index_get(&index, PX_STR("Model")));
    assert_null(px_json_index_get(&index, PX_STR("models")));
    assert_int_equal(px_json_index_count(&index, PX_STR("model")), 1);
    assert_int_equal(px_json_index_count(&index, PX_STR("stream")), 2);
    assert_int_equal(px_json_index_count(&index, PX_STR("none")), 0);
    px_json_index_free(&index);
}

static void test_other_top_values_have_no_members(void **state)
{
    (void)state;
    struct px_json_index index = { 0 };
    assert_int_equal(px_json_scan(PX_STR(" [1,{\"a\":1}] "), &index, NULL, NULL), PX_OK);
    assert_int_equal(index.type, PX_JSON_ARRAY);
    assert_int_equal(index.len, 0);
    assert_str(index.value, "[1,{\"a\":1}]");
    assert_int_equal(px_json_scan(PX_STR("\"x\""), &index, NULL, NULL), PX_OK);
    assert_int_equal(index.type, PX_JSON_STRING);
    px_json_index_free(&index);
}

static char *wide_object(size_t members)
{
    char *text = malloc(members * 16 + 3), *at = text;
    assert_non_null(text);
    *at++ = '{';
    for (size_t i = 0; i < members; i++) {
        at += sprintf(at, "%s\"k%zu\":%zu", i ? "," : "", i, i);
    }
    strcpy(at, "}");
    return text;
}

static void test_an_index_holds_4096_members_and_no_more(void **state)
{
    (void)state;
    struct px_json_index index = { 0 };
    char *text = wide_object(PX_JSON_INDEX_MAX);
    struct px_str all = { text, strlen(text) };
    assert_int_equal(px_json_scan(all, &index, NULL, NULL), PX_OK);
    assert_int_equal(index.len, PX_JSON_INDEX_MAX);
    assert_str(px_json_index_get(&index, PX_STR("k0"))->value, "0");
    assert_str(px_json_index_get(&index, PX_STR("k4095"))->value, "4095");
    free(text);
    text = wide_object(PX_JSON_INDEX_MAX + 1);
    all = (struct px_str){ text, strlen(text) };
    assert_int_equal(px_json_scan(all, &index, NULL, NULL), PX_ETOOBIG);
    assert_int_equal(index.len, 0);
    assert_int_equal(px_json_scan(all, NULL, NULL, NULL), PX_OK);
    px_json_index_free(&index);
    free(text);
}

static void test_a_failed_scan_leaves_an_empty_index(void **state)
{
    (void)state;
    struct px_str text = PX_STR("{\"a\":1,\"b\":{\"c\":[1,2}}");
    for (size_t i = 0; i < text.len; i++) {
        struct px_json_index index = { 0 };
        size_t at;
        struct px_str part = { text.ptr, i };
        assert_int_equal(px_json_scan(part, &index, &at, NULL), PX_EINVAL);
        assert_int_equal(index.len, 0);
        assert_null(px_json_index_get(&index, PX_STR("a")));
    }
}

static void test_the_value_of_a_member_is_exchanged_in_one_copy(void **state)
{
    (void)state;
    struct px_str text = PX_STR("{ \"model\" : \"gpt-4o\", \"x\":1.0 }");
    struct px_json_index index = { 0 };
    assert_int_equal(px_json_scan(text, &index, NULL, NULL), PX_OK);
    struct px_str span = px_json_index_get(&index, PX_STR("model"))->value;
    struct px_block *block = px_json_splice(text, span, PX_STR("\"claude\""));
    assert_str(px_block_str(block), "{ \"model\" : \"claude\", \"x\":1.0 }");
    px_block_drop(block);
    block = px_json_splice(text, text, PX_STR(""));
    assert_int_equal(block->len, 0);
    px_block_drop(block);
    px_json_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_indexed_in_their_order),
        cmocka_unit_test(test_keys_are_found_however_they_are_escaped),
        cmocka_unit_test(test_other_top_values_have_no_members),
        cmocka_unit_test(test_an_index_holds_4096_members_and_no_more),
        cmocka_unit_test(test_a_failed_scan_leaves_an_empty_index),
        cmocka_unit_test(test_the_value_of_a_member_is_exchanged_in_one_copy),
    };
    return cmocka_run_group_tests_name("json_index", tests, NULL, NULL);
}
