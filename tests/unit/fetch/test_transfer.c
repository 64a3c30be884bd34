// What goes out, and many transfers together.

#include "fake.h"

/// Answers with the request as it came, head and body.
static void serve_echo(struct peer *peer)
{
    while (fake_read(peer)) {
        char head[100];
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                 peer->head_len + peer->body_len);
        fake_say(peer, head);
        fake_send(peer, peer->head, peer->head_len);
        fake_send(peer, peer->body, peer->body_len);
    }
}

static const struct px_fetch_header own_headers[] = {
    { PX_STR("X-One"), PX_STR("1") },
    { PX_STR("content-type"), PX_STR("application/json") },
    { PX_STR("Accept-Encoding"), PX_STR("br") },
    { PX_STR("X-Empty"), PX_STR("") },
    { PX_STR("Transfer-Encoding"), PX_STR("chunked") },
    { PX_STR("Content-Length"), PX_STR("77") },
    { PX_STR("Expect"), PX_STR("100-continue") },
    { PX_STR("Connection"), PX_STR("close") },
    { PX_STR("Accept"), PX_STR("text/event-stream") },
};
static const struct {
    const char *method, *body;
    size_t headers;
    const char *echo;
} echoes[] = {
    { "", NULL, 0,
      "GET /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\n\r\n" },
    { "", "{}", 0,
      "POST /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\nContent-Length: 2\r\n\r\n{}" },
    { "", "", 0,
      "POST /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\nContent-Length: 0\r\n\r\n" },
    { "POST", NULL, 0,
      "POST /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\nContent-Length: 0\r\n\r\n" },
    { "PUT", "x", 0,
      "PUT /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\nContent-Length: 1\r\n\r\nx" },
    { "DELETE", NULL, 0,
      "DELETE /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\n\r\n" },
    { "DELETE", "x", 0,
      "DELETE /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\nContent-Length: 1\r\n\r\nx" },
    { "GET", "x", 0,
      "GET /p?q HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
      "accept-encoding: identity\r\nContent-Length: 1\r\n\r\nx" },
    { "POST", "{}", 9,
      "POST /p?q HTTP/1.1\r\nHost: %s\r\nX-One: 1\r\n"
      "content-type: application/json\r\nAccept-Encoding: br\r\nX-Empty:\r\n"
      "Accept: text/event-stream\r\nContent-Length: 2\r\n\r\n{}" },
};

static void test_requests_look_as_they_were_asked_for(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128], host[64], echo[1000];
    fake_start(&fake, serve_echo);
    client_open(&client, 8);
    sprintf(host, "127.0.0.1:%d", fake.port);
    sprintf(url, "http://%s/p?q#fragment", host);
    for (size_t i = 0; i < sizeof(echoes) / sizeof(*echoes); i++) {
        struct heard heard = { 0 };
        struct px_block *body = echoes[i].body ? px_block_copy(str_of(echoes[i].body)) : NULL;
        ask(&client,
            &(struct px_fetch_request){ .url = str_of(url),
                                        .method = str_of(echoes[i].method),
                                        .headers = own_headers,
                                        .header_count = echoes[i].headers,
                                        .body = body },
            &heard);
        assert_int_equal(heard.failure, PX_FETCH_NONE);
        snprintf(echo, sizeof(echo), echoes[i].echo, host);
        assert_string_equal(heard.data, echo);
        assert_true(!body || body->refs == 1);
        px_block_drop(body);
        heard_free(&heard);
    }
    assert_int_equal(fake.accepted, 1);
    client_close(&client);
    fake_stop(&fake);
}

