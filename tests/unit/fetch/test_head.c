// The head of an answer, line by line.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "head.h"

/// Feeds `text` line by line; the last verdict that is not PX_ANSWER_MORE or PX_ANSWER_BEGUN.
static enum px_answer_line feed(struct px_answer *answer, const char *text)
{
    px_answer_init(answer);
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t len = end ? (size_t)(end - text) + 1 : strlen(text);
        enum px_answer_line verdict = px_answer_add(answer, (struct px_str){ text, len });
        if (verdict != PX_ANSWER_MORE && verdict != PX_ANSWER_BEGUN) {
            return verdict;
        }
        text += len;
    }
    return PX_ANSWER_MORE;
}

static void test_fields_are_read_and_junk_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        int64_t length;
        const char *fields;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 200, -1, "A=b;" },
        { "HTTP/1.1 200 OK\nA:b\n\n", 200, -1, "A=b;" },
        { "HTTP/2 404 \r\nx: \r\n\r\n", 404, -1, "x=;" },
        { "HTTP/1.1 200 OK\r\nA: \t b c \t\r\n\r\n", 200, -1, "A=b c;" },
        { "HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n  d\r\nE: f\r\n\r\n", 200, -1, "A=b  \tc    d;E=f;" },
        { "HTTP/1.1 200 OK\r\nno colon\r\nA : b\r\n: c\r\nA(): d\r\nOK: e\r\n\r\n", 200, -1,
          "OK=e;" },
        { "HTTP/1.1 200 OK\r\nA: b\rc\r\nD: \001\r\nE: f\r\n\r\n", 200, -1, "E=f;" },
        { "HTTP/1.1 200 OK\r\nA: \303\251:x\r\n\r\n", 200, -1, "A=\303\251:x;" },
        { "HTTP/1.1 103 Early\r\nL: x\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", 200, -1, "A=b;" },
        { "HTTP/1.1 200 OK\r\ncontent-LENGTH: 12\r\n\r\n", 200, 12, "content-LENGTH=12;" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", 200, -1, "Content-Length=1x;" },
        { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200, -1, "Content-Length=-1;" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 200, -1,
          "Content-Length=99999999999999999999;" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 200, -1,
          "Content-Length=1;Transfer-Encoding=chunked;" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_answer answer;
        struct px_fetch_head head;
        char fields[200] = "";
        assert_int_equal(feed(&answer, cases[i].text), PX_ANSWER_HEAD);
        assert_int_equal(px_answer_read(&answer, &head), PX_OK);
        for (size_t j = 0; j < head.header_count; j++) {
            sprintf(fields + strlen(fields), "%.*s=%.*s;", (int)head.headers[j].name.len,
                    head.headers[j].name.ptr, (int)head.headers[j].value.len,
                    head.headers[j].value.ptr);
        }
        assert_int_equal(head.status, cases[i].status);
        assert_int_equal(head.content_length, cases[i].length);
        assert_string_equal(fields, cases[i].fields);
        free((void *)head.headers);
        px_answer_deinit(&answer);
    }
}

static void test_a_first_line_that_is_no_status_is_bad(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\r\n",
        "HTTP\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 \r\n",
        "HTTP/1.1 2\r\n",
        "HTTP/1.1 2000 x\r\n",
        "HTTP/1.1 099 x\r\n",
        "HTTP/1.1 abc\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "ICY 200 OK\r\n",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_answer answer;
        assert_int_equal(feed(&answer, cases[i]), PX_ANSWER_BAD);
        px_answer_deinit(&answer);
    }
}

static void test_interim_heads_count_towards_the_limit(void **state)
{
    (void)state;
    struct px_answer answer;
    px_answer_init(&answer);
    enum px_answer_line verdict = PX_ANSWER_MORE;
    size_t count = 0;
    for (; verdict == PX_ANSWER_MORE && count < 100000; count++) {
        verdict = px_answer_add(&answer, PX_STR("HTTP/1.1 100 Continue\r\n"));
        verdict = verdict ? verdict : px_answer_add(&answer, PX_STR("\r\n"));
    }
    assert_int_equal(verdict, PX_ANSWER_TOO_LARGE);
    assert_true(count < 3000);
    px_answer_deinit(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_read_and_junk_is_left_out),
        cmocka_unit_test(test_a_first_line_that_is_no_status_is_bad),
        cmocka_unit_test(test_interim_heads_count_towards_the_limit),
    };
    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
