// Look-ups: one of a name at a time. The system's resolver is replaced by one of the test's.

#include "fake.h"

#include <netdb.h>

#include "gate.h"

static atomic_int looking, most, lookups;
static atomic_bool slow;
static int port_of_fake;

/// "slow.test" and "fast.test" are 127.0.0.1, a slow one when `slow` is cleared; others are nobody.
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)hints;
    int now = atomic_fetch_add(&looking, 1) + 1;
    if (now > atomic_load(&most)) {
        atomic_store(&most, now);
    }
    atomic_fetch_add(&lookups, 1);
    while (strncmp(node, "slow", 4) == 0 && atomic_load(&slow)) {
        usleep(1000);
    }
    usleep(20000);
    int rc = EAI_NONAME;
    if (strstr(node, ".test")) {
        struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
        struct sockaddr_in *address = (struct sockaddr_in *)(info + 1);
        *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)atoi(service)),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        info->ai_family = AF_INET;
        info->ai_socktype = SOCK_STREAM;
        info->ai_addrlen = sizeof(*address);
        info->ai_addr = (struct sockaddr *)address;
        *out = info;
        rc = 0;
    }
    atomic_fetch_sub(&looking, 1);
    return rc;
}

void freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

static void serve_hello(struct peer *peer)
{
    while (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    }
}

static struct heard many[200];

static bool all_ended(struct client *client)
{
    for (size_t i = 0; i < (size_t)client->user; i++) {
        if (!many[i].ended) {
            return false;
        }
    }
    return true;
}

static void begin(void)
{
    memset(many, 0, sizeof(many));
    atomic_store(&most, 0);
    atomic_store(&lookups, 0);
    atomic_store(&slow, false);
}

static void start_many(struct client *client, const char *host, size_t from, size_t to)
{
    char url[64];
    sprintf(url, "http://%s:%d/", host, port_of_fake);
    for (size_t i = from; i < to; i++) {
        start(client, &(struct px_fetch_request){ .url = str_of(url) }, &many[i]);
    }
}

static void test_many_cold_transfers_make_one_lookup(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { .user = (void *)200 };
    begin();
    fake_start(&fake, serve_hello);
    port_of_fake = fake.port;
    client_open(&client, 8);
    start_many(&client, "fast.test", 0, 100);
    start_many(&client, "FAST.test", 100, 200);
    client_run(&client, all_ended, NULL);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(many[i].failure, PX_FETCH_NONE);
        heard_free(&many[i]);
    }
    assert_int_equal(atomic_load(&lookups), 1);
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_name_without_address_is_looked_up_once_for_all(void **state)
{
    (void)state;
    struct client client = { .user = (void *)100 };
    begin();
    client_open(&client, 8);
    port_of_fake = 80;
    start_many(&client, "nobody.example", 0, 100);
    client_run(&client, all_ended, NULL);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(many[i].failure, PX_FETCH_CONNECT);
        assert_string_equal(many[i].text, "the name of nobody.example:80 has no address");
    }
    assert_int_equal(atomic_load(&lookups), 1);
    client_close(&client);
}

static bool is_looking(struct client *client)
{
    (void)client;
    return atomic_load(&looking) == 1;
}

static void test_a_cancelled_lookup_does_not_block_and_the_next_goes_ahead(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { .user = (void *)4 };
    begin();
    atomic_store(&slow, true);
    fake_start(&fake, serve_hello);
    port_of_fake = fake.port;
    client_open(&client, 8);
    start_many(&client, "slow.test", 0, 5);
    client_run(&client, is_looking, NULL);
    uint64_t begun = px_clock_ms();
    px_fetch_cancel(many[0].fetch);  // The one ahead.
    px_fetch_cancel(many[4].fetch);  // The last that waits.
    px_fetch_cancel(many[2].fetch);  // One in between.
    rounds_left = 3;
    client_run(&client, some_rounds_later, NULL);
    assert_true(px_clock_ms() - begun < 1000);
    many[0].ended = many[2].ended = true;
    many[3].ended = many[1].ended = false;
    atomic_store(&slow, false);
    client_run(&client, all_ended, NULL);
    assert_int_equal(many[1].failure, PX_FETCH_NONE);
    assert_int_equal(many[3].failure, PX_FETCH_NONE);
    assert_int_equal(many[0].heads + many[2].heads + many[4].heads, 0);
    assert_true(atomic_load(&lookups) <= 2);
    heard_free(&many[1]);
    heard_free(&many[3]);
    client_close(&client);
    fake_stop(&fake);
}

static void test_the_connect_limit_runs_while_waiting_for_a_lookup(void **state)
{
    (void)state;
    struct client client = { .user = (void *)3 };
    begin();
    atomic_store(&slow, true);
    client_open(&client, 8);
    for (int i = 0; i < 3; i++) {
        start(&client,
              &(struct px_fetch_request){ .url = PX_STR("http://slow.test/"),
                                          .times = { .connect = 100 } },
              &many[i]);
    }
    client_run(&client, all_ended, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(many[i].failure, PX_FETCH_TIMEOUT);
        assert_string_equal(many[i].text, "no connection to slow.test:80 within 100 ms");
    }
    client_close(&client);
    atomic_store(&slow, false);
    while (atomic_load(&looking)) {
        usleep(1000);
    }
}

