// A source, and transfers whose body comes while they run.

#include "fake.h"

static char pattern[1 << 20];

static void fill(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (char)('a' + i % 23);
    }
}

static void count(void *user)
{
    ++*(int *)user;
}

static void test_a_source_is_full_until_a_quarter_is_left(void **state)
{
    (void)state;
    fill();
    struct px_source *source = px_source_new(-1);
    int room = 0, more = 0;
    px_source_on_room(source, count, &room);
    px_source_on_more(source, count, &more);
    assert_int_equal(px_source_add(source, (struct px_str){ pattern, PX_SOURCE_AHEAD - 1 }), PX_OK);
    assert_false(px_source_full(source));
    assert_int_equal(px_source_add(source, (struct px_str){ pattern, 1 }), PX_OK);
    assert_true(px_source_full(source));
    assert_int_equal(more, 2);
    px_source_take(source, PX_SOURCE_AHEAD * 3 / 4 - 1);
    assert_true(px_source_full(source) && room == 0);
    px_source_take(source, 1);
    assert_true(!px_source_full(source) && room == 1);
    px_source_finish(source);
    assert_int_equal(px_source_state(source), PX_SOURCE_WHOLE);
    assert_int_equal(px_source_length(source), -1);  // Its taker frames it already.
    px_source_break(source, 400, "too late");
    assert_int_equal(px_source_broken(source, NULL), 0);
    px_source_drop(source);
    px_source_drop(NULL);
}

static void test_a_source_goes_back_until_its_beginning_is_gone(void **state)
{
    (void)state;
    fill();
    struct px_source *source = px_source_new(1 << 20);
    assert_int_equal(px_source_add(source, (struct px_str){ pattern, 200000 }), PX_OK);
    px_source_take(source, 200000);
    assert_true(px_source_rewind(source));
    assert_int_equal(px_source_peek(source).len, 200000);
    px_source_take(source, 1000);
    assert_int_equal(px_source_add(source, (struct px_str){ pattern + 200000, 100000 }), PX_OK);
    assert_false(px_source_rewind(source));
    struct px_str left = px_source_peek(source);
    assert_int_equal(left.len, 299000);
    assert_memory_equal(left.ptr, pattern + 1000, left.len);
    bool whole;
    assert_int_equal(px_source_begin(source, &whole).len, 0);
    px_source_break(source, 408, "late");
    px_source_break(source, 400, "later");
    const char *text;
    assert_int_equal(px_source_broken(source, &text), 408);
    assert_string_equal(text, "late");
    assert_int_equal(px_source_add(source, PX_STR("more")), PX_OK);
    assert_int_equal(px_source_peek(source).len, 299000);
    px_source_drop(source);
}

static void test_a_splice_changes_the_length_too(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "x", "yyyyyyyyyyyyyyyyyy" };
    for (size_t i = 0; i < 3; i++) {
        struct px_source *source = px_source_new(6);
        bool whole;
        assert_int_equal(px_source_add(source, PX_STR("ab--cd")), PX_OK);
        struct px_str all = px_source_begin(source, &whole), text = str_of(texts[i]);
        assert_false(whole);
        assert_int_equal(px_source_splice(source, (struct px_str){ all.ptr + 2, 2 }, text), PX_OK);
        assert_int_equal(px_source_length(source), 4 + text.len);
        char want[32];
        snprintf(want, sizeof(want), "ab%scd", texts[i]);
        assert_true(px_str_eq(px_source_peek(source), str_of(want)));
        px_source_drop(source);
    }
}

// -- Transfers ------------------------------------------------------------------------------------

/// Adds a piece each time it is asked.
struct feeder {
    struct px_source *source;
    size_t at, size, step;
    bool breaks;
};

