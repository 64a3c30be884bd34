// Cancelling at every stage, pausing, and giving the body up.

#include "fake_flood.h"

/// Does what `user` (a letter) says after it has read a request, and waits for the end.
static void serve_stage(struct peer *peer)
{
    const char *stage = peer->fake->user;
    if (*stage == 'u') {  // Does not read: the request cannot be sent.
        while (!atomic_load(&peer->fake->flag)) {
            usleep(1000);
        }
    } else if (fake_read(peer)) {
        if (*stage == 'h' || *stage == 's') {
            fake_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        }
        if (*stage == 's') {
            fake_say(peer, "5\r\nhello\r\n");
        }
    }
    assert_true(fake_wait_closed(peer));
}

static bool server_has_read(struct client *client)
{
    struct fake *fake = client->user;
    return atomic_load(&fake->requests) == 1;
}

static bool server_has_accepted(struct client *client)
{
    struct fake *fake = client->user;
    return atomic_load(&fake->accepted) == 1;
}

static struct heard *watched;

static bool head_is_here(struct client *client)
{
    (void)client;
    return watched->heads == 1;
}

static bool data_is_here(struct client *client)
{
    (void)client;
    return watched->data_len > 0;
}

static void cancel(struct heard *heard)
{
    px_fetch_cancel(heard->fetch);
}

static void cancel_at(const char *stage, bool (*until)(struct client *), bool inside, size_t size)
{
    struct fake fake = { .user = (void *)stage };
    struct client client = { .user = &fake };
    struct heard heard = { 0 };
    char url[128];
    watched = &heard;
    fake_start(&fake, serve_stage);
    client_open(&client, 8);
    struct px_block *body = px_block_new(size);
    memset(body->ptr, 'x', size);
    body->len = size;
    heard.on_head = inside && *stage == 'h' ? cancel : NULL;
    heard.on_data = inside && *stage == 's' ? cancel : NULL;
    start(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .body = body },
          &heard);
    if (until) {
        client_run(&client, until, NULL);
    }
    if (!inside) {
        px_fetch_cancel(heard.fetch);
    }
    assert_int_equal(px_fetcher_transfers(client.fetcher), 0);
    int heads = heard.heads;
    size_t len = heard.data_len;
    atomic_store(&fake.flag, true);
    client_run(&client, server_is_alone, NULL);
    assert_int_equal(body->refs, 1);
    assert_false(heard.ended);
    assert_int_equal(heard.heads, heads);
    assert_int_equal(heard.data_len, len);
    px_block_drop(body);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_cancel_at_any_stage_closes_the_connection(void **state)
{
    (void)state;
    cancel_at("w", NULL, false, 10);
    cancel_at("w", server_has_read, false, 10);
    cancel_at("w", server_has_read, false, 100000);
    cancel_at("u", server_has_accepted, false, 32 * 1024 * 1024);
    cancel_at("h", head_is_here, false, 10);
    cancel_at("h", head_is_here, true, 10);
    cancel_at("s", data_is_here, false, 10);
    cancel_at("s", data_is_here, true, 10);
    cancel_at("s", data_is_here, true, 100000);
}

static void test_a_cancel_while_connecting_ends_it(void **state)
{
    (void)state;
    struct full full;
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    full_open(&full);
    client_open(&client, 8);
    sprintf(url, "http://127.0.0.1:%d/", full.port);
    start(&client, &(struct px_fetch_request){ .url = str_of(url) }, &heard);
    rounds_left = 5;
    client_run(&client, some_rounds_later, NULL);
    px_fetch_cancel(heard.fetch);
    rounds_left = 2;
    client_run(&client, some_rounds_later, NULL);
    assert_false(heard.ended);
    client_close(&client);
    full_close(&full);
}

static void test_a_fetcher_can_go_right_after_its_transfers_are_cancelled(void **state)
{
    (void)state;
    struct fake fake = { .user = (void *)"w" };
    struct client client = { .user = &fake };
    struct heard heard[2] = { 0 };
    char url[128];
    fake_start(&fake, serve_stage);
    client_open(&client, 8);
    struct px_fetch_request request = { .url = str_of(url_of(&fake, url)) };
    start(&client, &request, &heard[0]);
    client_run(&client, server_has_read, NULL);
    start(&client, &request, &heard[1]);
    px_fetch_cancel(heard[0].fetch);
    px_fetch_cancel(heard[1].fetch);
    client_close(&client);
    assert_false(heard[0].ended || heard[1].ended);
    fake_stop(&fake);
}

static bool server_is_blocked(struct client *client)
{
    struct fake *fake = client->user;
    return atomic_load(&fake->flag);
}

static void test_a_pause_stops_the_upstream_and_loses_nothing(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { .user = &fake };
    struct heard heard = { .on_data = pause_now };
    char url[128];
    fake_start(&fake, serve_flood);
    client_open(&client, 8);
    start(&client,
          &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .streamed = true },
          &heard);
    client_run(&client, server_is_blocked, NULL);
    assert_int_equal(heard.pieces, 1);
    for (int i = 0; i < 3; i++) {  // Each resume brings one piece, and the next pause holds.
        size_t pieces = heard.pieces;
        px_fetch_resume(heard.fetch);
        assert_int_equal(heard.pieces, pieces);
        rounds_left = 3;
        client_run(&client, some_rounds_later, NULL);
        assert_int_equal(heard.pieces, pieces + 1);
    }
    heard.on_data = NULL;
    px_fetch_resume(heard.fetch);
    client_run(&client, NULL, &heard);
    check_flood(&heard);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static struct px_defer wake;

