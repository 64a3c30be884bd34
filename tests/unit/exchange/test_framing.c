#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "framing.h"

struct trace {
    char text[512];
};

static enum px_status record(const struct px_sse_event *event, void *user)
{
    struct trace *trace = user;
    size_t len = strlen(trace->text);
    snprintf(trace->text + len, sizeof(trace->text) - len, "[%.*s%s]", (int)event->data.len,
             event->data.ptr, event->open ? "?" : "");
    return PX_OK;
}

static void test_lines_do_not_depend_on_how_bytes_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *input, *events;
        bool idle;
    } cases[] = {
        { "{\"a\":1}\n{\"b\":2}\n", "[{\"a\":1}][{\"b\":2}]", true },
        { "{}\r\n\r\n\n{}\r\n", "[{}][{}]", true },
        { "{}\n{\"half\":", "[{}][{\"half\":?]", false },
        { "", "", true },
        { "\n\n", "", true },
        { "data: {}\n", "[data: {}]", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t len = strlen(cases[i].input);
        for (size_t step = 1; step <= len + 1; step++) {
            struct framing framing;
            struct trace trace = { "" };
            framing_init(&framing, PX_FRAMING_LINES, 64);
            for (size_t at = 0; at < len; at += step) {
                struct px_str piece = { cases[i].input + at, len - at < step ? len - at : step };
                assert_int_equal(framing_feed(&framing, piece, record, &trace), PX_OK);
            }
            assert_int_equal(framing_idle(&framing), cases[i].idle);
            assert_int_equal(framing_end(&framing, record, &trace), PX_OK);
            assert_string_equal(trace.text, cases[i].events);
            framing_deinit(&framing);
        }
    }
}

static enum px_status note_end(const struct px_sse_event *event, void *user)
{
    *(size_t *)user = event->end;
    return PX_OK;
}

static void test_an_event_says_where_its_line_ends(void **state)
{
    (void)state;
    struct framing framing;
    size_t end = 0;
    framing_init(&framing, PX_FRAMING_LINES, 64);
    assert_int_equal(framing_feed(&framing, PX_STR("{}\n{\"x\""), note_end, &end), PX_OK);
    assert_int_equal(end, 3);
    assert_int_equal(framing_feed(&framing, PX_STR(":1}\r\nrest"), note_end, &end), PX_OK);
    assert_int_equal(end, 5);
    framing_deinit(&framing);
}

static void test_a_line_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct framing framing;
    struct trace trace = { "" };
    framing_init(&framing, PX_FRAMING_LINES, 8);
    assert_int_equal(framing_feed(&framing, PX_STR("12345678"), record, &trace), PX_OK);
    assert_int_equal(framing_feed(&framing, PX_STR("9"), record, &trace), PX_ETOOBIG);
    framing_deinit(&framing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_do_not_depend_on_how_bytes_are_split),
        cmocka_unit_test(test_an_event_says_where_its_line_ends),
        cmocka_unit_test(test_a_line_over_the_limit_is_refused),
    };
    return cmocka_run_group_tests_name("exchange/framing", tests, NULL, NULL);
}
