#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "px/http_write.h"

static void assert_buf(const struct px_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->ptr, text, buf->len);
}

static void test_a_head_is_written_line_by_line(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(1000);
    assert_int_equal(px_http_write_status(&out, 404), PX_OK);
    assert_int_equal(px_http_write_header(&out, PX_STR("x-a"), PX_STR("b c")), PX_OK);
    assert_int_equal(px_http_write_header(&out, PX_STR("x-empty"), PX_STR("")), PX_OK);
    assert_int_equal(px_http_write_number(&out, PX_STR("content-length"), 0), PX_OK);
    assert_int_equal(px_http_write_number(&out, PX_STR("big"), UINT64_MAX), PX_OK);
    assert_int_equal(px_http_write_end(&out), PX_OK);
    assert_buf(&out, "HTTP/1.1 404 Not Found\r\nx-a: b c\r\nx-empty: \r\ncontent-length: 0\r\n"
                     "big: 18446744073709551615\r\n\r\n");
    px_buf_free(&out);
}

static void test_what_may_not_be_sent_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct px_str name, value;
    } cases[] = {
        { PX_STR("a"), PX_STR("b\r\nc: d") }, { PX_STR("a"), PX_STR("b\n") },
        { PX_STR("a"), PX_STR("\r") },        { PX_STR("a"), PX_STR("b\0") },
        { PX_STR("a"), PX_STR("\x7f") },      { PX_STR("a:"), PX_STR("b") },
        { PX_STR("a\r\n"), PX_STR("b") },     { PX_STR(""), PX_STR("b") },
        { PX_STR("a b"), PX_STR("b") },       { PX_STR("\xc3\xa4"), PX_STR("b") },
    };
    struct px_buf out = PX_BUF(1000);
    assert_int_equal(px_buf_add(&out, PX_STR("before")), PX_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(px_http_write_header(&out, cases[i].name, cases[i].value), PX_EINVAL);
    }
    assert_int_equal(px_http_write_status(&out, 99), PX_EINVAL);
    assert_int_equal(px_http_write_status(&out, 600), PX_EINVAL);
    assert_int_equal(px_http_write_number(&out, PX_STR("a b"), 1), PX_EINVAL);
    assert_buf(&out, "before");
    px_buf_free(&out);
}

static void test_a_full_buffer_stays_as_it_was(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(12);
    assert_int_equal(px_buf_add(&out, PX_STR("before")), PX_OK);
    assert_int_equal(px_http_write_status(&out, 200), PX_ETOOBIG);
    assert_int_equal(px_http_write_header(&out, PX_STR("a"), PX_STR("bcd")), PX_ETOOBIG);
    assert_int_equal(px_http_chunk_add(&out, PX_STR("0123456")), PX_ETOOBIG);
    assert_int_equal(px_http_chunk_add(&out, PX_STR("01")), PX_ETOOBIG);
    assert_buf(&out, "before");
    assert_int_equal(px_http_chunk_add(&out, PX_STR("0")), PX_OK);
    px_buf_free(&out);
}

static void test_statuses_have_words(void **state)
{
    (void)state;
    assert_string_equal(px_http_status_text(200), "OK");
    assert_string_equal(px_http_status_text(431), "Request Header Fields Too Large");
    assert_string_equal(px_http_status_text(299), "Success");
    assert_string_equal(px_http_status_text(499), "Client Error");
    assert_string_equal(px_http_status_text(0), "Unknown");
    assert_string_equal(px_http_status_text(-200), "Unknown");
}

static void test_dates_are_made_once_a_second(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777000, "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 951827696999, "Tue, 29 Feb 2000 12:34:56 GMT" },
        { 4102444799000, "Thu, 31 Dec 2099 23:59:59 GMT" },
    };
    struct px_http_date date = { 0 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_str text = px_http_date(&date, cases[i].ms);
        assert_int_equal(text.len, 29);
        assert_string_equal(text.ptr, cases[i].text);
    }
    date.text[0] = '?';
    assert_int_equal(px_http_date(&date, 4102444799999).ptr[0], '?');
    assert_int_equal(px_http_date(&date, 4102444800000).ptr[0], 'F');
}

static void test_chunks_are_framed(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(1000);
    assert_int_equal(px_http_chunk_open(&out, 26), PX_OK);
    assert_int_equal(px_http_chunk_close(&out), PX_OK);
    assert_int_equal(px_http_chunk_add(&out, PX_STR("0123456789")), PX_OK);
    assert_int_equal(px_http_chunk_add(&out, PX_STR("")), PX_OK);
    assert_int_equal(px_http_chunk_open(&out, 0), PX_OK);
    assert_int_equal(px_http_chunk_last(&out), PX_OK);
    assert_buf(&out, "1a\r\n\r\na\r\n0123456789\r\n0\r\n\r\n");
    px_buf_free(&out);
}

static void test_size_lines_have_no_leading_zeros(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *line;
    } cases[] = {
        { 1, "1\r\n" },        { 15, "f\r\n" },
        { 16, "10\r\n" },      { 255, "ff\r\n" },
        { 256, "100\r\n" },    { 16384, "4000\r\n" },
        { 65535, "ffff\r\n" }, { SIZE_MAX, "ffffffffffffffff\r\n" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char line[PX_HTTP_CHUNK_OPEN_MAX];
        assert_int_equal(px_http_chunk_line(line, cases[i].len), strlen(cases[i].line));
        assert_memory_equal(line, cases[i].line, strlen(cases[i].line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_is_written_line_by_line),
        cmocka_unit_test(test_what_may_not_be_sent_is_refused),
        cmocka_unit_test(test_a_full_buffer_stays_as_it_was),
        cmocka_unit_test(test_statuses_have_words),
        cmocka_unit_test(test_dates_are_made_once_a_second),
        cmocka_unit_test(test_chunks_are_framed),
        cmocka_unit_test(test_size_lines_have_no_leading_zeros),
    };
    return cmocka_run_group_tests_name("http/write", tests, NULL, NULL);
}