static void test_bad_requests_are_refused_at_once(void **state)
{
    (void)state;
    static const struct px_fetch_header injected[] = { { PX_STR("X-A"), PX_STR("1\r\nX-B: 2") },
                                                       { PX_STR("X A"), PX_STR("1") } };
    static const struct {
        const char *url, *method, *proxy, *text;
        size_t first_header, headers;
        bool body;
    } cases[] = {
        { "http://user:secret@127.0.0.1/", "", "", "must not hold a user", 0, 0, false },
        { "ftp://127.0.0.1/", "", "", "must begin with http", 0, 0, false },
        { "127.0.0.1", "", "", "must begin with http", 0, 0, false },
        { "http:///x", "", "", "no valid host", 0, 0, false },
        { "http://a:99999/x", "", "", "no valid host", 0, 0, false },
        { "http://a/x y", "", "", "must be escaped", 0, 0, false },
        { "http://a/x", "", "gopher://p:1", "must begin with http", 0, 0, false },
        { "http://a/x", "B AD", "", "method is not valid", 0, 0, false },
        { "http://a/x", "HEAD", "", "has no body", 0, 0, true },
        { "http://a/x", "CONNECT", "", "not for requests", 0, 0, false },
        { "http://a/x", "", "", "X-A holds a control byte", 0, 1, false },
        { "http://a/x", "", "", "no valid name", 1, 1, false },
    };
    struct client client = { 0 };
    client_open(&client, 8);
    struct px_block *body = px_block_copy(PX_STR("x"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_error err = { PX_OK, "" };
        struct px_fetch *fetch = NULL;
        struct heard heard = { .client = &client };
        struct px_fetch_request request = { .url = str_of(cases[i].url),
                                            .method = str_of(cases[i].method),
                                            .proxy = str_of(cases[i].proxy),
                                            .headers = injected + cases[i].first_header,
                                            .header_count = cases[i].headers,
                                            .body = cases[i].body ? body : NULL };
        assert_int_equal(px_fetch_start(client.fetcher, &request, &heard_fns, &heard, &fetch, &err),
                         PX_EINVAL);
        assert_null(fetch);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_null(strstr(err.text, "secret"));
    }
    assert_int_equal(body->refs, 1);
    px_block_drop(body);
    assert_int_equal(px_fetcher_transfers(client.fetcher), 0);
    client_close(&client);
}

static void test_requests_over_their_limits_are_refused(void **state)
{
    (void)state;
    struct client client = { 0 };
    client_open(&client, 8);
    struct heard heard = { .client = &client };
    struct px_fetch *fetch = NULL;
    struct px_fetch_header headers[257];
    for (size_t i = 0; i < 257; i++) {
        headers[i] = (struct px_fetch_header){ PX_STR("a"), PX_STR("b") };
    }
    struct px_fetch_request request = { .url = PX_STR("http://a/"),
                                        .headers = headers,
                                        .header_count = 257 };
    assert_int_equal(px_fetch_start(client.fetcher, &request, &heard_fns, &heard, &fetch, NULL),
                     PX_ETOOBIG);
    char *large = malloc(140000);
    memset(large, 'a', 140000);
    headers[0].value = (struct px_str){ large, 132000 };
    request.header_count = 1;
    assert_int_equal(px_fetch_start(client.fetcher, &request, &heard_fns, &heard, &fetch, NULL),
                     PX_ETOOBIG);
    memcpy(large, "http://a/", 9);
    request = (struct px_fetch_request){ .url = { large, 17000 } };
    assert_int_equal(px_fetch_start(client.fetcher, &request, &heard_fns, &heard, &fetch, NULL),
                     PX_ETOOBIG);
    free(large);
    client_close(&client);
}

static void test_connections_are_used_again(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128];
    fake_start(&fake, serve_echo);
    client_open(&client, 8);
    for (int i = 0; i < 20; i++) {
        struct heard heard = { 0 };
        ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
        assert_int_equal(heard.failure, PX_FETCH_NONE);
        heard_free(&heard);
    }
    assert_int_equal(fake.accepted, 1);
    client_close(&client);
    fake_stop(&fake);
}

static void test_without_idle_connections_each_transfer_has_its_own(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128];
    fake_start(&fake, serve_echo);
    client_open(&client, 0);
    for (int i = 0; i < 3; i++) {
        struct heard heard = { 0 };
        ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
        assert_int_equal(heard.failure, PX_FETCH_NONE);
        heard_free(&heard);
    }
    assert_int_equal(fake.accepted, 3);
    client_close(&client);
    fake_stop(&fake);
}

/// All ended, for client->user of them.
static struct heard many[64];

static bool all_ended(struct client *client)
{
    for (size_t i = 0; i < (size_t)client->user; i++) {
        if (!many[i].ended) {
            return false;
        }
    }
    return true;
}

static bool idle_at_most_4(struct client *client)
{
    return atomic_load(&((struct fake *)client->user)->open) <= 4;
}

static void test_32_transfers_run_at_once_and_4_connections_stay(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128], text[64];
    fake_start(&fake, serve_echo);
    client_open(&client, 4);
    for (int round = 0; round < 5; round++) {
        memset(many, 0, sizeof(many));
        for (int i = 0; i < 32; i++) {
            sprintf(text, "transfer %d", i);
            struct px_block *body = px_block_copy(str_of(text));
            start(&client,
                  &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .body = body },
                  &many[i]);
            px_block_drop(body);
        }
        assert_int_equal(px_fetcher_transfers(client.fetcher), 32);
        client.user = (void *)32;
        client_run(&client, all_ended, NULL);
        for (int i = 0; i < 32; i++) {
            sprintf(text, "\r\n\r\ntransfer %d", i);
            assert_int_equal(many[i].failure, PX_FETCH_NONE);
            assert_non_null(strstr(many[i].data, text));
            heard_free(&many[i]);
        }
    }
    client.user = &fake;
    client_run(&client, idle_at_most_4, NULL);
    client_close(&client);
    fake_stop(&fake);
}

