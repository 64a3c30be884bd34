#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "px/buf.h"
#include "px/http_body.h"

struct outcome {
    enum px_status status;
    bool done;
    size_t used;
    struct px_buf content;
};

static void feed(struct px_http_body *body, struct px_str piece, struct outcome *outcome)
{
    size_t len = piece.len;
    while (piece.len && !px_http_body_done(body) && !outcome->status) {
        struct px_str content;
        outcome->status = px_http_body_next(body, &piece, &content, NULL);
        if (!outcome->status) {
            assert_int_equal(px_buf_add(&outcome->content, content), PX_OK);
        }
    }
    outcome->used += len - piece.len;
}

static void run(struct px_http_body body, struct px_str input, size_t step, struct outcome *outcome)
{
    *outcome = (struct outcome){ .content = PX_BUF(SIZE_MAX / 2) };
    for (size_t at = 0; at < input.len && !outcome->status; at += step) {
        size_t len = input.len - at < step ? input.len - at : step;
        feed(&body, (struct px_str){ input.ptr + at, len }, outcome);
    }
    outcome->done = px_http_body_done(&body);
}

static void test_chunks_are_joined_however_they_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *input, *content, *rest;
    } cases[] = {
        { "0\r\n\r\n", "", "" },
        { "5\r\nhello\r\n0\r\n\r\n", "hello", "" },
        { "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hello", "GET / HTTP/1.1\r\n" },
        { "1\r\na\r\n2\r\nbc\r\n00\r\n\r\n", "abc", "" },
        { "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", "" },
        { "0000a;name=\"v;\x80\"\r\n0123\r\n6789\r\n0;last\r\n\r\n", "0123\r\n6789", "" },
        { "2\r\n\r\n\r\n0\r\n\r\n\r\n", "\r\n", "\r\n" },
        { "1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\nx", "a", "x" },
    };
    struct px_http_body body;
    px_http_body_init_chunked(&body);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_str input = { cases[i].input, strlen(cases[i].input) };
        for (size_t step = 1; step <= input.len; step++) {
            struct outcome outcome;
            run(body, input, step, &outcome);
            assert_int_equal(outcome.status, PX_OK);
            assert_true(outcome.done);
            assert_int_equal(outcome.content.len, strlen(cases[i].content));
            if (outcome.content.len) {
                assert_memory_equal(outcome.content.ptr, cases[i].content, outcome.content.len);
            }
            if (step == input.len) {
                assert_string_equal(input.ptr + outcome.used, cases[i].rest);
            }
            px_buf_free(&outcome.content);
        }
    }
}

static void test_broken_framing_is_refused_however_it_is_split(void **state)
{
    (void)state;
    static const struct px_str cases[] = {
        { "\r\n", 2 },
        { ";a\r\n", 4 },
        { "g\r\n", 3 },
        { "0x5\r\n", 5 },
        { "-5\r\n", 4 },
        { "+5\r\n", 4 },
        { " 5\r\n", 4 },
        { "5 \r\n", 4 },
        { "5\n", 2 },
        { "5\rx", 3 },
        { "5;a\nb\r\n", 7 },
        { "5;a\0b\r\n", 7 },
        { "5;a\rb\r\n", 7 },
        { "1\r\nab", 5 },
        { "1\r\na\n", 5 },
        { "1\r\na\rb", 6 },
        { "ffffffffffffffff\r\n", 18 },
        { "8000000000000000\r\n", 18 },
        { "10000000000000001\r\n", 19 },
        { "0\r\n a: b\r\n\r\n", 12 },
        { "0\r\na: b\n\r\n", 10 },
        { "0\r\na: b\rc", 9 },
        { "0\r\na\r\n\r\n", 8 },
        { "0\r\na b: c\r\n\r\n", 13 },
        { "0\r\na: \0\r\n\r\n", 11 },
        { "0\r\n:\r\n\r\n", 8 },
        { "0\r\n\rx", 5 },
    };
    struct px_http_body body;
    px_http_body_init_chunked(&body);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= cases[i].len; step++) {
            struct outcome outcome;
            run(body, cases[i], step, &outcome);
            if (outcome.status != PX_EINVAL) {
                print_error("%s in steps of %zu\n", cases[i].ptr, step);
            }
            assert_int_equal(outcome.status, PX_EINVAL);
            assert_false(outcome.done);
            px_buf_free(&outcome.content);
        }
    }
}

static void test_the_largest_size_is_not_refused(void **state)
{
    (void)state;
    struct px_http_body body;
    px_http_body_init_chunked(&body);
    struct px_str bytes = PX_STR("7fffffffffffffff\r\nabc"), content;
    assert_int_equal(px_http_body_next(&body, &bytes, &content, NULL), PX_OK);
    assert_true(px_str_eq(content, PX_STR("abc")));
    assert_int_equal(body.left, INT64_MAX - 3);
}

