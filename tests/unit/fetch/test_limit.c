// The four limits of a transfer.

#include "fake_flood.h"

/// Reads the request (if the stage is not 'u') and then sends a byte every 30 ms, or nothing.
static void serve_slowly(struct peer *peer)
{
    const char *stage = peer->fake->user;
    if (*stage != 'u') {
        fake_read(peer);
    }
    if (*stage == 'i') {
        fake_say(peer, "HTTP/1.1 102 Processing\r\n\r\n");
    }
    if (*stage == 's' || *stage == 'd') {
        fake_say(peer, "HTTP/1.1 200 OK\r\n\r\n.");
    }
    while (*stage == 'd' && fake_say(peer, ".")) {
        usleep(30000);
    }
    while (!atomic_load(&peer->fake->flag)) {
        usleep(1000);
    }
}

static void pass_limit(const char *stage, struct px_fetch_times times, size_t size,
                       const char *text)
{
    struct fake fake = { .user = (void *)stage };
    struct full full;
    struct client client = { .user = &fake };
    struct heard heard = { 0 };
    char url[128];
    client_open(&client, 8);
    fake_start(&fake, serve_slowly);
    url_of(&fake, url);
    if (*stage == 'c') {
        full_open(&full);
        sprintf(url, "http://127.0.0.1:%d/?key=hidden", full.port);
    }
    struct px_block *body = px_block_new(size);
    memset(body->ptr, 'x', size);
    body->len = size;
    uint64_t begun = px_clock_ms();
    ask(&client, &(struct px_fetch_request){ .url = str_of(url), .body = body, .times = times },
        &heard);
    assert_int_equal(heard.failure, PX_FETCH_TIMEOUT);
    if (!strstr(heard.text, text) || strstr(heard.text, "hidden")) {
        fail_msg("%s: %s", stage, heard.text);
    }
    assert_true(px_clock_ms() - begun >= 140);
    assert_true(px_clock_ms() - begun < 5000);
    atomic_store(&fake.flag, true);
    client_run(&client, server_is_alone, NULL);
    px_block_drop(body);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
    if (*stage == 'c') {
        full_close(&full);
    }
}

static void test_each_of_the_four_limits_ends_a_transfer(void **state)
{
    (void)state;
    const uint32_t no = 30000;
    pass_limit("c", (struct px_fetch_times){ 150, no, no, no }, 10, "no connection to 127.0.0.1:");
    pass_limit("w", (struct px_fetch_times){ no, 150, no, no }, 10, "did not begin to answer");
    pass_limit("w", (struct px_fetch_times){ no, 150, no, no }, 100000, "did not begin to answer");
    pass_limit("u", (struct px_fetch_times){ no, 150, no, no }, 32 << 20,
               "did not begin to answer");
    pass_limit("i", (struct px_fetch_times){ no, 150, no, no }, 10, "did not begin to answer");
    pass_limit("s", (struct px_fetch_times){ no, no, 150, no }, 10, "sent nothing for 150 ms");
    pass_limit("d", (struct px_fetch_times){ no, no, no, 150 }, 10, "not over within 150 ms");
    pass_limit("w", (struct px_fetch_times){ 0, 0, 0, 150 }, 10, "not over within 150 ms");
    pass_limit("s", (struct px_fetch_times){ 0, 0, 150, 0 }, 10, "sent nothing for 150 ms");
}

/// Sends ten bytes, one every 30 ms.
static void serve_drops(struct peer *peer)
{
    if (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        for (int i = 0; i < 10 && fake_say(peer, "."); i++) {
            usleep(30000);
        }
    }
}

static void test_pieces_that_keep_coming_keep_the_idle_limit_away(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    fake_start(&fake, serve_drops);
    client_open(&client, 8);
    ask(&client,
        &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .times = { .idle = 150 } },
        &heard);
    assert_int_equal(heard.failure, PX_FETCH_NONE);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static uint64_t resume_at;

static bool resume_time_has_come(struct client *client)
{
    (void)client;
    return px_clock_ms() >= resume_at;
}

static void test_the_idle_limit_does_not_run_while_paused(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { .user = &fake };
    struct heard heard = { .on_data = pause_now };
    char url[128];
    fake_start(&fake, serve_flood);
    client_open(&client, 8);
    start(&client,
          &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .times = { .idle = 500 } },
          &heard);
    resume_at = px_clock_ms() + 1000;
    client_run(&client, resume_time_has_come, NULL);
    assert_false(heard.ended);
    heard.on_data = NULL;
    px_fetch_resume(heard.fetch);
    client_run(&client, NULL, &heard);
    check_flood(&heard);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_of_the_four_limits_ends_a_transfer),
        cmocka_unit_test(test_pieces_that_keep_coming_keep_the_idle_limit_away),
        cmocka_unit_test(test_the_idle_limit_does_not_run_while_paused),
    };
    return cmocka_run_group_tests_name("limit", tests, fetch_setup, fetch_teardown);
}
