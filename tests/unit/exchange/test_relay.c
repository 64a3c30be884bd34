// Replies relayed to a client byte for byte.

#include "visit.h"

static void test_streams_pass_byte_for_byte_however_they_are_split(void **state)
{
    (void)state;
    for (size_t step = 0; step <= 7; step++) {
        struct script script = { .head = CLOSE, .body = STREAM, .step = step };
        struct visit *visit = visit_open(&script);
        struct px_relay_conf conf = conf_of(true);
        assert_int_equal(relay(visit, &conf), PX_FETCH_NONE);
        hear(&visit->site, visit->fd, "\r\n0\r\n\r\n");
        assert_string_equal(unchunk(&visit->site), STREAM);
        assert_true(px_str_eq(px_reply_tapped(visit->reply, 0), PX_STR("{\"usage\": {\"n\":1}}")));
        assert_true(px_str_eq(px_reply_tapped(visit->reply, 1), PX_STR("{\"model\" : \"m\"}")));
        assert_int_equal(px_reply_tapped(visit->reply, 2).len, 0);
        assert_true(px_reply_done(visit->reply));
        assert_false(px_reply_inside(visit->reply));
        assert_int_equal(px_reply_bytes(visit->reply), strlen(STREAM));
        visit_close(visit);
    }
}

static void test_a_part_of_an_event_is_held_back(void **state)
{
    (void)state;
    struct script script = { .head = CLOSE, .body = "data: one\n\ndata: tw", .hold = true };
    struct visit *visit = visit_open(&script);
    struct px_relay_conf conf = conf_of(true);
    px_reply_relay(visit->reply, visit->site.held[0], &conf);
    hear(&visit->site, visit->fd, "data: one\n\n");
    site_turn(&visit->site, 20);
    hear_some(&visit->site, visit->fd);
    assert_has_not(&visit->site, "data: tw");
    atomic_store(&visit->fake.flag, true);
    wait_for(visit, PX_REPLY_END);
    assert_int_equal(px_reply_failure(visit->reply, NULL), PX_FETCH_NONE);
    assert_true(px_reply_inside(visit->reply));
    px_exchange_finish(visit->site.held[0]);  // A proper end: not a byte is missing.
    end_held(&visit->site, 0);
    hear(&visit->site, visit->fd, "\r\n0\r\n\r\n");
    assert_string_equal(unchunk(&visit->site), script.body);
    visit_close(visit);
}

static void test_a_stream_cut_in_an_event_ends_before_it(void **state)
{
    (void)state;
    struct script script = { .head = CHUNKED,
                             .body = "b\r\ndata: one\n\n\r\n8\r\ndata: tw\r\n",
                             .cut = true,
                             .hold = true };
    struct visit *visit = visit_open(&script);
    struct px_relay_conf conf = conf_of(true);
    px_reply_relay(visit->reply, visit->site.held[0], &conf);
    hear(&visit->site, visit->fd, "data: one\n\n");
    atomic_store(&visit->fake.flag, true);
    wait_for(visit, PX_REPLY_END);
    assert_int_equal(px_reply_failure(visit->reply, NULL), PX_FETCH_CUT);
    assert_false(px_reply_inside(visit->reply));
    px_exchange_write(visit->site.held[0], PX_STR("event: error\n\n"));
    px_exchange_finish(visit->site.held[0]);
    end_held(&visit->site, 0);
    hear(&visit->site, visit->fd, "\r\n0\r\n\r\n");
    assert_string_equal(unchunk(&visit->site), "data: one\n\nevent: error\n\n");
    visit_close(visit);
}

static void test_a_half_event_at_the_end_is_not_tapped(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool tapped;
    } cases[] = {
        { "data: one\n\ndata: {\"usage\":{\"n\":", false },
        { "data: one\n\ndata: {\"usage\":{\"n\":1}}", true },
        { "data: one\n\ndata: {\"usage\":{\"n\":1}}\n", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct script script = { .head = CLOSE, .body = cases[i].body };
        struct visit *visit = visit_open(&script);
        struct px_relay_conf conf = conf_of(true);
        px_reply_relay(visit->reply, visit->site.held[0], &conf);
        wait_for(visit, PX_REPLY_END);
        assert_int_equal(px_reply_tapped(visit->reply, 0).len > 0, cases[i].tapped);
        px_exchange_finish(visit->site.held[0]);
        visit_close(visit);
    }
}

static void test_a_small_body_goes_out_whole_or_not_at_all(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        struct script script = { .head = "Content-Length: 21\r\n",
                                 .body = cut ? "{\"usage\":1" : "{\"usage\":1,\"x\":[1,2]}",
                                 .cut = cut };
        struct visit *visit = visit_open(&script);
        struct px_relay_conf conf = conf_of(false);
        px_reply_relay(visit->reply, visit->site.held[0], &conf);
        wait_for(visit, PX_REPLY_END);
        assert_int_equal(px_exchange_started(visit->site.held[0]), !cut);
        if (cut) {
            px_exchange_answer(visit->site.held[0], 502, NULL, 0, NULL, PX_STR("cut"));
        } else {
            assert_true(px_str_eq(px_reply_tapped(visit->reply, 0), str_of(script.body)));
        }
        end_held(&visit->site, 0);
        hear(&visit->site, visit->fd, cut ? "content-length: 3\r\n\r\ncut" : script.body);
        assert_has(&visit->site, cut ? "HTTP/1.1 502 " : "content-length: 21\r\n\r\n");
        visit_close(visit);
    }
}

