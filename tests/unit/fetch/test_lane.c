// What the lean lane does with connections.

#include "fake_flood.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "inner.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void serve_hello(struct peer *peer)
{
    while (fake_read(peer)) {
        fake_say(peer, HELLO);
    }
}

/// Says fake->user to every request, in one piece.
static void serve_text(struct peer *peer)
{
    while (fake_read(peer) && fake_say(peer, peer->fake->user)) {
    }
}

static void ask_for(struct client *client, const char *url, enum px_fetch_failure failure)
{
    struct heard heard = { 0 };
    ask(client, &(struct px_fetch_request){ .url = str_of(url) }, &heard);
    if (heard.failure != failure) {
        fail_msg("%s: %d %s", url, heard.failure, heard.text);
    }
    heard_free(&heard);
}

static void test_a_connection_serves_again_only_if_its_answer_allows_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int connections;
    } cases[] = {
        { HELLO, 1 },
        { HELLO "x", 2 },
        { "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 2 },
        { "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 2 },
        { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 1 },
        { "HTTP/1.1 204 Empty\r\n\r\n", 1 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          2 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: 1\r\n\r\n", 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fake fake = { .user = (void *)cases[i].text };
        struct client client = { 0 };
        char url[128];
        fake_start(&fake, serve_text);
        client_open(&client, 8);
        ask_for(&client, url_of(&fake, url), PX_FETCH_NONE);
        ask_for(&client, url, PX_FETCH_NONE);
        if (atomic_load(&fake.accepted) != cases[i].connections) {
            fail_msg("case %zu: %d connections", i, atomic_load(&fake.accepted));
        }
        client_close(&client);
        fake_stop(&fake);
    }
}

static void serve_once(struct peer *peer)
{
    if (fake_read(peer)) {
        fake_say(peer, HELLO);
    }
}

/// Looks for sockets of this process that are connected to an address: ours, and the server's.
static bool no_connection_is_left(struct client *client)
{
    (void)client;
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        count += getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.ss_family == AF_INET;
    }
    return count == 0;
}

static void test_an_idle_connection_is_dropped_when_the_upstream_closes_it(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128];
    fake_start(&fake, serve_once);
    client_open(&client, 8);
    ask_for(&client, url_of(&fake, url), PX_FETCH_NONE);
    client_run(&client, no_connection_is_left, NULL);
    ask_for(&client, url, PX_FETCH_NONE);
    client_close(&client);
    fake_stop(&fake);
}

static void test_idle_connections_do_not_keep_the_loop_running(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128];
    fake_start(&fake, serve_hello);
    client_open(&client, 8);
    ask_for(&client, url_of(&fake, url), PX_FETCH_NONE);
    px_loop_run(client.loop);
    ask_for(&client, url, PX_FETCH_NONE);
    assert_int_equal(fake.accepted, 1);
    client_close(&client);
    fake_stop(&fake);
}

static void test_the_connection_used_least_recently_makes_room(void **state)
{
    (void)state;
    struct fake fakes[3] = { 0 };
    struct client client = { 0 };
    char urls[3][128];
    client_open(&client, 2);
    for (int i = 0; i < 3; i++) {
        fake_start(&fakes[i], serve_hello);
        ask_for(&client, url_of(&fakes[i], urls[i]), PX_FETCH_NONE);
    }
    ask_for(&client, urls[1], PX_FETCH_NONE);
    ask_for(&client, urls[0], PX_FETCH_NONE);  // Its connection had to go; so goes that of 2.
    ask_for(&client, urls[1], PX_FETCH_NONE);
    ask_for(&client, urls[2], PX_FETCH_NONE);
    assert_int_equal(fakes[0].accepted, 2);
    assert_int_equal(fakes[1].accepted, 1);
    assert_int_equal(fakes[2].accepted, 2);
    client_close(&client);
    for (int i = 0; i < 3; i++) {
        fake_stop(&fakes[i]);
    }
}

/// The first connection serves once and then answers with half of a head; others with nothing.
static void serve_worse(struct peer *peer)
{
    const char *half = peer->fake->user;
    if (peer->number == 0 && fake_read(peer)) {
        fake_say(peer, HELLO);
    }
    if (fake_read(peer)) {
        fake_say(peer, half);
    }
}

