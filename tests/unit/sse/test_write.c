#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "px/sse.h"

static struct px_str str(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

static void assert_buf(const struct px_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->ptr, text, buf->len);
}

static enum px_status expect_data(const struct px_sse_event *event, void *user)
{
    assert_true(px_str_eq(event->data, str(user)));
    return PX_OK;
}

static void test_events_are_written_as_lines(void **state)
{
    (void)state;
    static const struct {
        const char *type, *data, *wire, *read;
    } cases[] = {
        { "", "a", "data: a\n\n", "a" },
        { "ping", "{}", "event: ping\ndata: {}\n\n", "{}" },
        { "", "", "data: \n\n", "" },
        { "", "a\nb", "data: a\ndata: b\n\n", "a\nb" },
        { "", "a\r\nb\rc\n\rd", "data: a\ndata: b\ndata: c\ndata: \ndata: d\n\n", "a\nb\nc\n\nd" },
        { "", "\n", "data: \ndata: \n\n", "\n" },
        { "", " a\n", "data:  a\ndata: \n\n", " a\n" },
        { "", "a\r", "data: a\ndata: \n\n", "a\n" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_buf out = PX_BUF(100);
        struct px_sse sse;
        assert_int_equal(px_sse_write(&out, str(cases[i].type), str(cases[i].data)), PX_OK);
        assert_buf(&out, cases[i].wire);
        px_sse_init(&sse, 100);
        assert_int_equal(
            px_sse_feed(&sse, px_buf_str(&out), expect_data, (void *)(uintptr_t)cases[i].read),
            PX_OK);
        px_sse_deinit(&sse);
        px_buf_free(&out);
    }
}

static void test_nothing_can_be_empty_spans(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(100);
    struct px_str none = { NULL, 0 };
    assert_int_equal(px_sse_write(&out, none, none), PX_OK);
    assert_int_equal(px_sse_write_comment(&out, none), PX_OK);
    assert_buf(&out, "data: \n\n: \n\n");
    px_buf_free(&out);
}

static void test_comments_are_written(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(100);
    assert_int_equal(px_sse_write_comment(&out, PX_STR("keep-alive")), PX_OK);
    assert_buf(&out, ": keep-alive\n\n");
    px_buf_free(&out);
}

static void test_line_ends_in_types_and_comments_are_refused(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(100);
    assert_int_equal(px_buf_add(&out, PX_STR("x")), PX_OK);
    assert_int_equal(px_sse_write(&out, PX_STR("a\nb"), PX_STR("c")), PX_EINVAL);
    assert_int_equal(px_sse_write(&out, PX_STR("a\r"), PX_STR("c")), PX_EINVAL);
    assert_int_equal(px_sse_write(&out, PX_STR("a\0"), PX_STR("c")), PX_EINVAL);
    assert_int_equal(px_sse_write_comment(&out, PX_STR("a\ndata: b")), PX_EINVAL);
    assert_int_equal(px_sse_write_comment(&out, PX_STR("\r")), PX_EINVAL);
    assert_buf(&out, "x");
    px_buf_free(&out);
}

static void test_a_full_buffer_stays_as_it_was(void **state)
{
    (void)state;
    static const char wire[] = "event: x\ndata: a\ndata: b\n\n";
    for (size_t limit = 0; limit < sizeof(wire) - 1; limit++) {
        struct px_buf out = PX_BUF(limit);
        assert_int_equal(px_sse_write(&out, PX_STR("x"), PX_STR("a\nb")), PX_ETOOBIG);
        assert_int_equal(px_sse_write_comment(&out, str("twenty-two bytes long.")), PX_ETOOBIG);
        assert_int_equal(out.len, 0);
        px_buf_free(&out);
    }
    struct px_buf out = PX_BUF(sizeof(wire) - 1);
    assert_int_equal(px_sse_write(&out, PX_STR("x"), PX_STR("a\nb")), PX_OK);
    assert_buf(&out, wire);
    px_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_written_as_lines),
        cmocka_unit_test(test_nothing_can_be_empty_spans),
        cmocka_unit_test(test_comments_are_written),
        cmocka_unit_test(test_line_ends_in_types_and_comments_are_refused),
        cmocka_unit_test(test_a_full_buffer_stays_as_it_was),
    };
    return cmocka_run_group_tests_name("sse/write", tests, NULL, NULL);
}