static bool feed(struct client *client)
{
    struct feeder *feeder = client->user;
    if (px_source_full(feeder->source) || px_source_state(feeder->source) != PX_SOURCE_OPEN) {
        return false;
    }
    size_t left = feeder->size - feeder->at, len = left < feeder->step ? left : feeder->step;
    assert_int_equal(px_source_add(feeder->source, (struct px_str){ pattern + feeder->at, len }),
                     PX_OK);
    feeder->at += len;
    if (feeder->at == feeder->size && feeder->breaks) {
        px_source_break(feeder->source, 400, "broken");
    } else if (feeder->at == feeder->size) {
        px_source_finish(feeder->source);
    }
    return false;
}

/// Reads a chunked body to its end into peer->body.
static bool read_chunks(struct peer *peer)
{
    peer->body = realloc(peer->body, sizeof(pattern));
    for (peer->body_len = 0;;) {
        char line[32];
        size_t len = 0;
        while (len < 2 || memcmp(line + len - 2, "\r\n", 2) != 0) {
            if (len == sizeof(line) - 1 || fake_recv(peer, line + len, 1) != 1) {
                return false;
            }
            line[++len] = '\0';
        }
        size_t size = strtoul(line, NULL, 16), want = size + 2;
        for (size_t at = 0; at < want;) {
            char *to = at < size ? peer->body + peer->body_len + at : line;
            ssize_t n = fake_recv(peer, to, at < size ? size - at : want - at);
            if (n <= 0) {
                return false;
            }
            at += (size_t)n;
        }
        peer->body_len += size;
        if (!size) {
            return true;
        }
    }
}

/// Takes a body in either framing and says whether it is the pattern.
static void serve_check(struct peer *peer)
{
    while (fake_read(peer)) {
        if (strcasestr(peer->head, "\r\ntransfer-encoding: chunked") && !read_chunks(peer)) {
            atomic_store(&peer->fake->flag, true);
            return;
        }
        bool same = memcmp(peer->body, pattern, peer->body_len) == 0;
        char text[100];
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%c%7zu",
                 same ? '=' : '!', peer->body_len);
        fake_say(peer, text);
    }
}

static void upload(struct client *client, struct fake *fake, struct feeder *feeder, bool counted,
                   struct heard *heard)
{
    char url[128];
    feeder->source = px_source_new(counted ? (int64_t)feeder->size : -1);
    client->user = feeder;
    start(client,
          &(struct px_fetch_request){ .url = str_of(url_of(fake, url)), .source = feeder->source },
          heard);
    client_run(client, feed, heard);
    px_source_drop(feeder->source);
}

static void test_a_body_arrives_whole_however_it_comes(void **state)
{
    (void)state;
    fill();
    static const struct {
        size_t size, step;
    } cases[] = { { 0, 1 },         { 1, 1 },          { 40, 1 },
                  { 70000, 10000 }, { 600000, 65536 }, { sizeof(pattern), sizeof(pattern) },
                  { 300000, 60001 } };
    struct fake fake = { 0 };
    struct client client = { 0 };
    int once = 0;
    fake_start(&fake, serve_check);
    client_open(&client, 4);
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        once += i % 2 == 0 || cases[i / 2].size > PX_SOURCE_AHEAD;
        if (i % 2 && !cases[i / 2].size) {
            continue;  // An upstream answers what announces nothing before it is known to be all.
        }
        struct heard heard = { 0 };
        struct feeder feeder = { .size = cases[i / 2].size, .step = cases[i / 2].step };
        upload(&client, &fake, &feeder, i % 2, &heard);
        char want[20];
        snprintf(want, sizeof(want), "=%7zu", feeder.size);
        assert_int_equal(heard.failure, PX_FETCH_NONE);
        assert_string_equal(heard.data, want);
        heard_free(&heard);
    }
    client_close(&client);
    fake_stop(&fake);
    // What cannot be sent again has a connection of its own; others share.
    assert_int_equal(atomic_load(&fake.accepted), once);
}