static void fail_again(const char *half, int connections)
{
    struct fake fake = { .user = (void *)half };
    struct client client = { 0 };
    char url[128];
    fake_start(&fake, serve_worse);
    client_open(&client, 8);
    ask_for(&client, url_of(&fake, url), PX_FETCH_NONE);
    ask_for(&client, url, PX_FETCH_CUT);
    assert_int_equal(fake.accepted, connections);
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_request_is_sent_again_once_and_only_if_nothing_of_an_answer_came(void **state)
{
    (void)state;
    fail_again("", 2);
    fail_again("H", 1);
    fail_again("HTTP/1.1 100 Continue\r\n\r\n", 1);
}

/// Refuses a large body after its head, and closes with most of it unread.
static void serve_413(struct peer *peer)
{
    char head[4096];
    recv(peer->fd, head, sizeof(head), 0);
    fake_say(peer, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!");
    shutdown(peer->fd, SHUT_WR);
    fake_wait_closed(peer);
}

static void test_an_early_refusal_is_heard_while_the_body_is_sent(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    struct px_block *body = px_block_new(64 << 20);
    memset(body->ptr, 'x', body->cap);
    body->len = 64 << 20;
    fake_start(&fake, serve_413);
    client_open(&client, 8);
    ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .body = body },
        &heard);
    assert_int_equal(heard.failure, PX_FETCH_NONE);
    assert_int_equal(heard.status, 413);
    assert_string_equal(heard.data, "no!");
    assert_int_equal(body->refs, 1);
    px_block_drop(body);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

/// Makes `fake` listen on ::1 at its port instead. False if there is no IPv6.
static bool move_to_v6(struct fake *fake)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6,
                                    .sin6_port = htons((uint16_t)fake->port),
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int on = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16)) {
        close(fd);
        return false;
    }
    close(fake->fd);
    fake->fd = fd;
    return true;
}

static void serve_head(struct peer *peer)
{
    while (fake_read(peer)) {
        char head[100];
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                 peer->head_len);
        fake_say(peer, head);
        fake_send(peer, peer->head, peer->head_len);
    }
}

static void test_addresses_of_both_kinds_and_localhost_are_reached(void **state)
{
    (void)state;
    static const char *const hosts[] = { "[::1]", "localhost", "LOCALHOST" };
    struct fake fake = { .serve = serve_head };
    struct client client = { 0 };
    fake.fd = fake_listen(&fake.port);
    if (!move_to_v6(&fake)) {
        close(fake.fd);
        print_message("there is no IPv6 here: skipped\n");
        skip();
    }
    pthread_create(&fake.thread, NULL, fake_run, &fake);
    client_open(&client, 8);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        struct heard heard = { 0 };
        char url[128], want[128];
        sprintf(url, "http://%s:%d?x", hosts[i], fake.port);
        sprintf(want, "GET /?x HTTP/1.1\r\nHost: %s:%d\r\n", hosts[i], fake.port);
        ask(&client, &(struct px_fetch_request){ .url = str_of(url) }, &heard);
        if (heard.failure || strncmp(heard.data, want, strlen(want)) != 0) {
            fail_msg("%s: %s %s", url, heard.text, heard.data);
        }
        heard_free(&heard);
    }
    assert_int_equal(fake.accepted, 2);
    client_close(&client);
    fake_stop(&fake);
}

static void fail_to(struct client *client, const char *url, const char *want)
{
    struct heard heard = { 0 };
    ask(client, &(struct px_fetch_request){ .url = str_of(url) }, &heard);
    assert_int_equal(heard.failure, PX_FETCH_CONNECT);
    assert_string_equal(heard.text, want);
}

static void test_failures_to_connect_say_why(void **state)
{
    (void)state;
    struct client client = { 0 };
    char url[128], want[128];
    int port;
    close(fake_listen(&port));
    client_open(&client, 8);
    sprintf(url, "http://localhost:%d/?key=hidden", port);
    sprintf(want, "cannot connect to localhost:%d: Connection refused", port);
    fail_to(&client, url, want);

    struct rlimit files, few;
    ask_for(&client, url, PX_FETCH_CONNECT);
    int next = open("/dev/null", O_RDONLY);
    close(next);
    getrlimit(RLIMIT_NOFILE, &files);
    few = files;
    few.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &few);
    sprintf(url, "http://127.0.0.1:%d/", port);
    sprintf(want, "cannot connect to 127.0.0.1:%d: Too many open files", port);
    fail_to(&client, url, want);
    setrlimit(RLIMIT_NOFILE, &files);
    client_close(&client);
}