/// Takes what comes until the connection or `want` bytes behind the head end; how many came.
static size_t swallow(struct visit *visit, size_t want)
{
    static char piece[65536];
    size_t got = 0;
    for (uint64_t until = px_clock_ms() + 20000; got < want && px_clock_ms() < until;) {
        ssize_t len = recv(visit->fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (len > 0) {
            got += (size_t)len;
        } else if (len == 0 || errno != EAGAIN) {
            break;
        } else {
            site_turn(&visit->site, 1);
            if (visit->site.drains) {
                visit->site.drains = 0;
                px_reply_resume(visit->reply);
            }
        }
    }
    return got;
}

/// Lets the reply run until its client's queue stays full.
static void test_what_is_no_json_is_not_sent_as_such(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool sent;
    } cases[] = {
        { "{}", true },  { " \r\n[1]\n\t", true }, { "", false },
        { " ", false },  { "{", false },           { "{\"a\":", false },
        { "17", false }, { "{]", false },          { "<html>", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct script script = { .head = CLOSE, .body = cases[i].body };
        struct visit *visit = visit_open(&script);
        struct px_relay_conf conf = conf_of(false);
        conf.json = true;
        px_reply_relay(visit->reply, visit->site.held[0], &conf);
        wait_for(visit, PX_REPLY_END);
        const char *text;
        assert_int_equal(px_reply_failure(visit->reply, &text),
                         cases[i].sent ? PX_FETCH_NONE : PX_FETCH_PROTOCOL);
        assert_non_null(strstr(text, cases[i].sent ? "" : cases[i].body));
        assert_int_equal(px_exchange_started(visit->site.held[0]), cases[i].sent);
        if (!cases[i].sent) {
            px_exchange_answer(visit->site.held[0], 502, NULL, 0, NULL, PX_STR("no"));
        }
        end_held(&visit->site, 0);
        visit_close(visit);
    }
}

static void fill_up(struct visit *visit)
{
    uint64_t until = px_clock_ms() + 20000;
    do {
        assert_true(px_clock_ms() < until);
        if (visit->site.drains) {
            visit->site.drains = 0;
            px_reply_resume(visit->reply);
        }
        site_turn(&visit->site, 50);
    } while (visit->site.drains || !px_exchange_full(visit->site.held[0]));
}

#define BIG (24u << 20)

static void test_a_large_body_is_streamed_and_a_slow_client_stops_its_upstream(void **state)
{
    (void)state;
    char *body = malloc(BIG);
    memset(body, 'x', BIG);
    struct script script = { .head = "Content-Length: 25165824\r\n", .body = body, .len = BIG };
    struct visit *visit = visit_open(&script);
    struct px_relay_conf conf = conf_of(false);
    px_reply_relay(visit->reply, visit->site.held[0], &conf);
    fill_up(visit);
    uint64_t before = px_reply_bytes(visit->reply);
    assert_true(before < BIG);
    site_turn(&visit->site, 50);
    assert_int_equal(px_reply_bytes(visit->reply), before);
    hear_some(&visit->site, visit->fd);
    assert_has(&visit->site, "content-length: 25165824\r\n");
    size_t head = (size_t)(strstr(visit->site.text, "\r\n\r\n") + 4 - visit->site.text);
    size_t got = swallow(visit, BIG - (visit->site.len - head));
    assert_int_equal(got, BIG - (visit->site.len - head));
    wait_for(visit, PX_REPLY_END);
    assert_int_equal(px_reply_failure(visit->reply, NULL), PX_FETCH_NONE);
    px_exchange_finish(visit->site.held[0]);
    end_held(&visit->site, 0);
    visit_close(visit);
    free(body);
}

static void test_keep_alives_come_between_events_alone(void **state)
{
    (void)state;
    // Of an event over 256 KiB the beginning has gone out when the silence comes.
    char *body = calloc(1, 400000);
    strcpy(body, "data: first\n\ndata: ");
    memset(body + strlen(body), 'y', 300000);
    for (int large = 0; large < 2; large++) {
        struct script script = { .head = CLOSE,
                                 .body = large ? body : "data: first\n\ndata: par",
                                 .hold = true };
        struct visit *visit = visit_open(&script);
        struct px_relay_conf conf = conf_of(true);
        conf.keepalive = PX_STR(": ping\n\n");
        conf.keepalive_ms = 20;
        px_reply_relay(visit->reply, visit->site.held[0], &conf);
        if (large) {
            site_wait(&visit->site, hear_some(&visit->site, visit->fd) && visit->site.len > 200000);
            for (int i = 0; i < 10; i++) {
                site_turn(&visit->site, 10);
                hear_some(&visit->site, visit->fd);
            }
            assert_has_not(&visit->site, ": ping\n\n");
        } else {
            hear(&visit->site, visit->fd, ": ping\n\n");
            assert_has(&visit->site, "data: first\n\n");
            assert_has_not(&visit->site, "data: par");
        }
        visit_close(visit);
    }
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_pass_byte_for_byte_however_they_are_split),
        cmocka_unit_test(test_a_part_of_an_event_is_held_back),
        cmocka_unit_test(test_a_stream_cut_in_an_event_ends_before_it),
        cmocka_unit_test(test_a_half_event_at_the_end_is_not_tapped),
        cmocka_unit_test(test_a_small_body_goes_out_whole_or_not_at_all),
        cmocka_unit_test(test_what_is_no_json_is_not_sent_as_such),
        cmocka_unit_test(test_a_large_body_is_streamed_and_a_slow_client_stops_its_upstream),
        cmocka_unit_test(test_keep_alives_come_between_events_alone),
    };
    return cmocka_run_group_tests_name("exchange/relay", tests, NULL, NULL);
}