static void serve_count(struct peer *peer)
{
    while (fake_read(peer)) {
        unsigned sum = 0;
        for (size_t i = 0; i < peer->body_len; i++) {
            sum = sum * 31 + (unsigned char)peer->body[i];
        }
        char head[200], answer[64];
        int len = snprintf(answer, sizeof(answer), "%zu %u", peer->body_len, sum);
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len,
                 answer);
        fake_say(peer, head);
    }
}

static void test_bodies_of_all_sizes_arrive_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 61439, 61440, 61441, 65536, 1000000, 32 * 1024 * 1024 };
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128], want[64];
    fake_start(&fake, serve_count);
    client_open(&client, 8);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct px_block *body = px_block_new(sizes[i]);
        unsigned sum = 0;
        for (size_t j = 0; j < sizes[i]; j++) {
            body->ptr[j] = (char)(j * 7 + (j >> 8));
            sum = sum * 31 + (unsigned char)body->ptr[j];
        }
        body->len = sizes[i];
        struct heard heard = { 0 };
        ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .body = body },
            &heard);
        sprintf(want, "%zu %u", sizes[i], sum);
        assert_string_equal(heard.data, want);
        assert_int_equal(body->refs, 1);
        px_block_drop(body);
        heard_free(&heard);
    }
    assert_int_equal(fake.accepted, 1);
    client_close(&client);
    fake_stop(&fake);
}

/// Answers one request on the first connection, and closes it when a second one comes.
static void serve_stale(struct peer *peer)
{
    if (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    if (peer->number == 0) {
        char byte;
        recv(peer->fd, &byte, 1, 0);
        fake_reset(peer);
        return;
    }
    fake_wait_closed(peer);
}

static void test_a_request_that_met_a_closed_idle_connection_is_sent_again(void **state)
{
    (void)state;
    static const size_t sizes[] = { 10, 100000 };
    for (size_t i = 0; i < 2; i++) {
        struct fake fake = { 0 };
        struct client client = { 0 };
        char url[128];
        fake_start(&fake, serve_stale);
        client_open(&client, 8);
        struct px_block *body = px_block_new(sizes[i]);
        memset(body->ptr, 'b', sizes[i]);
        body->len = sizes[i];
        for (int j = 0; j < 2; j++) {
            struct heard heard = { 0 };
            ask(&client,
                &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)), .body = body },
                &heard);
            if (heard.failure) {
                fail_msg("%zu: %s", sizes[i], heard.text);
            }
            heard_free(&heard);
        }
        assert_int_equal(fake.accepted, 2);
        px_block_drop(body);
        client_close(&client);
        fake_stop(&fake);
    }
}

static void test_the_environment_names_no_proxy_for_us(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("all_proxy", "http://127.0.0.1:1/", 1);
    fake_start(&fake, serve_echo);
    client_open(&client, 8);
    ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_int_equal(heard.failure, PX_FETCH_NONE);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

static void test_failures_to_connect_say_why(void **state)
{
    (void)state;
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128], want[128];
    int port;
    close(fake_listen(&port));
    client_open(&client, 8);
    sprintf(url, "http://127.0.0.1:%d/?key=hidden", port);
    ask(&client, &(struct px_fetch_request){ .url = str_of(url) }, &heard);
    sprintf(want, "cannot connect to 127.0.0.1:%d: Connection refused", port);
    assert_int_equal(heard.failure, PX_FETCH_CONNECT);
    assert_string_equal(heard.text, want);

    memset(many, 0, sizeof(many));
    for (int i = 0; i < 40; i++) {
        start(&client, &(struct px_fetch_request){ .url = PX_STR("http://no-such-host.invalid/") },
              &many[i]);
    }
    client.user = (void *)40;
    client_run(&client, all_ended, NULL);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(many[i].failure, PX_FETCH_CONNECT);
        assert_string_equal(many[i].text, "the name of no-such-host.invalid:80 has no address");
    }
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_look_as_they_were_asked_for),
        cmocka_unit_test(test_bad_requests_are_refused_at_once),
        cmocka_unit_test(test_requests_over_their_limits_are_refused),
        cmocka_unit_test(test_connections_are_used_again),
        cmocka_unit_test(test_without_idle_connections_each_transfer_has_its_own),
        cmocka_unit_test(test_32_transfers_run_at_once_and_4_connections_stay),
        cmocka_unit_test(test_bodies_of_all_sizes_arrive_whole),
        cmocka_unit_test(test_a_request_that_met_a_closed_idle_connection_is_sent_again),
        cmocka_unit_test(test_the_environment_names_no_proxy_for_us),
        cmocka_unit_test(test_failures_to_connect_say_why),
    };
    return cmocka_run_group_tests_name("transfer", tests, fetch_setup, fetch_teardown);
}
