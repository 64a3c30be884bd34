// TLS to the upstream: who is trusted, what is said of others, and cuts that TLS must notice.

#include "fake_tls.h"

static void serve_tls(struct peer *peer)
{
    while (fake_read(peer)) {
        char head[100];
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                 peer->body_len);
        fake_say(peer, head);
        fake_send(peer, peer->body, peer->body_len);
    }
    tls_end(peer, true);
}

static void serve_until_close(struct peer *peer)
{
    struct tls_server *server = peer->fake->user;
    if (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\n\r\nhello");
    }
    tls_end(peer, server->user != NULL);
}

static void check_trust(const char *alt, int days, const char *host, bool own_ca, const char *text)
{
    struct pki pki;
    struct tls_server server = { 0 };
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    pki_make(&pki, alt, days);
    fake_start_tls(&fake, &server, &pki, serve_tls);
    client_open(&client, 8);
    sprintf(url, "https://%s:%d/?key=hidden", host, fake.port);
    struct px_block *body = px_block_copy(PX_STR("hello"));
    ask(&client,
        &(struct px_fetch_request){
            .url = str_of(url), .body = body, .ca_file = str_of(own_ca ? pki.ca_file : "") },
        &heard);
    if (text) {
        assert_int_equal(heard.failure, PX_FETCH_CONNECT);
        if (!strstr(heard.text, text) || strstr(heard.text, "hidden")) {
            fail_msg("%s", heard.text);
        }
        assert_int_equal(fake.requests, 0);
    } else {
        assert_int_equal(heard.failure, PX_FETCH_NONE);
        assert_string_equal(heard.data, "hello");
    }
    px_block_drop(body);
    heard_free(&heard);
    client_close(&client);
    fake_stop_tls(&fake, &server);
    pki_free(&pki);
}

static void test_only_trusted_certificates_for_the_right_host_will_do(void **state)
{
    (void)state;
    check_trust("IP:127.0.0.1", 10, "127.0.0.1", true, NULL);
    check_trust("DNS:localhost", 10, "localhost", true, NULL);
    check_trust("IP:127.0.0.1", 10, "127.0.0.1", false, "certificate of 127.0.0.1:");
    check_trust("DNS:example.org", 10, "localhost", true, "is not trusted: ");
    check_trust("IP:127.0.0.2", 10, "127.0.0.1", true, "is not trusted: ");
    check_trust("IP:127.0.0.1", -1, "127.0.0.1", true, "certificate has expired");
}

static void test_a_missing_ca_file_is_named_as_the_reason(void **state)
{
    (void)state;
    struct client client = { 0 };
    struct heard heard = { 0 };
    struct pki pki;
    struct tls_server server = { 0 };
    struct fake fake = { 0 };
    char url[64];
    pki_make(&pki, "IP:127.0.0.1", 10);
    fake_start_tls(&fake, &server, &pki, serve_tls);
    client_open(&client, 8);
    sprintf(url, "https://127.0.0.1:%d/", fake.port);
    ask(&client,
        &(struct px_fetch_request){ .url = str_of(url), .ca_file = PX_STR("/nowhere/ca.pem") },
        &heard);
    assert_int_equal(heard.failure, PX_FETCH_CONNECT);
    assert_non_null(strstr(heard.text, "the CA file for 127.0.0.1:"));
    client_close(&client);
    fake_stop_tls(&fake, &server);
    pki_free(&pki);
}

static void test_two_requests_share_a_tls_connection(void **state)
{
    (void)state;
    struct pki pki;
    struct tls_server server = { 0 };
    struct fake fake = { 0 };
    struct client client = { 0 };
    char url[128];
    pki_make(&pki, "IP:127.0.0.1", 10);
    fake_start_tls(&fake, &server, &pki, serve_tls);
    client_open(&client, 8);
    sprintf(url, "https://127.0.0.1:%d/", fake.port);
    struct px_block *body = px_block_new(3000000);
    memset(body->ptr, 'y', 3000000);
    body->len = 3000000;
    for (int i = 0; i < 4; i++) {
        struct heard heard = { 0 };
        ask(&client,
            &(struct px_fetch_request){ .url = str_of(url),
                                        .body = body,
                                        .http2 = i >= 2,  // Not offered by the server: no harm.
                                        .ca_file = str_of(pki.ca_file) },
            &heard);
        assert_int_equal(heard.failure, PX_FETCH_NONE);
        assert_int_equal(heard.data_len, 3000000);
        heard_free(&heard);
    }
    assert_true(fake.accepted <= 2);
    px_block_drop(body);
    client_close(&client);
    fake_stop_tls(&fake, &server);
    pki_free(&pki);
}

static void test_a_tls_stream_that_ends_without_notice_is_cut(void **state)
{
    (void)state;
    for (int notify = 0; notify < 2; notify++) {
        struct pki pki;
        struct tls_server server = { .user = notify ? &pki : NULL };
        struct fake fake = { 0 };
        struct client client = { 0 };
        struct heard heard = { 0 };
        char url[128];
        pki_make(&pki, "IP:127.0.0.1", 10);
        fake_start_tls(&fake, &server, &pki, serve_until_close);
        client_open(&client, 8);
        sprintf(url, "https://127.0.0.1:%d/", fake.port);
        ask(&client,
            &(struct px_fetch_request){ .url = str_of(url), .ca_file = str_of(pki.ca_file) },
            &heard);
        assert_int_equal(heard.failure, notify ? PX_FETCH_NONE : PX_FETCH_CUT);
        assert_string_equal(heard.data, "hello");
        heard_free(&heard);
        client_close(&client);
        fake_stop_tls(&fake, &server);
        pki_free(&pki);
    }
}

static void serve_plain(struct peer *peer)
{
    if (fake_recv(peer, peer->head, 1) == 1) {
        fake_say(peer, "HTTP/1.1 400 Bad Request\r\n\r\nthis port speaks plain HTTP");
    }
}

static void test_a_server_without_tls_is_said_to_be_so(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128], want[128];
    fake_start(&fake, serve_plain);
    client_open(&client, 8);
    sprintf(url, "https://127.0.0.1:%d/?key=hidden", fake.port);
    ask(&client, &(struct px_fetch_request){ .url = str_of(url) }, &heard);
    assert_int_equal(heard.failure, PX_FETCH_CONNECT);
    sprintf(want, "TLS with 127.0.0.1:%d failed", fake.port);
    if (!strstr(heard.text, want)) {
        fail_msg("%s", heard.text);
    }
    client_close(&client);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_trusted_certificates_for_the_right_host_will_do),
        cmocka_unit_test(test_a_missing_ca_file_is_named_as_the_reason),
        cmocka_unit_test(test_two_requests_share_a_tls_connection),
        cmocka_unit_test(test_a_tls_stream_that_ends_without_notice_is_cut),
        cmocka_unit_test(test_a_server_without_tls_is_said_to_be_so),
    };
    return cmocka_run_group_tests_name("tls", tests, fetch_setup, fetch_teardown);
}
