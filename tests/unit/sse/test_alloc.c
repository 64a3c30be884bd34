#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "failing.h"
#include "px/sse.h"

static enum px_status count_bytes(const struct px_sse_event *event, void *user)
{
    *(size_t *)user += event->data.len + event->type.len + event->id.len;
    return PX_OK;
}

/// Reads a stream in steps, as a connection would, from the parser's creation to its end.
static enum px_status read_stream(struct px_str input, size_t step, size_t *bytes)
{
    struct px_sse *sse = px_sse_new(4096);
    if (!sse) {
        return PX_ENOMEM;
    }
    enum px_status st = PX_OK;
    for (size_t at = 0; at < input.len && !st; at += step) {
        struct px_str piece = { input.ptr + at, input.len - at < step ? input.len - at : step };
        st = px_sse_feed(sse, piece, count_bytes, bytes);
    }
    st = st ? st : px_sse_end(sse, count_bytes, bytes);
    px_sse_free(sse);
    return st;
}

static void test_any_allocation_of_the_parser_may_fail(void **state)
{
    (void)state;
    static char input[2000];
    strcpy(input, "id: 7\nevent: x\ndata: a\ndata: b\n\nid: 8\nevent: y\ndata: ");
    memset(input + strlen(input), 'z', 600);
    strcat(input, "\ndata: c\n\nevent: last\ndata: d");
    struct px_str bytes = { input, strlen(input) };
    for (size_t step = 1; step <= bytes.len; step++) {
        bool failed = true;
        for (size_t n = 1; failed; n++) {
            size_t count = 0;
            failing_start(n);
            enum px_status st = read_stream(bytes, step, &count);
            failed = failing_stop();
            assert_int_equal(st, failed ? PX_ENOMEM : PX_OK);
            assert_true(failed || count == 3 + 1 + 1 + 602 + 1 + 1 + 1 + 4 + 1);
        }
    }
}

static void test_any_allocation_of_the_writer_may_fail(void **state)
{
    (void)state;
    static char data[2000];
    memset(data, '\n', sizeof(data));
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        struct px_buf out = PX_BUF(100000);
        failing_start(n);
        enum px_status st = px_sse_write(&out, PX_STR("x"), (struct px_str){ data, sizeof(data) });
        failed = failing_stop();
        assert_int_equal(st, failed ? PX_ENOMEM : PX_OK);
        assert_true(failed ? out.len == 0 : out.len > sizeof(data));
        px_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_allocation_of_the_parser_may_fail),
        cmocka_unit_test(test_any_allocation_of_the_writer_may_fail),
    };
    return cmocka_run_group_tests_name("sse/alloc", tests, NULL, NULL);
}
