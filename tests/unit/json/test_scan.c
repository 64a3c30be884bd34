#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "px/json.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

// A text in memory of exactly its size, so that a sanitizer sees any step beyond it.
static enum px_status scan_exactly(struct px_str text, size_t *at, struct px_error *err)
{
    char *copy = malloc(text.len + !text.len);
    assert_non_null(copy);
    memcpy(copy, text.ptr, text.len);
    enum px_status st = px_json_scan((struct px_str){ copy, text.len }, NULL, at, err);
    free(copy);
    return st;
}

static void test_valid_texts_are_accepted(void **state)
{
    (void)state;
    static const struct px_str texts[] = {
        // Every kind of value, alone and with white space around it.
        PX_STR("null"),
        PX_STR("true"),
        PX_STR("false"),
        PX_STR("0"),
        PX_STR("\"\""),
        PX_STR("[]"),
        PX_STR("{}"),
        PX_STR(" \t\r\n1 \t\r\n"),
        PX_STR("[ ]"),
        PX_STR("{ }"),
        // Numbers.
        PX_STR("-0"),
        PX_STR("-0.0"),
        PX_STR("10"),
        PX_STR("0.5"),
        PX_STR("1e5"),
        PX_STR("1E5"),
        PX_STR("1e+5"),
        PX_STR("1e-5"),
        PX_STR("1.25e00"),
        PX_STR("0e1"),
        PX_STR("-1e999"),
        PX_STR("123456789012345678901234567890"),
        PX_STR("0.00000000000000000000000000001"),
        // Strings.
        PX_STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
        PX_STR("\"\\u0000\\uABCD\\uabcd\""),
        PX_STR("\"\\ud83d\\ude00\""),
        PX_STR("\"\\ud83d\""),
        PX_STR("\"\\ude00\\ud83d\""),
        PX_STR("\"\\ud83dx\""),
        PX_STR("\"\177\""),
        PX_STR("\"/\""),
        PX_STR("\"\302\200\337\277\340\240\200\355\237\277\356\200\200\357\277\277\""),
        PX_STR("\"\360\220\200\200\364\217\277\277\""),
        PX_STR("\"\357\273\277\""),
        PX_STR("\"\342\200\250\"" /* U+2028 */),
        // Containers.
        PX_STR("[1]"),
        PX_STR("[1,2]"),
        PX_STR("[[],[[]],{}]"),
        PX_STR("{\"a\":1}"),
        PX_STR("{\"a\":{},\"b\":[{}]}"),
        PX_STR("{\"\":0}"),
        PX_STR("{\"a\":1,\"a\":2}"),
        PX_STR("{\"a\\u0000b\":1}"),
        PX_STR(" { \"a\" : [ 1 , 2 ] , \"b\" : null } "),
        PX_STR("[null,true,false,\"\",0]"),
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct px_error err;
        if (scan_exactly(texts[i], NULL, &err) != PX_OK) {
            fail_msg("refused %s: %s", texts[i].ptr, err.text);
        }
    }
}