static void test_a_host_of_the_callers_replaces_ours(void **state)
{
    (void)state;
    const struct px_fetch_header headers[] = { { PX_STR("A"), PX_STR("b") },
                                               { PX_STR("HOST"), PX_STR("example.org") } };
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    fake_start(&fake, serve_head);
    client_open(&client, 8);
    ask(&client,
        &(struct px_fetch_request){
            .url = str_of(url_of(&fake, url)), .headers = headers, .header_count = 2 },
        &heard);
    assert_string_equal(heard.data, "GET /v1/messages?key=hidden HTTP/1.1\r\nHost: example.org\r\n"
                                    "Accept: */*\r\naccept-encoding: identity\r\nA: b\r\n\r\n");
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

/// Answers when the flag says so, head and half of the body first.
static void serve_late(struct peer *peer)
{
    if (fake_read(peer)) {
        while (!atomic_load(&peer->fake->flag)) {
            usleep(1000);
        }
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        usleep(20000);
        fake_say(peer, "hello");
        fake_say(peer, "there");
    }
    fake_wait_closed(peer);
}

static void test_a_pause_before_the_answer_lets_only_the_head_through(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    fake_start(&fake, serve_late);
    client_open(&client, 8);
    start(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
    px_fetch_pause(heard.fetch);
    atomic_store(&fake.flag, true);
    uint64_t beats = px_loop_beats(client.loop);
    rounds_left = 50;
    client_run(&client, some_rounds_later, NULL);
    assert_int_equal(heard.heads, 1);
    assert_int_equal(heard.pieces, 0);
    assert_true(px_loop_beats(client.loop) - beats < 80);  // What is not read does not wake it.
    px_fetch_resume(heard.fetch);
    client_run(&client, NULL, &heard);
    assert_int_equal(heard.failure, PX_FETCH_NONE);
    assert_string_equal(heard.data, "hellothere");
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_paused_transfer_keeps_one_read_at_most(void **state)
{
    (void)state;
    for (int streamed = 0; streamed < 2; streamed++) {
        struct fake fake = { 0 };
        struct client client = { .user = &fake };
        struct heard heard = { .on_head = pause_now };
        char url[128];
        fake_start(&fake, serve_flood);
        client_open(&client, 8);
        start(&client,
              &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .streamed = streamed },
              &heard);
        rounds_left = 50;
        client_run(&client, some_rounds_later, NULL);
        assert_int_equal(heard.pieces, 0);
        assert_true(heard.fetch->conn->rest.len <=
                    (size_t)(streamed ? PX_LANE_READ_STREAMED : PX_LANE_READ));
        px_fetch_resume(heard.fetch);
        client_run(&client, NULL, &heard);
        check_flood(&heard);
        heard_free(&heard);
        client_close(&client);
        fake_stop(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_serves_again_only_if_its_answer_allows_it),
        cmocka_unit_test(test_an_idle_connection_is_dropped_when_the_upstream_closes_it),
        cmocka_unit_test(test_idle_connections_do_not_keep_the_loop_running),
        cmocka_unit_test(test_the_connection_used_least_recently_makes_room),
        cmocka_unit_test(test_a_request_is_sent_again_once_and_only_if_nothing_of_an_answer_came),
        cmocka_unit_test(test_an_early_refusal_is_heard_while_the_body_is_sent),
        cmocka_unit_test(test_addresses_of_both_kinds_and_localhost_are_reached),
        cmocka_unit_test(test_failures_to_connect_say_why),
        cmocka_unit_test(test_a_host_of_the_callers_replaces_ours),
        cmocka_unit_test(test_a_pause_before_the_answer_lets_only_the_head_through),
        cmocka_unit_test(test_a_paused_transfer_keeps_one_read_at_most),
    };
    return cmocka_run_group_tests_name("lane", tests, fetch_setup, fetch_teardown);
}
