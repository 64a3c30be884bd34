#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "px/http_url.h"

static struct px_str str(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

static void assert_buf(struct px_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    if (buf->len) {
        assert_memory_equal(buf->ptr, text, buf->len);
    }
    px_buf_free(buf);
}

static void test_a_target_is_split_at_its_first_question_mark(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        { "/a/b", "/a/b", "" }, { "/a?b=c", "/a", "b=c" }, { "/a?b?c", "/a", "b?c" },
        { "/?", "/", "" },      { "?", "", "" },           { "", "", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_str path, query;
        px_http_url_split(str(cases[i].target), &path, &query);
        assert_true(px_str_eq(path, str(cases[i].path)));
        assert_true(px_str_eq(query, str(cases[i].query)));
        px_http_url_split(str(cases[i].target), NULL, NULL);
    }
}

static void test_escapes_are_undone_in_segments(void **state)
{
    (void)state;
    static const struct {
        const char *segment, *plain;
    } cases[] = {
        { "", "" },
        { "gpt-4o", "gpt-4o" },
        { "a%2Fb%2fc", "a/b/c" },
        { "a+b%20c", "a+b c" },
        { "%C3%A4", "\xc3\xa4" },
        { "%2541", "%41" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_buf out = PX_BUF(100);
        assert_int_equal(px_http_url_decode(str(cases[i].segment), &out), PX_OK);
        assert_buf(&out, cases[i].plain);
    }
}

static void test_broken_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = { "%",   "a%",   "%2",    "%g0",  "%0g",
                                         "%00", "%0aa", "b%0D%", "%7fx", "a\x01" };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_buf out = PX_BUF(100);
        assert_int_equal(px_buf_add(&out, PX_STR("x")), PX_OK);
        assert_int_equal(px_http_url_decode(str(cases[i]), &out), PX_EINVAL);
        assert_buf(&out, "x");
    }
}

static void test_escaping_is_undone_by_unescaping(void **state)
{
    (void)state;
    struct px_buf coded = PX_BUF(100), out = PX_BUF(100);
    assert_int_equal(px_http_url_encode(PX_STR("a b+/%?&=#~\xc3\xa4"), &coded), PX_OK);
    assert_int_equal(px_http_url_decode(px_buf_str(&coded), &out), PX_OK);
    assert_buf(&out, "a b+/%?&=#~\xc3\xa4");
    assert_buf(&coded, "a%20b%2B%2F%25%3F%26%3D%23~%C3%A4");
}

static void test_a_parameter_is_found_and_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *query, *value;
    } cases[] = {
        { "key=abc", "abc" },   { "a=b&key=c+d%2b", "c d+" },
        { "key=1&key=2", "1" }, { "k%65y=x", "x" },
        { "key", "" },          { "key=&a", "" },
        { "key=a=b", "a=b" },   { "&&key=x", "x" },
        { "Key=a", NULL },      { "keys=a", NULL },
        { "ke=a", NULL },       { "k%6=a&b", NULL },
        { "", NULL },           { "a=key", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_buf out = PX_BUF(100);
        bool found = !cases[i].value;
        struct px_str query = str(cases[i].query);
        assert_int_equal(px_http_query_get(query, PX_STR("key"), &out, &found), PX_OK);
        assert_int_equal(found, cases[i].value != NULL);
        assert_buf(&out, found ? cases[i].value : "");
    }
    struct px_buf out = PX_BUF(100);
    bool found = false;
    struct px_str query = PX_STR("key=a%0d%0ab");
    assert_int_equal(px_http_query_get(query, PX_STR("key"), &out, &found), PX_EINVAL);
    assert_false(found);
    assert_buf(&out, "");
}

static void test_a_parameter_is_taken_out(void **state)
{
    (void)state;
    static const struct {
        const char *query, *rest;
    } cases[] = {
        { "key=secret", "" },
        { "a=b&key=secret&c=d", "a=b&c=d" },
        { "key=secret&alt=sse", "alt=sse" },
        { "alt=sse&key=secret", "alt=sse" },
        { "key=1&key=2&%6b%65%79=3&key", "" },
        { "keys=1&%zz=2&k%6=3&a=key%20", "keys=1&%zz=2&k%6=3&a=key%20" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_buf out = PX_BUF(100);
        struct px_str query = str(cases[i].query);
        assert_int_equal(px_http_query_without(query, PX_STR("key"), &out), PX_OK);
        assert_buf(&out, cases[i].rest);
    }
}

static void test_a_full_buffer_stays_as_it_was(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(4);
    bool found = false;
    assert_int_equal(px_buf_add(&out, PX_STR("x")), PX_OK);
    assert_int_equal(px_http_url_decode(PX_STR("abcd"), &out), PX_ETOOBIG);
    assert_int_equal(px_http_url_encode(PX_STR("a/"), &out), PX_ETOOBIG);
    struct px_str query = PX_STR("k=abcd&l");
    assert_int_equal(px_http_query_get(query, PX_STR("k"), &out, &found), PX_ETOOBIG);
    assert_int_equal(px_http_query_without(query, PX_STR("m"), &out), PX_ETOOBIG);
    assert_int_equal(px_http_query_without(query, PX_STR("l"), &out), PX_ETOOBIG);
    assert_buf(&out, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_target_is_split_at_its_first_question_mark),
        cmocka_unit_test(test_escapes_are_undone_in_segments),
        cmocka_unit_test(test_broken_escapes_are_refused),
        cmocka_unit_test(test_escaping_is_undone_by_unescaping),
        cmocka_unit_test(test_a_parameter_is_found_and_decoded),
        cmocka_unit_test(test_a_parameter_is_taken_out),
        cmocka_unit_test(test_a_full_buffer_stays_as_it_was),
    };
    return cmocka_run_group_tests_name("http/url", tests, NULL, NULL);
}
