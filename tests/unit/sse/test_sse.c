#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "px/sse.h"

/// Events as text: "[type|data]", with "#id" behind the data if there is one.
struct trace {
    struct px_buf text;
    struct px_str feed;  ///< The current feed.
    size_t relayed;      ///< Bytes of it that lie before the end of the last event.
    enum px_status answer;
};

static void add(struct trace *trace, struct px_str bytes)
{
    assert_int_equal(px_buf_add(&trace->text, bytes), PX_OK);
}

static enum px_status record(const struct px_sse_event *event, void *user)
{
    struct trace *trace = user;
    add(trace, event->open ? PX_STR("{") : PX_STR("["));
    add(trace, event->type);
    add(trace, PX_STR("|"));
    add(trace, event->data);
    if (event->id.len) {
        add(trace, PX_STR("#"));
        add(trace, event->id);
    }
    add(trace, event->open ? PX_STR("}") : PX_STR("]"));
    assert_true(event->end <= trace->feed.len);
    assert_true(event->end >= trace->relayed || event->open);
    trace->relayed = event->end;
    return trace->answer;
}

static void assert_events(const struct trace *trace, const char *events)
{
    if (trace->text.len != strlen(events) ||
        (trace->text.len && memcmp(trace->text.ptr, events, trace->text.len) != 0)) {
        print_error("%.*s instead of %s\n", (int)trace->text.len, trace->text.ptr, events);
        fail();
    }
}

static enum px_status feed(struct px_sse *sse, struct px_str bytes, struct trace *trace)
{
    // Bytes of its own that die with the feed, so that a span kept too long is found.
    char *copy = malloc(bytes.len + 1);
    assert_non_null(copy);
    memcpy(copy, bytes.ptr, bytes.len);
    trace->feed = (struct px_str){ copy, bytes.len };
    trace->relayed = 0;
    enum px_status st = px_sse_feed(sse, trace->feed, record, trace);
    free(copy);
    return st;
}

static enum px_status run(struct px_str input, size_t step, size_t limit, struct trace *trace)
{
    struct px_sse *sse = px_sse_new(limit);
    enum px_status st = PX_OK;
    assert_non_null(sse);
    *trace = (struct trace){ .text = PX_BUF(SIZE_MAX / 2) };
    for (size_t at = 0; at < input.len && !st; at += step) {
        size_t len = input.len - at < step ? input.len - at : step;
        st = feed(sse, (struct px_str){ input.ptr + at, len }, trace);
    }
    st = st ? st : px_sse_end(sse, record, trace);
    px_sse_free(sse);
    return st;
}

static void test_events_do_not_depend_on_how_bytes_are_split(void **state)
{
    (void)state;
    static const struct {
        struct px_str input;
        const char *events;
    } cases[] = {
        { PX_STR(""), "" },
        { PX_STR("data: a\n\n"), "[message|a]" },
        { PX_STR("event: ping\ndata: {}\n\n"), "[ping|{}]" },
        { PX_STR("data: {}\nevent: ping\n\n"), "[ping|{}]" },
        { PX_STR("data: a\ndata: b\n\n"), "[message|a\nb]" },
        { PX_STR("data: a\ndata\ndata: c\ndata:\n\n"), "[message|a\n\nc\n]" },
        { PX_STR("data: a\r\n\r\ndata: b\r\r"), "[message|a][message|b]" },
        { PX_STR("data: a\rdata: b\r\ndata: c\n\r"), "[message|a\nb\nc]" },
        { PX_STR("\r\n\r\n\n\n\r\rdata: a\n\n"), "[message|a]" },
        { PX_STR("data:\n\n"), "[message|]" },
        { PX_STR("data\n\n"), "[message|]" },
        { PX_STR("data:a\n\n"), "[message|a]" },
        { PX_STR("data:a\n\ndata: b\n\ndata: c\n\n"), "[message|a][message|b][message|c]" },
        { PX_STR(": comment\n\nevent: x\n\ndata: a\n\n"), "[message|a]" },
        { PX_STR("event: x\n: comment\nevent: y\ndata: a\n\ndata: b\n\n"), "[y|a][message|b]" },
        { PX_STR("event: x\nevent:\ndata: a\n\n"), "[message|a]" },
        { PX_STR("\357\273\277data: bom\n\n"), "[message|bom]" },
        { PX_STR("\357\273\277\n\357\273\277data: bom\n\n"), "" },
        { PX_STR("\n\357\273\277data: bom\n\n"), "" },
        { PX_STR("data:  two spaces\nretry: 5\nunknown\n\n"), "[message| two spaces]" },
        { PX_STR(" data: a\nData: b\ndata : c\ndatax: d\n\n"), "" },
        { PX_STR("data: a: b\n\n"), "[message|a: b]" },
        { PX_STR("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"),
          "[message|a#1][message|b#1][message|c]" },
        { PX_STR("id: 1\n\nid: 2\0\ndata: a\n\n"), "[message|a#1]" },
        { PX_STR("data: a\0b\n\n"), "[message|a\0b]" },
        // The end without a blank line.
        { PX_STR("data: a\n\ndata: b\n"), "[message|a]{message|b}" },
        { PX_STR("data: a\n\ndata: b"), "[message|a]{message|b}" },
        { PX_STR("data: a\r\n\r\ndata: b\r"), "[message|a]{message|b}" },
        { PX_STR("data: a\ndata: b\nevent: x"), "{x|a\nb}" },
        { PX_STR("data: a\ndat"), "{message|a}" },
        { PX_STR("event: x\n"), "" },
        { PX_STR("data"), "{message|}" },
        { PX_STR("\357\273\277"), "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= cases[i].input.len; step++) {
            struct trace trace;
            assert_int_equal(run(cases[i].input, step, 1024, &trace), PX_OK);
            if (!memchr(cases[i].input.ptr, '\0', cases[i].input.len)) {
                assert_events(&trace, cases[i].events);
            } else {
                assert_int_equal(trace.text.len, sizeof("[message|a?b]") - 1);
            }
            px_buf_free(&trace.text);
        }
    }
}