static void test_invalid_texts_are_refused_at_their_mistake(void **state)
{
    (void)state;
    static const struct {
        struct px_str text;
        size_t at;
    } cases[] = {
        // No value, more than one, or something else.
        { PX_STR(""), 0 },
        { PX_STR(" "), 1 },
        { PX_STR("1 2"), 2 },
        { PX_STR("{}x"), 2 },
        { PX_STR("[]]"), 2 },
        { PX_STR("\"\"\"\""), 2 },
        { PX_STR("\357\273\2771"), 0 },
        { PX_STR("1\0"), 1 },
        { PX_STR("\0"), 0 },
        { PX_STR("'a'"), 0 },
        { PX_STR("a"), 0 },
        { PX_STR("undefined"), 0 },
        { PX_STR("NaN"), 0 },
        { PX_STR("Infinity"), 0 },
        { PX_STR("-Infinity"), 1 },
        { PX_STR("nul"), 0 },
        { PX_STR("True"), 0 },
        { PX_STR("nullx"), 4 },
        { PX_STR("truefalse"), 4 },
        { PX_STR("<null>"), 0 },
        { PX_STR("/**/1"), 0 },
        { PX_STR("1//"), 1 },
        { PX_STR("#1"), 0 },
        { PX_STR("*"), 0 },
        { PX_STR("\f1"), 0 },
        { PX_STR("\v1"), 0 },
        { PX_STR("\302\2401"), 0 },
        // Numbers.
        { PX_STR("-"), 1 },
        { PX_STR("+1"), 0 },
        { PX_STR("01"), 1 },
        { PX_STR("-01"), 2 },
        { PX_STR("00"), 1 },
        { PX_STR("1."), 2 },
        { PX_STR(".5"), 0 },
        { PX_STR("-.5"), 1 },
        { PX_STR("1.e5"), 2 },
        { PX_STR("1e"), 2 },
        { PX_STR("1e+"), 3 },
        { PX_STR("1e-x"), 3 },
        { PX_STR("1.2.3"), 3 },
        { PX_STR("1e2.3"), 3 },
        { PX_STR("1e5e5"), 3 },
        { PX_STR("0x10"), 1 },
        { PX_STR("1_000"), 1 },
        { PX_STR("--1"), 1 },
        { PX_STR("1-"), 1 },
        { PX_STR("- 1"), 1 },
        { PX_STR("1 000"), 2 },
        { PX_STR("1,0"), 1 },
        { PX_STR("\357\274\221"), 0 },
        // Strings.
        { PX_STR("\""), 1 },
        { PX_STR("\"a"), 2 },
        { PX_STR("\"\\"), 2 },
        { PX_STR("\"\\\""), 3 },
        { PX_STR("\"\\x41\""), 2 },
        { PX_STR("\"\\'\""), 2 },
        { PX_STR("\"\\\0\""), 2 },
        { PX_STR("\"\\a\""), 2 },
        { PX_STR("\"\\U0041\""), 2 },
        { PX_STR("\"\\u\""), 3 },
        { PX_STR("\"\\u12\""), 5 },
        { PX_STR("\"\\u123g\""), 6 },
        { PX_STR("\"\\u 123\""), 3 },
        { PX_STR("\"\\u+123\""), 3 },
        { PX_STR("\"\n\""), 1 },
        { PX_STR("\"\t\""), 1 },
        { PX_STR("\"\0\""), 1 },
        { PX_STR("\"a\037\""), 2 },
        // UTF-8: bare continuation, overlong, surrogates, beyond U+10FFFF, cut short.
        { PX_STR("\"\200\""), 1 },
        { PX_STR("\"\300\200\""), 1 },
        { PX_STR("\"\301\277\""), 1 },
        { PX_STR("\"\340\237\277\""), 1 },
        { PX_STR("\"\355\240\200\""), 1 },
        { PX_STR("\"\355\277\277\""), 1 },
        { PX_STR("\"\360\217\277\277\""), 1 },
        { PX_STR("\"\364\220\200\200\""), 1 },
        { PX_STR("\"\365\200\200\200\""), 1 },
        { PX_STR("\"\370\210\200\200\200\""), 1 },
        { PX_STR("\"\377\""), 1 },
        { PX_STR("\"\303\""), 1 },
        { PX_STR("\"\342\202\""), 1 },
        { PX_STR("\"\360\237\230\""), 1 },
        { PX_STR("\"\303"), 1 },
        { PX_STR("\"\342\202"), 1 },
        { PX_STR("\"\360\237\230"), 1 },
        { PX_STR("\"\303a\""), 1 },
        { PX_STR("\"\342a\202\""), 1 },
        { PX_STR("\"\342\202a\""), 1 },
        { PX_STR("\"\360\237\230a\""), 1 },
        { PX_STR("\"\360a\230\200\""), 1 },
        { PX_STR("\"\360\237a\200\""), 1 },
        // Arrays.
        { PX_STR("["), 1 },
        { PX_STR("]"), 0 },
        { PX_STR("[1"), 2 },
        { PX_STR("[1,"), 3 },
        { PX_STR("[1,]"), 3 },
        { PX_STR("[,1]"), 1 },
        { PX_STR("[,]"), 1 },
        { PX_STR("[1,,2]"), 3 },
        { PX_STR("[1 2]"), 3 },
        { PX_STR("[1}"), 2 },
        { PX_STR("[\"a\":1]"), 4 },
        { PX_STR("[1;2]"), 2 },
        { PX_STR("[-]"), 2 },
        { PX_STR("[a]"), 1 },
        // Objects.
        { PX_STR("{"), 1 },
        { PX_STR("}"), 0 },
        { PX_STR("{\"a\""), 4 },
        { PX_STR("{\"a\":"), 5 },
        { PX_STR("{\"a\":1"), 6 },
        { PX_STR("{\"a\":1,"), 7 },
        { PX_STR("{\"a\":1,}"), 7 },
        { PX_STR("{,}"), 1 },
        { PX_STR("{\"a\"}"), 4 },
        { PX_STR("{\"a\" 1}"), 5 },
        { PX_STR("{\"a\",1}"), 4 },
        { PX_STR("{\"a\"::1}"), 5 },
        { PX_STR("{\"a\":}"), 5 },
        { PX_STR("{:1}"), 1 },
        { PX_STR("{a:1}"), 1 },
        { PX_STR("{'a':1}"), 1 },
        { PX_STR("{1:1}"), 1 },
        { PX_STR("{null:1}"), 1 },
        { PX_STR("{[]:1}"), 1 },
        { PX_STR("{\"a\":1]"), 6 },
        { PX_STR("{\"a\":1 \"b\":2}"), 7 },
        { PX_STR("{\"a\":1,,\"b\":2}"), 7 },
        { PX_STR("{\"a\":\"b\":1}"), 8 },
        { PX_STR("{\"a\":1;}"), 6 },
        { PX_STR("{\"\n\":1}"), 2 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t at = 12345;
        struct px_error err = { 0 };
        if (scan_exactly(cases[i].text, &at, &err) != PX_EINVAL || at != cases[i].at) {
            fail_msg("%s: offset %zu, expected %zu (%s)", cases[i].text.ptr, at, cases[i].at,
                     err.text);
        }
        char place[32];
        snprintf(place, sizeof(place), "JSON: byte %zu: expected ", at);
        assert_memory_equal(err.text, place, strlen(place));
    }
}

static void test_every_prefix_fails_at_its_end_or_is_complete(void **state)
{
    (void)state;
    static const char text[] =
        " {\"a\\n\\u00e9\": [1, -2.5e+10, true, false, null, \"\303\251\342\202"
        "\254\360\237\230\200\"], \"b\": {\"c\": {}, \"d\": []}} ";
    size_t len = sizeof(text) - 1;
    for (size_t i = 0; i <= len; i++) {
        size_t at = 0;
        enum px_status st = scan_exactly((struct px_str){ text, i }, &at, NULL);
        if (i >= len - 1) {
            assert_int_equal(st, PX_OK);
            continue;
        }
        assert_int_equal(st, PX_EINVAL);
        // Words and characters are named from their first byte.
        assert_in_range(at, i > 4 ? i - 4 : 0, i);
    }
    assert_int_equal(scan_exactly(PX_STR("12"), NULL, NULL), PX_OK);
    assert_int_equal(scan_exactly(PX_STR("1"), NULL, NULL), PX_OK);
}

static void nest(char *text, size_t depth, const char *open, const char *close)
{
    text[0] = '\0';
    for (size_t i = 0; i < depth; i++) {
        strcat(text, open);
    }
    strcat(text, "1");
    for (size_t i = 0; i < depth; i++) {
        strcat(text, close);
    }
}

static void test_containers_nest_128_deep_and_no_deeper(void **state)
{
    (void)state;
    static const char *kinds[][2] = { { "[", "]" }, { "{\"a\":", "}" } };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char text[2048];
        size_t at;
        nest(text, PX_JSON_DEPTH, kinds[i][0], kinds[i][1]);
        assert_int_equal(scan_exactly((struct px_str){ text, strlen(text) }, NULL, NULL), PX_OK);
        nest(text, PX_JSON_DEPTH + 1, kinds[i][0], kinds[i][1]);
        assert_int_equal(scan_exactly((struct px_str){ text, strlen(text) }, &at, NULL), PX_EINVAL);
        assert_int_equal(at, PX_JSON_DEPTH * strlen(kinds[i][0]));
    }
}

