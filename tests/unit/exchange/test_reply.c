// Replies read as events or collected, and who waits for what of them.

#include "visit.h"

static void test_events_are_read_ahead_and_taken_in_order(void **state)
{
    (void)state;
    struct script script = { .head = CLOSE, .body = STREAM, .step = 3 };
    struct visit *visit = visit_open(&script);
    static const char *const expected[] = { "{\"usage\":null,\"x\":\"\xc3\xa4\"}",
                                            "{\"model\" : \"m\"}", "{\"t\":\"\\\"usage\\\":1\"}",
                                            "{\"usage\": {\"n\":1}}", "[DONE]" };
    px_reply_events(visit->reply, PX_FRAMING_SSE, true);
    for (size_t i = 0; i < 5;) {
        struct px_sse_event event;
        wait_for(visit, PX_REPLY_EVENT);
        while (px_reply_next(visit->reply, &event)) {
            assert_true(px_str_eq(event.data, str_of(expected[i])));
            assert_true(px_str_eq(event.type, i ? PX_STR("message") : PX_STR("a")));
            i++;
        }
    }
    // What was looked at can still be relayed, from the first byte on.
    struct px_relay_conf conf = conf_of(true);
    assert_int_equal(relay(visit, &conf), PX_FETCH_NONE);
    hear(&visit->site, visit->fd, "\r\n0\r\n\r\n");
    assert_string_equal(unchunk(&visit->site), STREAM);
    visit_close(visit);
}

static void test_a_reader_that_lags_behind_loses_nothing(void **state)
{
    (void)state;
    enum { COUNT = 300, SIZE = 60000 };
    char *body = malloc(COUNT * (SIZE + 40)), *at = body;
    for (int i = 0; i < COUNT; i++) {
        at += sprintf(at, "data: %d ", i);
        memset(at, 'z', SIZE);
        at += SIZE;
        at += sprintf(at, "\n\n");
    }
    struct script script = { .head = CLOSE, .body = body, .len = (size_t)(at - body) };
    struct visit *visit = visit_open(&script);
    px_reply_events(visit->reply, PX_FRAMING_SSE, false);
    for (int i = 0; i < COUNT; i++) {
        struct px_sse_event event;
        while (!px_reply_next(visit->reply, &event)) {
            assert_false(px_reply_ended(visit->reply));
            site_turn(&visit->site, 1);
        }
        assert_int_equal(atoi(event.data.ptr), i);
        if (i % 3 == 0) {
            site_turn(&visit->site, 0);  // More comes while some are left.
        }
    }
    assert_false(px_reply_broken(visit->reply));
    visit_close(visit);
    free(body);
}

static void test_collected_bodies_have_a_limit(void **state)
{
    (void)state;
    for (size_t limit = 4; limit <= 5; limit++) {
        struct script script = { .head = CLOSE, .body = "hello", .step = 2 };
        struct visit *visit = visit_open(&script);
        px_reply_collect(visit->reply, limit);
        wait_for(visit, PX_REPLY_END);
        assert_int_equal(px_reply_truncated(visit->reply), limit == 4);
        assert_int_equal(px_reply_body(visit->reply)->len, limit);
        assert_true(px_reply_ended(visit->reply));
        visit_close(visit);
    }
}

static void test_an_event_over_8_mib_breaks_the_reading(void **state)
{
    (void)state;
    size_t size = (8u << 20) + 1000;
    char *body = malloc(size);
    memset(body, 'w', size);
    memcpy(body, "data: ", 6);
    struct script script = { .head = CLOSE, .body = body, .len = size };
    struct visit *visit = visit_open(&script);
    px_reply_events(visit->reply, PX_FRAMING_SSE, false);
    wait_for(visit, PX_REPLY_END);
    assert_true(px_reply_broken(visit->reply));
    struct px_sse_event event;
    assert_false(px_reply_next(visit->reply, &event));
    visit_close(visit);
    free(body);
}

static void test_waits_are_told_once_or_answered_at_once(void **state)
{
    (void)state;
    struct script script = { .head = "X-One: 1\r\n" CLOSE, .body = "data: a\n\n", .hold = true };
    struct visit *visit = visit_open(&script);
    assert_true(px_reply_wait(visit->reply, PX_REPLY_HEAD));
    assert_int_equal(px_reply_status(visit->reply), 200);
    assert_true(px_str_eq(px_reply_header(visit->reply, PX_STR("x-one")), PX_STR("1")));
    assert_null(px_reply_header(visit->reply, PX_STR("x-two")).ptr);
    px_reply_events(visit->reply, PX_FRAMING_SSE, false);
    wait_for(visit, PX_REPLY_EVENT);
    struct px_sse_event event;
    assert_true(px_reply_next(visit->reply, &event));
    assert_false(px_reply_next(visit->reply, &event));
    assert_false(px_reply_wait(visit->reply, PX_REPLY_EVENT));
    px_reply_unwait(visit->reply);
    visit->wakes = 0;
    atomic_store(&visit->fake.flag, true);
    site_wait(&visit->site, px_reply_ended(visit->reply));
    assert_int_equal(visit->wakes, 0);
    assert_true(px_reply_wait(visit->reply, PX_REPLY_END));
    assert_false(px_reply_next(visit->reply, &event));
    visit_close(visit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_read_ahead_and_taken_in_order),
        cmocka_unit_test(test_a_reader_that_lags_behind_loses_nothing),
        cmocka_unit_test(test_collected_bodies_have_a_limit),
        cmocka_unit_test(test_an_event_over_8_mib_breaks_the_reading),
        cmocka_unit_test(test_waits_are_told_once_or_answered_at_once),
    };
    return cmocka_run_group_tests_name("exchange/reply", tests, NULL, NULL);
}