static void test_content_is_handed_out_in_place(void **state)
{
    (void)state;
    struct px_http_body body;
    px_http_body_init_chunked(&body);
    const struct px_str all = PX_STR("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    struct px_str bytes = all, content;
    assert_int_equal(px_http_body_next(&body, &bytes, &content, NULL), PX_OK);
    assert_ptr_equal(content.ptr, all.ptr + 3);
    assert_int_equal(content.len, 3);
    assert_int_equal(px_http_body_next(&body, &bytes, &content, NULL), PX_OK);
    assert_true(px_str_eq(content, PX_STR("de")));
    assert_int_equal(px_http_body_next(&body, &bytes, &content, NULL), PX_OK);
    assert_int_equal(content.len, 0);
    assert_true(px_http_body_done(&body));
    assert_int_equal(bytes.len, 0);
}

static void test_a_body_with_a_length_ends_there(void **state)
{
    (void)state;
    struct px_http_head head = { .content_length = 5 };
    struct px_http_body body;
    px_http_body_init(&body, &head);
    for (size_t step = 1; step <= 9; step++) {
        struct outcome outcome;
        run(body, PX_STR("helloGET "), step, &outcome);
        assert_int_equal(outcome.status, PX_OK);
        assert_true(outcome.done);
        assert_true(px_str_eq(px_buf_str(&outcome.content), PX_STR("hello")));
        px_buf_free(&outcome.content);
    }
    struct outcome cut;
    run(body, PX_STR("hell"), 4, &cut);
    assert_false(cut.done);
    px_buf_free(&cut.content);
}

static void test_no_body_is_done_at_once(void **state)
{
    (void)state;
    static const int64_t lengths[] = { -1, 0 };
    for (size_t i = 0; i < 2; i++) {
        struct px_http_head head = { .content_length = lengths[i] };
        struct px_http_body body;
        px_http_body_init(&body, &head);
        assert_true(px_http_body_done(&body));
        struct px_str bytes = PX_STR("next"), content;
        assert_int_equal(px_http_body_next(&body, &bytes, &content, NULL), PX_OK);
        assert_int_equal(content.len, 0);
        assert_int_equal(bytes.len, 4);
    }
    struct px_http_head head = { .content_length = -1, .chunked = true };
    struct px_http_body body;
    px_http_body_init(&body, &head);
    assert_false(px_http_body_done(&body));
}

/// Feeds `start`, then `filler` as often as it takes to be refused. Returns how many bytes passed.
static size_t fill(struct px_str start, struct px_str filler, enum px_status *st)
{
    struct px_http_body body;
    struct px_str content;
    size_t passed = 0;
    px_http_body_init_chunked(&body);
    for (struct px_str piece = start; !*st && passed < 1000000; passed += piece.len) {
        piece = passed ? filler : start;
        struct px_str rest = piece;
        while (rest.len && !*st) {
            *st = px_http_body_next(&body, &rest, &content, NULL);
        }
    }
    return passed;
}

static void test_framing_over_its_limits_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct px_str start, filler;
        size_t limit;
    } cases[] = {
        { PX_STR("0"), PX_STR("0"), PX_HTTP_CHUNK_LINE_MAX },
        { PX_STR("5;"), PX_STR("a"), PX_HTTP_CHUNK_LINE_MAX },
        { PX_STR("0\r\na:"), PX_STR("b"), PX_HTTP_TRAILERS_MAX + 3 },
        { PX_STR("0\r\n"), PX_STR("a:\r\n"), PX_HTTP_TRAILERS_MAX * 4 / 3 + 3 },
        { PX_STR("1;abcdef\r\nx\r\n"), PX_STR("1;abcdef\r\nx\r\n"),
          PX_HTTP_CHUNK_EXT_MAX / 7 * 13 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum px_status st = PX_OK;
        size_t passed = fill(cases[i].start, cases[i].filler, &st);
        assert_int_equal(st, PX_ETOOBIG);
        assert_true(passed >= cases[i].limit && passed <= cases[i].limit + 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_are_joined_however_they_are_split),
        cmocka_unit_test(test_broken_framing_is_refused_however_it_is_split),
        cmocka_unit_test(test_the_largest_size_is_not_refused),
        cmocka_unit_test(test_content_is_handed_out_in_place),
        cmocka_unit_test(test_a_body_with_a_length_ends_there),
        cmocka_unit_test(test_no_body_is_done_at_once),
        cmocka_unit_test(test_framing_over_its_limits_is_refused),
    };
    return cmocka_run_group_tests_name("http/body", tests, NULL, NULL);
}