static void test_an_event_within_one_feed_is_not_copied(void **state)
{
    (void)state;
    struct px_sse sse;
    struct trace trace = { .text = PX_BUF(100) };
    px_sse_init(&sse, 1024);
    assert_int_equal(feed(&sse, PX_STR("event: x\ndata: a\n\ndata: b\n\n"), &trace), PX_OK);
    assert_events(&trace, "[x|a][message|b]");
    assert_null(sse.line.ptr);
    assert_null(sse.store.ptr);
    assert_null(sse.names.ptr);
    assert_true(px_sse_idle(&sse));
    px_sse_deinit(&sse);
    px_buf_free(&trace.text);
}

static enum px_status record_end(const struct px_sse_event *event, void *user)
{
    size_t **at = user;
    *(*at)++ = event->end;
    return PX_OK;
}

static void test_an_event_says_where_it_ends_in_the_feed(void **state)
{
    (void)state;
    static const struct {
        struct px_str feed;
        size_t ends[3];
    } cases[] = {
        { PX_STR("data: a\n\n"), { 9 } },
        { PX_STR("data: a\n\ndata: b\n\n: c\n\ndata"), { 9, 18 } },
        { PX_STR("\ndata: c\r\n\r\ndata: d\r\r\r"), { 12, 21 } },
        { PX_STR("data: d\r\n\r"), { 10 } },
        { PX_STR("\n: comment\ndata: e\n\n"), { 20 } },
    };
    struct px_sse sse;
    px_sse_init(&sse, 1024);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t ends[9] = { 0 }, *at = ends;
        assert_int_equal(px_sse_feed(&sse, cases[i].feed, record_end, &at), PX_OK);
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(ends[k], cases[i].ends[k]);
        }
    }
    px_sse_deinit(&sse);
}

static void test_a_feed_of_nothing_does_nothing(void **state)
{
    (void)state;
    struct px_sse sse;
    struct trace trace = { .text = PX_BUF(100) };
    px_sse_init(&sse, 1024);
    assert_int_equal(px_sse_feed(&sse, (struct px_str){ NULL, 0 }, record, &trace), PX_OK);
    assert_int_equal(feed(&sse, PX_STR("data: a\r"), &trace), PX_OK);
    assert_false(px_sse_idle(&sse));
    assert_int_equal(px_sse_feed(&sse, (struct px_str){ NULL, 0 }, record, &trace), PX_OK);
    assert_int_equal(feed(&sse, PX_STR("\n\r\n"), &trace), PX_OK);
    assert_events(&trace, "[message|a]");
    px_sse_deinit(&sse);
    px_buf_free(&trace.text);
}

