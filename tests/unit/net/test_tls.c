#include "tls_test.h"

#include "net.h"

static void echo_back(struct side *side)
{
    size_t from = (size_t)side->user;
    size_t upto = side->len < sizeof(side->got) ? side->len : sizeof(side->got);
    assert_true(px_conn_secure(side->conn));
    assert_int_equal(px_conn_write(side->conn, (struct px_str){ side->got + from, upto - from }),
                     PX_OK);
    side->user = (void *)upto;
}

static void say_hello(struct client *client, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\2h2\x8http/1.1", 12);
    if (client->user) {
        SSL_CTX_set_max_proto_version(ctx, *(int *)client->user);
    }
    SSL *ssl = tls_client(ctx, fd);
    char answer[5] = "";
    const unsigned char *alpn;
    unsigned len;
    client->good = SSL_connect(ssl) == 1 && SSL_write(ssl, "hello", 5) == 5 &&
                   SSL_read(ssl, answer, 5) == 5 && memcmp(answer, "hello", 5) == 0;
    SSL_get0_alpn_selected(ssl, &alpn, &len);
    client->good = client->good && len == 8 && memcmp(alpn, "http/1.1", 8) == 0;
    SSL_shutdown(ssl);
    client->good = client->good && SSL_read(ssl, answer, 1) == 0 &&
                   SSL_get_error(ssl, 0) == SSL_ERROR_ZERO_RETURN;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void test_tls_echoes_and_both_sides_say_goodbye(void **state)
{
    (void)state;
    static int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (int i = 0; i < 2; i++) {
        struct px_tls *tls = make_tls("a");
        struct side side = { .heard = echo_back };
        struct client client = { .run = say_hello, .user = &versions[i] };
        serve(&side, tls, &client);
        px_tls_drop(tls);
        assert_true(client.good);
        assert_int_equal(side.ends, 1);
        assert_int_equal(side.status, PX_OK);
    }
}

static void leave_rudely(struct client *client, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = tls_client(ctx, fd);
    client->good = SSL_connect(ssl) == 1 && SSL_write(ssl, "x", 1) == 1;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void test_an_end_without_goodbye_is_a_cut(void **state)
{
    (void)state;
    struct px_tls *tls = make_tls("a");
    struct side side = { 0 };
    struct client client = { .run = leave_rudely };
    serve(&side, tls, &client);
    px_tls_drop(tls);
    assert_true(client.good);
    assert_int_equal(side.len, 1);
    assert_int_equal(side.status, PX_EIO);
}

// Memory BIOs, so that the test decides how ciphertext is cut.

static bool pass_on(SSL *ssl, BIO *out, int fd, size_t step)
{
    (void)ssl;
    char *bytes;
    long len = BIO_get_mem_data(out, &bytes);
    for (long at = 0; at < len; at += (long)step) {
        size_t part = (size_t)(len - at) < step ? (size_t)(len - at) : step;
        if (!send_all(fd, bytes + at, part)) {
            return false;
        }
        if (step == 1) {
            usleep(20);  // Lets bytes travel alone; nothing depends on it.
        }
    }
    BIO_reset(out);
    return true;
}

static bool take_in(BIO *in, int fd)
{
    char part[4096];
    ssize_t len = read(fd, part, sizeof(part));
    return len > 0 && BIO_write(in, part, (int)len) == len;
}

static void speak_in_steps(struct client *client, int fd)
{
    size_t step = *(size_t *)client->user;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    bool good = true;
    while (good && SSL_connect(ssl) != 1) {
        good = pass_on(ssl, out, fd, step) && take_in(in, fd);
    }
    char answer[300];
    int got = 0;
    good = good && SSL_write(ssl, "0123456789", 10) == 10 && SSL_write(ssl, "abcde", 5) == 5 &&
           pass_on(ssl, out, fd, step);
    while (good && got < 15) {
        int part = SSL_read(ssl, answer + got, 15 - got);
        good = part > 0 || take_in(in, fd);
        got += part > 0 ? part : 0;
    }
    client->good = good && memcmp(answer, "0123456789abcde", 15) == 0;
    SSL_shutdown(ssl);
    pass_on(ssl, out, fd, step);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void test_ciphertext_may_be_cut_anywhere(void **state)
{
    (void)state;
    static size_t steps[] = { 1, 2, 5, 7, 100000 };
    struct px_tls *tls = make_tls("a");
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct side side = { .heard = echo_back };
        struct client client = { .run = speak_in_steps, .user = &steps[i] };
        serve(&side, tls, &client);
        assert_true(client.good);
        assert_int_equal(side.status, PX_OK);
    }
    px_tls_drop(tls);
}

// What is refused. The side never sees these connections; the loop ends when they are gone.

static void stop_accepting(struct side *side)
{
    fail_msg("a refused client got through");
    side_close(side, false);
}

struct refusal {
    struct px_loop *loop;
    struct px_listener *listener;
};

static void close_listener(void *user)
{
    struct refusal *refusal = user;
    px_listener_close(refusal->listener);
}

struct refused {
    struct px_loop *loop;
    struct refusal *refusal;
    void (*run)(struct client *client, int fd);
};

static void run_refused(struct client *client, int fd)
{
    struct refused *refused = client->user;
    refused->run(client, fd);
    assert_int_equal(px_post_sure(refused->loop, close_listener, refused->refusal), PX_OK);
}

static bool refused(void (*run)(struct client *client, int fd))
{
    struct px_tls *tls = make_tls("a");
    struct side side = { .loop = px_loop_new(), .opened = stop_accepting };
    side.listener = listen_any(side.loop, tls, side_accept, &side);
    struct refusal refusal = { side.loop, side.listener };
    struct refused todo = { side.loop, &refusal, run };
    struct client client = { .port = px_listener_port(side.listener),
                             .run = run_refused,
                             .user = &todo };
    pthread_create(&client.thread, NULL, run_client, &client);
    run_loop(side.loop);
    pthread_join(client.thread, NULL);
    assert_int_equal(side.opens, 0);
    assert_int_equal(px_listener_connections(side.loop), 0);
    px_loop_free(side.loop);
    px_tls_drop(tls);
    return client.good;
}

/// Connects and says whether it failed with the alert `reason`.
static bool fails_with(SSL_CTX *ctx, int fd, int reason)
{
    SSL *ssl = tls_client(ctx, fd);
    ERR_clear_error();
    int rc = SSL_connect(ssl);
    if (rc == 1) {
        char byte;  // TLS 1.3: the client is done first.
        rc = SSL_read(ssl, &byte, 1);
    }
    bool good = rc != 1 && ERR_GET_REASON(ERR_peek_error()) == reason;
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return good;
}

static void offer_h2_only(struct client *client, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\2h2", 3);
    client->good = fails_with(ctx, fd, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
}

static void offer_tls_1_1(struct client *client, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    client->good = fails_with(ctx, fd, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
}

static void speak_http(struct client *client, int fd)
{
    char byte;
    client->good =
        send_all(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27) && recv_all(fd, &byte, 1) == 0;
}

static void speak_garbage(struct client *client, int fd)
{
    char garbage[4096], answer[4096];
    for (size_t i = 0; i < sizeof(garbage); i++) {
        garbage[i] = pattern(i * 7);
    }
    client->good = send_all(fd, garbage, sizeof(garbage));
    client->got = recv_all(fd, answer, sizeof(answer));
    client->good = client->good && client->got <= 7;  // An alert at most.
}

static void say_nothing(struct client *client, int fd)
{
    char byte;
    client->good = recv_all(fd, &byte, 1) == 0;
}

static void test_alpn_without_http11_is_refused(void **state)
{
    (void)state;
    assert_true(refused(offer_h2_only));
}

static void test_tls_1_1_is_refused(void **state)
{
    (void)state;
    assert_true(refused(offer_tls_1_1));
}

static void test_plain_http_and_garbage_on_a_tls_port_are_closed(void **state)
{
    (void)state;
    assert_true(refused(speak_http));
    assert_true(refused(speak_garbage));
}

static void test_a_handshake_that_takes_too_long_is_closed(void **state)
{
    (void)state;
    px_net_limits.handshake_ms = 30;
    assert_true(refused(say_nothing));
    px_net_limits.handshake_ms = 10000;
}

// Bad files.

static void test_bad_files_are_named(void **state)
{
    (void)state;
    struct cert_files a = make_cert("a"), b = make_cert("b");
    struct {
        struct px_tls_conf conf;
        const char *says;
    } cases[] = {
        { { "/nonexistent/cert.pem", a.key }, "/nonexistent/cert.pem" },
        { { a.cert, "/nonexistent/key.pem" }, "/nonexistent/key.pem" },
        { { a.cert, a.cert }, a.cert },
        { { a.cert, b.key }, "does not" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_tls *tls = NULL;
        struct px_error err = { 0 };
        assert_int_equal(px_tls_new(&cases[i].conf, &tls, &err), PX_EINVAL);
        assert_null(tls);
        assert_non_null(strstr(err.text, cases[i].says));
    }
    remove_cert(&a);
    remove_cert(&b);
}

static void test_a_key_with_a_passphrase_is_refused_without_asking(void **state)
{
    (void)state;
    struct cert_files files = make_cert("a");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *out = fopen(files.key, "w");
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    fclose(out);
    EVP_PKEY_free(key);
    struct px_tls *tls = NULL;
    struct px_error err = { 0 };
    struct px_tls_conf conf = { files.cert, files.key };
    assert_int_equal(px_tls_new(&conf, &tls, &err), PX_EINVAL);
    assert_non_null(strstr(err.text, "passphrase"));
    remove_cert(&files);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_echoes_and_both_sides_say_goodbye),
        cmocka_unit_test(test_an_end_without_goodbye_is_a_cut),
        cmocka_unit_test(test_ciphertext_may_be_cut_anywhere),
        cmocka_unit_test(test_alpn_without_http11_is_refused),
        cmocka_unit_test(test_tls_1_1_is_refused),
        cmocka_unit_test(test_plain_http_and_garbage_on_a_tls_port_are_closed),
        cmocka_unit_test(test_a_handshake_that_takes_too_long_is_closed),
        cmocka_unit_test(test_bad_files_are_named),
        cmocka_unit_test(test_a_key_with_a_passphrase_is_refused_without_asking),
    };
    return cmocka_run_group_tests_name("net/tls", tests, NULL, NULL);
}