static void test_a_slow_name_does_not_hold_up_others(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    begin();
    atomic_store(&slow, true);
    fake_start(&fake, serve_hello);
    port_of_fake = fake.port;
    client_open(&client, 8);
    start_many(&client, "slow.test", 0, 2);
    start_many(&client, "fast.test", 2, 3);
    client_run(&client, NULL, &many[2]);
    assert_false(many[0].ended || many[1].ended);
    atomic_store(&slow, false);
    client_run(&client, NULL, &many[1]);
    client_run(&client, NULL, &many[0]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(many[i].failure, PX_FETCH_NONE);
        heard_free(&many[i]);
    }
    client_close(&client);
    fake_stop(&fake);
}

static void serve_large(struct peer *peer)
{
    static char piece[100000];
    while (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        fake_send(peer, piece, sizeof(piece));
    }
}

static void test_transfers_work_after_others_ended_in_the_middle_of_a_lookup(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128];
    fake_start(&fake, serve_large);
    client_open(&client, 8);
    for (int streamed = 0; streamed < 2; streamed++) {
        begin();
        atomic_store(&slow, true);
        struct px_fetch_request request = { .streamed = streamed };
        request.url = PX_STR("http://slow.test/");
        start(&client, &request, &many[0]);
        request.url = PX_STR("http://nobody.example/");
        start(&client, &request, &many[1]);
        client_run(&client, NULL, &many[1]);
        px_fetch_cancel(many[0].fetch);
        request.url = str_of(url_of(&fake, url));
        for (int i = 2; i < 6; i++) {
            ask(&client, &request, &many[i]);
            assert_int_equal(many[i].failure, PX_FETCH_NONE);
            assert_int_equal(many[i].data_len, 100000);
            heard_free(&many[i]);
        }
        atomic_store(&slow, false);
        while (atomic_load(&looking)) {
            usleep(1000);
        }
    }
    client_close(&client);
    fake_stop(&fake);
}

static int opened, refused;

static void on_open(struct px_gate_pass *pass)
{
    (void)pass;
    opened++;
}

static void on_refuse(struct px_gate_pass *pass)
{
    (void)pass;
    refused++;
}

static void test_the_gate_remembers_names_for_less_than_a_minute(void **state)
{
    (void)state;
    struct px_gate gate = { .on_open = on_open, .on_refuse = on_refuse };
    struct px_gate_pass a = { 0 }, b = { 0 };
    assert_int_equal(px_gate_enter(&gate, &a, PX_STR("x:80"), 1000), PX_GATE_GO);
    assert_int_equal(px_gate_enter(&gate, &b, PX_STR("x:80"), 1000), PX_GATE_WAIT);
    px_gate_found(&gate, &a, 2000);
    assert_int_equal(opened, 1);
    assert_int_equal(px_gate_enter(&gate, &a, PX_STR("x:80"), 50000), PX_GATE_GO);
    assert_int_equal(px_gate_enter(&gate, &b, PX_STR("x:80"), 50000), PX_GATE_GO);
    assert_int_equal(px_gate_enter(&gate, &a, PX_STR("x:80"), 60000), PX_GATE_GO);
    assert_int_equal(px_gate_enter(&gate, &b, PX_STR("x:80"), 60000), PX_GATE_WAIT);
    px_gate_refused(&gate, &a);
    assert_int_equal(refused, 1);
    px_gate_deinit(&gate);
}

static void test_the_gate_holds_4096_names_and_lets_others_pass(void **state)
{
    (void)state;
    struct px_gate gate = { .on_open = on_open, .on_refuse = on_refuse };
    static struct px_gate_pass passes[4098];
    char name[32];
    for (size_t i = 0; i < 4098; i++) {
        int len = sprintf(name, "host%zu:80", i);
        struct px_str key = { name, (size_t)len };
        assert_int_equal(px_gate_enter(&gate, &passes[i], key, 1000), PX_GATE_GO);
        assert_int_equal(passes[i].host != NULL, i < 4096);
    }
    assert_int_equal(gate.count, 4096);
    for (size_t i = 0; i < 4098; i++) {
        px_gate_leave(&gate, &passes[i]);
    }
    struct px_gate_pass late = { 0 };
    assert_int_equal(px_gate_enter(&gate, &late, PX_STR("late:80"), 2000), PX_GATE_GO);
    assert_non_null(late.host);  // Old names of its bucket have made room.
    px_gate_leave(&gate, &late);
    px_gate_deinit(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_cold_transfers_make_one_lookup),
        cmocka_unit_test(test_a_name_without_address_is_looked_up_once_for_all),
        cmocka_unit_test(test_a_cancelled_lookup_does_not_block_and_the_next_goes_ahead),
        cmocka_unit_test(test_the_connect_limit_runs_while_waiting_for_a_lookup),
        cmocka_unit_test(test_a_slow_name_does_not_hold_up_others),
        cmocka_unit_test(test_transfers_work_after_others_ended_in_the_middle_of_a_lookup),
        cmocka_unit_test(test_the_gate_remembers_names_for_less_than_a_minute),
        cmocka_unit_test(test_the_gate_holds_4096_names_and_lets_others_pass),
    };
    return cmocka_run_group_tests_name("gate", tests, fetch_setup, fetch_teardown);
}
