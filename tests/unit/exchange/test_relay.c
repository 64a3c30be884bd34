// An upstream's answer on its way to a client. The upstream is a thread with a blocking socket that
// does what its script says.

#include "../fetch/fake.h"
#include "px/reply.h"
#include "site.h"

/// What the upstream sends.
struct script {
    const char *head;
    const char *body;
    size_t len;   ///< 0: all of the text.
    size_t step;  ///< Bytes at once; 0: all.
    bool cut;     ///< Ends in the middle of a chunked or counted body.
    bool hold;    ///< Before the end it waits for `fake.flag`.
};

static void serve_script(struct peer *peer)
{
    const struct script *script = peer->fake->user;
    if (!fake_read(peer)) {
        return;
    }
    size_t len = script->len ? script->len : strlen(script->body);
    size_t step = script->step ? script->step : len;
    fake_say(peer, "HTTP/1.1 200 OK\r\n");
    fake_say(peer, script->head);
    fake_say(peer, "\r\n");
    for (size_t at = 0; at < len; at += step) {
        if (!fake_send(peer, script->body + at, len - at < step ? len - at : step)) {
            return;
        }
        if (script->step) {
            struct timespec moment = { 0, 300000 };
            nanosleep(&moment, NULL);
        }
    }
    while (script->hold && !atomic_load(&peer->fake->flag)) {
        struct timespec moment = { 0, 1000000 };
        nanosleep(&moment, NULL);
    }
    if (script->cut) {
        fake_reset(peer);
    }
}

/// One request of a client to /hold, and the upstream's reply to it.
struct visit {
    struct site site;
    struct fake fake;
    struct px_fetcher *fetcher;
    struct px_reply *reply;
    int fd;
    int wakes;
};

static void on_wake(void *user)
{
    ((struct visit *)user)->wakes++;
}

static void wait_for(struct visit *visit, enum px_reply_what what)
{
    visit->wakes = 0;
    if (!px_reply_wait(visit->reply, what)) {
        site_wait(&visit->site, visit->wakes == 1);
    }
}

static struct visit *visit_open(const struct script *script)
{
    struct visit *visit = calloc(1, sizeof(*visit));
    site_open(&visit->site, NULL);
    visit->fake.user = (void *)(uintptr_t)script;
    fake_start(&visit->fake, serve_script);
    visit->fetcher = px_fetcher_new(visit->site.loop, 4);
    visit->fd = dial(&visit->site);
    say(visit->fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    held(&visit->site, 0);
    char url[100];
    struct px_fetch_request request = { .url = str_of(url_of(&visit->fake, url)) };
    struct px_error err = { PX_OK, "" };
    assert_int_equal(px_reply_new(visit->site.loop, visit->fetcher, &request, on_wake, visit,
                                  &visit->reply, &err),
                     PX_OK);
    wait_for(visit, PX_REPLY_HEAD);
    return visit;
}

static void visit_close(struct visit *visit)
{
    atomic_store(&visit->fake.flag, true);
    px_reply_free(visit->reply);
    close(visit->fd);
    if (visit->site.held[0]) {
        end_held(&visit->site, 0);
    }
    site_wait(&visit->site, px_fetcher_transfers(visit->fetcher) == 0);
    px_listener_close(visit->site.listener);
    visit->site.listener = NULL;
    px_fetcher_free(visit->fetcher);
    fake_stop(&visit->fake);
    site_close(&visit->site);
    free(visit);
}

static const char *const taps[] = { "usage", "model" };

static struct px_relay_conf conf_of(bool events)
{
    return (struct px_relay_conf){
        .status = 200,
        .headers = &plain,
        .count = 1,
        .framing = events ? PX_FRAMING_SSE : PX_FRAMING_NONE,
        .tap = taps,
        .taps = 2,
    };
}

/// Relays to the end and finishes; what the client got is in site.text.
static enum px_fetch_failure relay(struct visit *visit, const struct px_relay_conf *conf)
{
    px_reply_relay(visit->reply, visit->site.held[0], conf);
    wait_for(visit, PX_REPLY_END);
    enum px_fetch_failure failure = px_reply_failure(visit->reply, NULL);
    if (failure) {
        px_exchange_abort(visit->site.held[0]);
    } else {
        px_exchange_finish(visit->site.held[0]);
    }
    end_held(&visit->site, 0);
    return failure;
}

/// Takes the chunks' framing off site.text's body.
static const char *unchunk(struct site *site)
{
    char *from = strstr(site->text, "\r\n\r\n");
    assert_non_null(from);
    from += 4;
    char *const body = from, *to = from;
    for (;;) {
        char *end;
        size_t len = strtoul(from, &end, 16);
        if (end == from || strncmp(end, "\r\n", 2) != 0 || !len) {
            break;
        }
        memmove(to, end + 2, len);
        to += len;
        from = end + 2 + len + 2;
    }
    *to = '\0';
    return body;
}

#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CLOSE "Connection: close\r\n"

static const char STREAM[] =
    ": hi\r\n\r\nevent: a\ndata: {\"usage\":null,\"x\":\"\xc3\xa4\"}\n\n"
    "data: {\"model\" : \"m\"}\r\n\r\n\n\ndata:{\"t\":\"\\\"usage\\\":1\"}\n\n"
    "data: {\"usage\": {\"n\":1}}\n\ndata: [DONE]\n\n";

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
        cmocka_unit_test(test_streams_pass_byte_for_byte_however_they_are_split),
        cmocka_unit_test(test_a_part_of_an_event_is_held_back),
        cmocka_unit_test(test_a_stream_cut_in_an_event_ends_before_it),
        cmocka_unit_test(test_a_half_event_at_the_end_is_not_tapped),
        cmocka_unit_test(test_a_small_body_goes_out_whole_or_not_at_all),
        cmocka_unit_test(test_a_large_body_is_streamed_and_a_slow_client_stops_its_upstream),
        cmocka_unit_test(test_keep_alives_come_between_events_alone),
        cmocka_unit_test(test_events_are_read_ahead_and_taken_in_order),
        cmocka_unit_test(test_a_reader_that_lags_behind_loses_nothing),
        cmocka_unit_test(test_collected_bodies_have_a_limit),
        cmocka_unit_test(test_an_event_over_8_mib_breaks_the_reading),
        cmocka_unit_test(test_waits_are_told_once_or_answered_at_once),
    };
    return cmocka_run_group_tests_name("exchange/relay", tests, fetch_setup, fetch_teardown);
}
