// Proxies of every kind, with users, and what is said when they refuse.

#include "fake_tls.h"

/// Connects to 127.0.0.1:port.
static int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        close(fd);
        return -1;
    }
    return fd;
}

/// Copies both ways until either side ends.
static void splice_both(struct peer *peer, int fd)
{
    char bytes[16384];
    for (;;) {
        struct pollfd both[2] = { { .fd = peer->fd, .events = POLLIN },
                                  { .fd = fd, .events = POLLIN } };
        if (!peer->tls || !SSL_pending(peer->tls)) {
            poll(both, 2, -1);
        } else {
            both[0].revents = POLLIN;
        }
        if (both[0].revents) {
            ssize_t n = fake_recv(peer, bytes, sizeof(bytes));
            if (n <= 0 || send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) {
                return;
            }
        }
        if (both[1].revents) {
            ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
            if (n <= 0 || !fake_send(peer, bytes, (size_t)n)) {
                return;
            }
        }
    }
}

/// An HTTP proxy for user:pass word. CONNECT only goes to 127.0.0.1.
static void proxy_http(struct peer *peer)
{
    if (!fake_read(peer)) {
        return;
    }
    if (!strstr(peer->head, "\r\nProxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n")) {
        fake_say(peer, "HTTP/1.1 407 Proxy Authentication Required\r\n"
                       "Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    assert_null(strstr(peer->head, "hidden-key"));
    unsigned port = 0;
    if (sscanf(peer->head, "CONNECT 127.0.0.1:%u ", &port) == 1) {
        int fd = dial((int)port);
        fake_say(peer, "HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n");
        splice_both(peer, fd);
        close(fd);
    } else if (strstr(peer->head, "GET http://127.0.0.1:")) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nby proxy!");
    } else {
        fake_say(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    }
}

static void serve_http_proxy(struct peer *peer)
{
    proxy_http(peer);
    if (peer->tls) {
        tls_end(peer, false);
    }
}

static bool recv_all(struct peer *peer, unsigned char *to, size_t len)
{
    return recv(peer->fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

/// A SOCKS5 proxy for user:pass word; the kind of address it was given goes into `flag`.
static void serve_socks(struct peer *peer)
{
    unsigned char b[600];
    if (!recv_all(peer, b, 2) || !recv_all(peer, b + 2, b[1])) {
        return;
    }
    bool offered = memchr(b + 2, 2, b[1]) != NULL;
    fake_send(peer, offered ? "\5\2" : "\5\377", 2);
    if (!offered || !recv_all(peer, b, 2) || !recv_all(peer, b + 2, b[1] + 1u) ||
        !recv_all(peer, b + 3 + b[1], b[2 + b[1]])) {
        return;
    }
    bool known = memcmp(b, "\1\4user\11pass word", 16) == 0;
    fake_send(peer, known ? "\1\0" : "\1\1", 2);
    if (!known || !recv_all(peer, b, 4)) {
        return;
    }
    bool by_name = b[3] == 3;
    size_t len = 4;
    if (by_name) {
        recv_all(peer, b, 1);
        len = b[0];
    }
    recv_all(peer, b, len + 2);
    bool good =
        by_name ? len == 13 && !memcmp(b, "socks.example", 13) : !memcmp(b, "\177\0\0\1", 4);
    atomic_store(&peer->fake->flag, by_name);
    int fd = good ? dial(b[len] << 8 | b[len + 1]) : -1;
    fake_send(peer, fd >= 0 ? "\5\0\0\1\0\0\0\0\0\0" : "\5\4\0\1\0\0\0\0\0\0", 10);
    if (fd >= 0) {
        splice_both(peer, fd);
        close(fd);
    }
}

static void serve_hello(struct peer *peer)
{
    while (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    }
    if (peer->tls) {
        tls_end(peer, true);
    }
}

static const struct px_fetch_header secret_header = { PX_STR("Authorization"),
                                                      PX_STR("hidden-key") };

struct through {
    const char *scheme, *user, *host;  ///< `host` NULL: 127.0.0.1.
    bool tls;                          ///< To the upstream.
    const char *data, *text;
    bool by_name;
};

static void check_through(const struct through *through)
{
    struct pki pki;
    struct tls_server server = { 0 }, tls_proxy = { 0 };
    struct fake fake = { 0 }, proxy = { 0 };
    struct client client = { 0 };
    char url[128], via[128];
    bool secure_proxy = strcmp(through->scheme, "https") == 0;
    bool socks = strncmp(through->scheme, "socks", 5) == 0;
    pki_make(&pki, "IP:127.0.0.1,DNS:localhost", 10);
    if (through->tls) {
        fake_start_tls(&fake, &server, &pki, serve_hello);
    } else {
        fake_start(&fake, serve_hello);
    }
    if (secure_proxy) {
        fake_start_tls(&proxy, &tls_proxy, &pki, serve_http_proxy);
    } else {
        fake_start(&proxy, socks ? serve_socks : serve_http_proxy);
    }
    client_open(&client, 8);
    sprintf(url, "http%s://%s:%d/?key=hidden", through->tls ? "s" : "",
            through->host ? through->host : "127.0.0.1", fake.port);
    sprintf(via, "%s://%s127.0.0.1:%d", through->scheme, through->user, proxy.port);
    setenv("no_proxy", "*", 1);
    for (int i = 0; i < 2; i++) {
        struct heard heard = { 0 };
        ask(&client,
            &(struct px_fetch_request){ .url = str_of(url),
                                        .headers = &secret_header,
                                        .header_count = through->tls,
                                        .proxy = str_of(via),
                                        .ca_file = str_of(pki.ca_file) },
            &heard);
        if (through->data) {
            if (heard.failure) {
                fail_msg("%s: %s", via, heard.text);
            }
            assert_string_equal(heard.data ? heard.data : "", through->data);
            assert_null(strstr(heard.headers, "X-Proxy"));
        } else {
            assert_int_equal(heard.failure, PX_FETCH_CONNECT);
            if (!strstr(heard.text, through->text) || strstr(heard.text, "hidden") ||
                strstr(heard.text, "word")) {
                fail_msg("%s: %s", via, heard.text);
            }
        }
        heard_free(&heard);
    }
    unsetenv("no_proxy");
    assert_int_equal(atomic_load(&proxy.flag), through->by_name);
    client_close(&client);
    fake_stop(&proxy);
    if (through->tls) {
        fake_stop_tls(&fake, &server);
    } else {
        fake_stop(&fake);
    }
    SSL_CTX_free(tls_proxy.ctx);
    pki_free(&pki);
}

static void test_each_kind_of_proxy_leads_to_the_upstream(void **state)
{
    (void)state;
    static const struct through cases[] = {
        { "http", "user:pass%20word@", NULL, true, "hello", NULL, false },
        { "http", "user:pass%20word@", NULL, false, "by proxy!", NULL, false },
        { "https", "user:pass%20word@", NULL, false, "by proxy!", NULL, false },
        { "https", "user:pass%20word@", NULL, true, "hello", NULL, false },
        { "socks5", "user:pass%20word@", NULL, false, "hello", NULL, false },
        { "socks5", "user:pass%20word@", NULL, true, "hello", NULL, false },
        { "socks5", "user:pass%20word@", "localhost", true, "hello", NULL, false },
        { "socks5h", "user:pass%20word@", "socks.example", false, "hello", NULL, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_through(&cases[i]);
    }
}

static void test_a_proxy_that_refuses_is_named_as_the_reason(void **state)
{
    (void)state;
    static const struct through cases[] = {
        { "http", "user:wrong%20word@", NULL, true, NULL, "answered 407 to CONNECT", false },
        { "http", "", NULL, true, NULL, "answered 407 to CONNECT", false },
        { "http", "user:pass%20word@", "localhost", true, NULL, "answered 403 to CONNECT", false },
        { "socks5", "user:wrong%20word@", NULL, false, NULL, "the proxy 127.0.0.1:", false },
        { "socks5", "", NULL, false, NULL, "the proxy 127.0.0.1:", false },
        { "socks5h", "user:pass%20word@", "other.example", false, NULL,
          "the proxy 127.0.0.1:", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_through(&cases[i]);
    }
}

static void test_a_proxy_that_is_not_there_is_named_as_the_reason(void **state)
{
    (void)state;
    struct client client = { 0 };
    struct heard heard = { 0 };
    char via[64], want[128];
    int port;
    close(fake_listen(&port));
    client_open(&client, 8);
    sprintf(via, "http://user:word@127.0.0.1:%d", port);
    ask(&client,
        &(struct px_fetch_request){ .url = PX_STR("https://example.invalid/"),
                                    .proxy = str_of(via) },
        &heard);
    sprintf(want, "cannot connect to the proxy 127.0.0.1:%d: Connection refused", port);
    assert_int_equal(heard.failure, PX_FETCH_CONNECT);
    assert_string_equal(heard.text, want);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_proxy_leads_to_the_upstream),
        cmocka_unit_test(test_a_proxy_that_refuses_is_named_as_the_reason),
        cmocka_unit_test(test_a_proxy_that_is_not_there_is_named_as_the_reason),
    };
    return cmocka_run_group_tests_name("proxy", tests, fetch_setup, fetch_teardown);
}