static void test_events_over_the_limit_are_too_big_however_they_are_split(void **state)
{
    (void)state;
    static const struct {
        struct px_str input;
        enum px_status status;
        const char *events;
    } cases[] = {
        { PX_STR("data: 0123\n\ndata: 0123"), PX_OK, "[message|0123]{message|0123}" },
        { PX_STR("data: 0123\n\ndata: 01234\n\n"), PX_ETOOBIG, "[message|0123]" },
        { PX_STR("data: 0123\n\ndata: 01234"), PX_ETOOBIG, "[message|0123]" },
        { PX_STR(":012345678\n:0123456789\n"), PX_ETOOBIG, "" },
        { PX_STR("id: 012345\nevent: 012345\n"), PX_ETOOBIG, "" },
        { PX_STR("data:0123\ndata:4\ndata:56\ndata\n\n"), PX_OK, "[message|0123\n4\n56\n]" },
        { PX_STR("data:0123\ndata:4\ndata:567\ndata\n\n"), PX_ETOOBIG, "" },
        { PX_STR("data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n"), PX_OK,
          "[message|\n\n\n\n\n\n\n\n\n\n]" },
        { PX_STR("data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n"),
          PX_ETOOBIG, "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= cases[i].input.len; step++) {
            struct trace trace;
            assert_int_equal(run(cases[i].input, step, 10, &trace), cases[i].status);
            assert_events(&trace, cases[i].events);
            px_buf_free(&trace.text);
        }
    }
}

static void test_the_callback_stops_the_feed(void **state)
{
    (void)state;
    struct px_sse sse;
    struct trace trace = { .text = PX_BUF(100), .answer = PX_ECANCELED };
    px_sse_init(&sse, 1024);
    assert_int_equal(feed(&sse, PX_STR("data: a\n\ndata: b\n\n"), &trace), PX_ECANCELED);
    assert_events(&trace, "[message|a]");
    px_sse_deinit(&sse);
    px_buf_free(&trace.text);
}

static void test_no_large_buffer_is_kept_between_events(void **state)
{
    (void)state;
    static char input[30000];
    struct px_sse sse;
    struct trace trace = { .text = PX_BUF(SIZE_MAX / 2) };
    memset(input, 'x', sizeof(input));
    memcpy(input, "data: ", 6);
    memcpy(input + 20000, "\ndata: ", 7);
    memcpy(input + sizeof(input) - 3, "\n\ne", 3);
    px_sse_init(&sse, 1 << 20);
    for (size_t at = 0; at < sizeof(input); at += 7500) {
        assert_int_equal(feed(&sse, (struct px_str){ input + at, 7500 }, &trace), PX_OK);
    }
    assert_true(trace.text.len > 29000);
    assert_false(px_sse_idle(&sse));
    assert_true(sse.line.cap + sse.store.cap + sse.names.cap + sse.id.cap <= 2048);
    px_sse_deinit(&sse);
    px_buf_free(&trace.text);
}

static void test_many_lines_cost_no_more_than_their_bytes(void **state)
{
    (void)state;
    // A line end of one kind far away must not be looked for again at each line of the other kind:
    // with 4 MB of one-byte lines that would take minutes.
    size_t len = 4 << 20;
    char *input = malloc(len);
    assert_non_null(input);
    struct trace trace = { .text = PX_BUF(100) };
    for (int kind = 0; kind < 2; kind++) {
        struct px_sse sse;
        px_sse_init(&sse, 1024);
        memset(input, kind ? '\n' : '\r', len);
        input[len - 1] = kind ? '\r' : '\n';
        trace.feed = (struct px_str){ input, len };
        assert_int_equal(px_sse_feed(&sse, trace.feed, record, &trace), PX_OK);
        px_sse_deinit(&sse);
    }
    assert_events(&trace, "");
    px_buf_free(&trace.text);
    free(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_do_not_depend_on_how_bytes_are_split),
        cmocka_unit_test(test_an_event_within_one_feed_is_not_copied),
        cmocka_unit_test(test_an_event_says_where_it_ends_in_the_feed),
        cmocka_unit_test(test_a_feed_of_nothing_does_nothing),
        cmocka_unit_test(test_events_over_the_limit_are_too_big_however_they_are_split),
        cmocka_unit_test(test_the_callback_stops_the_feed),
        cmocka_unit_test(test_no_large_buffer_is_kept_between_events),
        cmocka_unit_test(test_many_lines_cost_no_more_than_their_bytes),
    };
    return cmocka_run_group_tests_name("sse/sse", tests, NULL, NULL);
}