static void resume_later(void *user)
{
    struct heard *heard = user;
    if (!heard->ended) {
        px_fetch_resume(heard->fetch);
    }
}

static void pause_often(struct heard *heard)
{
    if (heard->pieces % 3 == 0) {
        px_fetch_pause(heard->fetch);
        wake = (struct px_defer){ .fn = resume_later, .user = heard };
        px_loop_defer(heard->client->loop, &wake);
    }
}

static void test_hundreds_of_pauses_lose_nothing(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { .user = &fake };
    struct heard heard = { .on_data = pause_often };
    char url[128];
    fake_start(&fake, serve_flood);
    client_open(&client, 8);
    ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
    check_flood(&heard);
    px_loop_undefer(client.loop, &wake);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void serve_chunks_then_cut(struct peer *peer)
{
    if (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        usleep(20000);
        for (int i = 0; i < 5; i++) {
            fake_say(peer, "5\r\nhello\r\n");
        }
    }
    atomic_store(&peer->fake->flag, true);
}

static void test_an_upstream_that_left_while_paused_is_noticed_at_resume(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { .user = &fake };
    struct heard heard = { .on_head = pause_now };
    char url[128];
    fake_start(&fake, serve_chunks_then_cut);
    client_open(&client, 8);
    start(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
    client_run(&client, server_is_blocked, NULL);
    client_run(&client, server_is_alone, NULL);
    rounds_left = 10;
    client_run(&client, some_rounds_later, NULL);
    assert_int_equal(heard.pieces, 0);
    assert_false(heard.ended);
    px_fetch_resume(heard.fetch);
    client_run(&client, NULL, &heard);
    assert_int_equal(heard.failure, PX_FETCH_CUT);
    assert_string_equal(heard.data, "hellohellohellohellohello");
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_cancel_while_paused_closes_the_connection(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { .user = &fake };
    struct heard heard = { .on_data = pause_now };
    char url[128];
    fake_start(&fake, serve_flood);
    client_open(&client, 8);
    start(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
    client_run(&client, server_is_blocked, NULL);
    px_fetch_resume(heard.fetch);
    px_fetch_cancel(heard.fetch);
    client_run(&client, server_is_alone, NULL);
    assert_int_equal(heard.pieces, 1);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

/// Answers at once, reads the body only when the flag says so, then ends the answer.
static void serve_early(struct peer *peer)
{
    fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    while (!atomic_load(&peer->fake->flag)) {
        usleep(1000);
    }
    if (fake_read(peer)) {
        size_t bad = 0;
        for (size_t i = 0; i < peer->body_len; i++) {
            bad += peer->body[i] != 'x';
        }
        fake_say(peer, bad ? "wrong" : "there");
    }
    fake_wait_closed(peer);
}

/// Answers half, and the rest when the flag says so.
static void serve_halves(struct peer *peer)
{
    if (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        while (!atomic_load(&peer->fake->flag)) {
            usleep(1000);
        }
        fake_say(peer, "there");
    }
    fake_wait_closed(peer);
}

static void drop_body(void (*serve)(struct peer *), size_t size, size_t refs)
{
    struct fake fake = { 0 };
    struct client client = { .user = &fake };
    struct heard heard = { 0 };
    char url[128];
    watched = &heard;
    fake_start(&fake, serve);
    client_open(&client, 8);
    struct px_block *body = px_block_new(size);
    memset(body->ptr, 'x', size);
    body->len = size;
    start(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .body = body },
          &heard);
    assert_int_equal(body->refs, 2);
    client_run(&client, data_is_here, NULL);
    px_fetch_drop_body(heard.fetch);
    assert_int_equal(body->refs, refs);
    atomic_store(&fake.flag, true);
    client_run(&client, NULL, &heard);
    assert_int_equal(heard.failure, PX_FETCH_NONE);
    assert_string_equal(heard.data, "hellothere");
    assert_int_equal(body->refs, 1);
    px_block_drop(body);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_sent_body_is_freed_when_it_is_given_up(void **state)
{
    (void)state;
    drop_body(serve_halves, 10, 1);
    drop_body(serve_halves, 61440, 1);
    drop_body(serve_halves, 61441, 1);
    drop_body(serve_halves, 1000000, 1);
}

static void test_a_body_that_is_not_sent_yet_is_kept(void **state)
{
    (void)state;
    drop_body(serve_early, 32 * 1024 * 1024, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cancel_at_any_stage_closes_the_connection),
        cmocka_unit_test(test_a_cancel_while_connecting_ends_it),
        cmocka_unit_test(test_a_fetcher_can_go_right_after_its_transfers_are_cancelled),
        cmocka_unit_test(test_a_pause_stops_the_upstream_and_loses_nothing),
        cmocka_unit_test(test_hundreds_of_pauses_lose_nothing),
        cmocka_unit_test(test_an_upstream_that_left_while_paused_is_noticed_at_resume),
        cmocka_unit_test(test_a_cancel_while_paused_closes_the_connection),
        cmocka_unit_test(test_a_sent_body_is_freed_when_it_is_given_up),
        cmocka_unit_test(test_a_body_that_is_not_sent_yet_is_kept),
    };
    return cmocka_run_group_tests_name("flow", tests, fetch_setup, fetch_teardown);
}