static void test_kinds_of_containers_are_told_apart_at_every_depth(void **state)
{
    (void)state;
    for (size_t depth = 1; depth <= PX_JSON_DEPTH; depth++) {
        char text[2048] = "";
        for (size_t i = 0; i < depth; i++) {
            strcat(text, i % 3 ? "[" : "{\"a\":");
        }
        strcat(text, "1");
        for (size_t i = depth; i > 0; i--) {
            strcat(text, (i - 1) % 3 ? "]" : "}");
        }
        size_t len = strlen(text);
        assert_int_equal(scan_exactly((struct px_str){ text, len }, NULL, NULL), PX_OK);
        for (size_t i = len - depth; i < len; i++) {
            char right = text[i];
            text[i] = right == ']' ? '}' : ']';
            assert_int_equal(scan_exactly((struct px_str){ text, len }, NULL, NULL), PX_EINVAL);
            text[i] = right;
        }
    }
}

static void test_a_special_byte_is_seen_at_every_place_of_a_long_string(void **state)
{
    (void)state;
    static const char special[] = { '\n', '\0', '\037', '\200', '\377', '"' };
    for (size_t len = 1; len < 200; len++) {
        char *text = malloc(len + 2);
        assert_non_null(text);
        memset(text, 'x', len + 2);
        text[0] = text[len + 1] = '"';
        struct px_str all = { text, len + 2 };
        assert_int_equal(px_json_scan(all, NULL, NULL, NULL), PX_OK);
        for (size_t i = 0; i < COUNT(special); i++) {
            size_t at, place = 1 + len * i / COUNT(special);
            text[place] = special[i];
            assert_int_equal(px_json_scan(all, NULL, &at, NULL), PX_EINVAL);
            assert_int_equal(at, special[i] == '"' ? place + 1 : place);
            text[place] = 'x';
        }
        free(text);
    }
}