static void test_a_broken_source_ends_the_transfer_and_the_upstream_sees_no_end(void **state)
{
    (void)state;
    fill();
    for (size_t size = 0; size <= 300000; size += 150000) {
        struct fake fake = { 0 };
        struct client client = { 0 };
        struct heard heard = { 0 };
        struct feeder feeder = { .size = size, .step = 65536, .breaks = true };
        fake_start(&fake, serve_check);
        client_open(&client, 4);
        upload(&client, &fake, &feeder, false, &heard);
        assert_int_equal(heard.failure, PX_FETCH_UPLOAD);
        assert_int_equal(heard.heads, 0);
        heard_free(&heard);
        client_close(&client);
        fake_stop(&fake);
        assert_true(atomic_load(&fake.requests) == 0 || atomic_load(&fake.flag));
    }
}

static bool feed_late(struct client *client)
{
    static uint64_t begun;
    begun = begun ? begun : px_clock_ms();
    if (px_clock_ms() - begun >= 400) {
        feed(client);
    }
    return false;
}

static void test_waiting_for_the_client_is_not_the_upstreams_time(void **state)
{
    (void)state;
    fill();
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    struct feeder feeder = { .size = 1000, .step = 1000, .source = px_source_new(1000) };
    char url[128];
    fake_start(&fake, serve_check);
    client_open(&client, 4);
    client.user = &feeder;
    start(&client,
          &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)),
                                      .source = feeder.source,
                                      .times = { .first_byte = 150 } },
          &heard);
    client_run(&client, feed_late, &heard);
    assert_int_equal(heard.failure, PX_FETCH_NONE);
    assert_string_equal(heard.data, "=   1000");
    px_source_drop(feeder.source);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void serve_nothing(struct peer *peer)
{
    while (!atomic_load(&peer->fake->flag)) {
        poll(NULL, 0, 5);
    }
}

static void test_an_upstream_that_takes_nothing_is_timed(void **state)
{
    (void)state;
    fill();
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    struct feeder feeder = { .size = 1000, .step = 1000, .source = px_source_new(1000) };
    char url[128];
    fake_start(&fake, serve_nothing);
    client_open(&client, 4);
    client.user = &feeder;
    start(&client,
          &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)),
                                      .source = feeder.source,
                                      .times = { .first_byte = 150 } },
          &heard);
    client_run(&client, feed, &heard);
    assert_int_equal(heard.failure, PX_FETCH_TIMEOUT);
    atomic_store(&fake.flag, true);
    px_source_drop(feeder.source);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_cancelled_transfer_leaves_the_source_to_the_next(void **state)
{
    (void)state;
    fill();
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard first = { 0 }, second = { 0 };
    struct feeder feeder = { .size = 5000, .step = 1000, .source = px_source_new(5000) };
    char url[128];
    fake_start(&fake, serve_check);
    client_open(&client, 4);
    client.user = &feeder;
    const struct px_fetch_request request = { .url = str_of(url_of(&fake, url)),
                                              .source = feeder.source };
    start(&client, &request, &first);
    feed(&client);
    rounds_left = 5;
    client_run(&client, some_rounds_later, NULL);
    px_fetch_cancel(first.fetch);
    assert_true(px_source_rewind(feeder.source));
    start(&client, &request, &second);
    client_run(&client, feed, &second);
    assert_int_equal(second.failure, PX_FETCH_NONE);
    assert_string_equal(second.data, "=   5000");
    px_source_drop(feeder.source);
    heard_free(&second);
    client_close(&client);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_source_is_full_until_a_quarter_is_left),
        cmocka_unit_test(test_a_source_goes_back_until_its_beginning_is_gone),
        cmocka_unit_test(test_a_splice_changes_the_length_too),
        cmocka_unit_test(test_a_body_arrives_whole_however_it_comes),
        cmocka_unit_test(test_a_broken_source_ends_the_transfer_and_the_upstream_sees_no_end),
        cmocka_unit_test(test_waiting_for_the_client_is_not_the_upstreams_time),
        cmocka_unit_test(test_an_upstream_that_takes_nothing_is_timed),
        cmocka_unit_test(test_a_cancelled_transfer_leaves_the_source_to_the_next),
    };
    return cmocka_run_group_tests_name("fetch/upload", tests, fetch_setup, fetch_teardown);
}
