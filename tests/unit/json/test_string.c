#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "px/json.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct {
    struct px_str raw, text;
    bool canonical;  // Quoting the text gives the raw string.
} strings[] = {
    { PX_STR("\"\""), PX_STR(""), true },
    { PX_STR("\"abc\""), PX_STR("abc"), true },
    { PX_STR("\"\\\"\\\\\\b\\f\\n\\r\\t\""), PX_STR("\"\\\b\f\n\r\t"), true },
    { PX_STR("\"\\/\""), PX_STR("/"), false },
    { PX_STR("\"\\u0000\\u001f\""), PX_STR("\0\037"), true },
    { PX_STR("\"\\u0041\\u00e9\\u20AC\""), PX_STR("A\303\251\342\202\254"), false },
    { PX_STR("\"\\ud83d\\ude00\""), PX_STR("\360\237\230\200"), false },
    { PX_STR("\"\360\237\230\200\342\202\254\303\251\""),
      PX_STR("\360\237\230\200\342\202\254\303\251"), true },
    { PX_STR("\"\\ud83d\""), PX_STR("\355\240\275"), true },
    { PX_STR("\"\\ude00\\ud83d\""), PX_STR("\355\270\200\355\240\275"), true },
    { PX_STR("\"\\ud83dx\""), PX_STR("\355\240\275x"), true },
    { PX_STR("\"\\ud83d\\n\""), PX_STR("\355\240\275\n"), true },
    { PX_STR("\"\\ud83d\\u0041\""), PX_STR("\355\240\275A"), false },
    { PX_STR("\"\\ud83d\\ud83d\\ude00\""), PX_STR("\355\240\275\360\237\230\200"), false },
    { PX_STR("\"\177\""), PX_STR("\177"), true },
};

static void test_strings_are_decoded_and_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct px_buf out = PX_BUF(1000);
        assert_int_equal(px_json_unquote(strings[i].raw, &out), PX_OK);
        assert_true(px_str_eq(px_buf_str(&out), strings[i].text));
        assert_true(px_json_means(strings[i].raw, strings[i].text));
        px_buf_reset(&out);
        assert_int_equal(px_json_quote(&out, strings[i].text), PX_OK);
        assert_int_equal(px_str_eq(px_buf_str(&out), strings[i].raw), strings[i].canonical);
        assert_int_equal(px_json_scan(px_buf_str(&out), NULL, NULL, NULL), PX_OK);
        px_buf_free(&out);
    }
}

static void test_other_strings_mean_something_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        for (size_t k = 0; k < COUNT(strings); k++) {
            assert_int_equal(px_json_means(strings[i].raw, strings[k].text), i == k);
        }
    }
    assert_false(px_json_means(PX_STR("abc"), PX_STR("b")));
    assert_false(px_json_means(PX_STR("\""), PX_STR("")));
}

static void test_halves_of_a_pair_that_come_together_are_written_as_a_pair(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(1000);
    assert_int_equal(px_json_unquote(PX_STR("\"\\ud83d\""), &out), PX_OK);
    assert_int_equal(px_json_unquote(PX_STR("\"\\ude00\""), &out), PX_OK);
    struct px_buf quoted = PX_BUF(1000);
    assert_int_equal(px_json_quote(&quoted, px_buf_str(&out)), PX_OK);
    assert_true(px_str_eq(px_buf_str(&quoted), PX_STR("\"\\ud83d\\ude00\"")));
    px_buf_free(&quoted);
    px_buf_free(&out);
}

static void test_bytes_that_are_not_text_become_replacement_characters(void **state)
{
    (void)state;
#define BAD "\357\277\275"
    static const struct {
        struct px_str text, raw;
    } cases[] = {
        { PX_STR("a\377b"), PX_STR("\"a" BAD "b\"") },
        { PX_STR("\200"), PX_STR("\"" BAD "\"") },
        { PX_STR("\300\200"), PX_STR("\"" BAD BAD "\"") },
        { PX_STR("\360\237\230"), PX_STR("\"" BAD BAD BAD "\"") },
        { PX_STR("\342\202"), PX_STR("\"" BAD BAD "\"") },
        { PX_STR("\355\240"), PX_STR("\"" BAD BAD "\"") },
        { PX_STR("\364\220\200\200x"), PX_STR("\"" BAD BAD BAD BAD "x\"") },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct px_buf out = PX_BUF(1000);
        assert_int_equal(px_json_quote(&out, cases[i].text), PX_OK);
        assert_true(px_str_eq(px_buf_str(&out), cases[i].raw));
        px_buf_free(&out);
    }
}

static void test_a_full_buffer_is_left_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct px_str raw = strings[i].raw, text = strings[i].text;
        for (size_t limit = 0; limit <= raw.len + 1; limit++) {
            struct px_buf out = PX_BUF(limit + 1);
            assert_int_equal(px_buf_add(&out, PX_STR("x")), PX_OK);
            enum px_status st = px_json_unquote(raw, &out);
            assert_int_equal(st, limit < text.len ? PX_ETOOBIG : PX_OK);
            assert_int_equal(out.len, st ? 1 : 1 + text.len);
            out.len = 1;
            st = px_json_quote(&out, text);
            if (strings[i].canonical) {
                assert_int_equal(st, limit < raw.len ? PX_ETOOBIG : PX_OK);
            }
            assert_true(out.len <= out.limit && (!st || out.len == 1));
            px_buf_free(&out);
        }
    }
}

static void test_only_strings_are_unquoted(void **state)
{
    (void)state;
    static const struct px_str others[] = { PX_STR(""), PX_STR("\""), PX_STR("1"), PX_STR("\"a"),
                                            PX_STR("a\"") };
    struct px_buf out = PX_BUF(100);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(px_json_unquote(others[i], &out), PX_EINVAL);
    }
    px_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_decoded_and_encoded),
        cmocka_unit_test(test_other_strings_mean_something_else),
        cmocka_unit_test(test_halves_of_a_pair_that_come_together_are_written_as_a_pair),
        cmocka_unit_test(test_bytes_that_are_not_text_become_replacement_characters),
        cmocka_unit_test(test_a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(test_only_strings_are_unquoted),
    };
    return cmocka_run_group_tests_name("json_string", tests, NULL, NULL);
}