static void test_places_count_lines_and_columns(void **state)
{
    (void)state;
    struct px_str text = PX_STR("{\n  \"a\": 1\n}");
    static const unsigned cases[][3] = { { 0, 1, 1 }, { 1, 1, 2 },  { 2, 2, 1 },
                                         { 4, 2, 3 }, { 11, 3, 1 }, { 12, 3, 2 } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned line, column;
        px_json_place(text, cases[i][0], &line, &column);
        assert_int_equal(line, cases[i][1]);
        assert_int_equal(column, cases[i][2]);
    }
}

static void test_types_have_names(void **state)
{
    (void)state;
    static const char *names[] = { "null",   "boolean", "boolean", "number",
                                   "string", "array",   "object" };
    for (int i = 0; i < 7; i++) {
        assert_string_equal(px_json_type_name((enum px_json_type)i), names[i]);
    }
    assert_string_equal(px_json_type_name((enum px_json_type)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_texts_are_accepted),
        cmocka_unit_test(test_invalid_texts_are_refused_at_their_mistake),
        cmocka_unit_test(test_every_prefix_fails_at_its_end_or_is_complete),
        cmocka_unit_test(test_containers_nest_128_deep_and_no_deeper),
        cmocka_unit_test(test_kinds_of_containers_are_told_apart_at_every_depth),
        cmocka_unit_test(test_a_special_byte_is_seen_at_every_place_of_a_long_string),
        cmocka_unit_test(test_places_count_lines_and_columns),
        cmocka_unit_test(test_types_have_names),
    };
    return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
