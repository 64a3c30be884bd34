// Which addresses strangers' URLs may lead to, and that transfers keep to it.

#include "fake.h"
#include "guard.h"

#include <arpa/inet.h>

static bool is_public(const char *text)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        storage.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        storage.ss_family = AF_INET6;
    }
    return px_address_is_public((const struct sockaddr *)&storage);
}

static void test_addresses_that_are_not_public_are_told(void **state)
{
    (void)state;
    static const char *const closed[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    };
    for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++) {
        if (is_public(closed[i])) {
            fail_msg("%s is taken for public", closed[i]);
        }
    }
}

static void test_public_addresses_are_told(void **state)
{
    (void)state;
    static const char *const open[] = {
        "1.1.1.1",          "8.8.8.8",         "9.255.255.255",        "11.0.0.0",
        "100.63.255.255",   "100.128.0.0",     "126.255.255.255",      "128.0.0.0",
        "168.63.129.15",    "169.253.255.255", "169.255.0.0",          "172.15.255.255",
        "172.32.0.0",       "192.0.1.0",       "192.167.255.255",      "192.169.0.0",
        "198.17.255.255",   "198.20.0.0",      "223.255.255.255",      "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2001:200::1",     "2001:4860:4860::8888", "2003::1",
        "2606:4700::1111",  "3ffe::1",
    };
    for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++) {
        if (!is_public(open[i])) {
            fail_msg("%s is not taken for public", open[i]);
        }
    }
}

static void test_other_kinds_of_addresses_are_not_public(void **state)
{
    (void)state;
    struct sockaddr address = { .sa_family = AF_UNIX };
    assert_false(px_address_is_public(&address));
}

static void serve_ok(struct peer *peer)
{
    while (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

static void ask_guarded(struct client *client, const char *url, struct heard *heard)
{
    ask(client, &(struct px_fetch_request){ .url = str_of(url), .guarded = true }, heard);
}

static void test_no_spelling_of_this_machine_gets_through(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "127.0.0.1.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
    };
    struct fake fake = { 0 };
    struct client client = { 0 };
    fake_start(&fake, serve_ok);
    client_open(&client, 8);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        char url[128];
        struct heard heard = { 0 };
        snprintf(url, sizeof(url), "http://%s:%d/", hosts[i], fake.port);
        ask_guarded(&client, url, &heard);
        if (heard.failure != PX_FETCH_CONNECT) {
            fail_msg("%s: %d %s", url, heard.failure, heard.text);
        }
        heard_free(&heard);
    }
    assert_int_equal(fake.accepted, 0);
    client_close(&client);
    fake_stop(&fake);
}

static void test_the_words_do_not_tell_whether_somebody_listens(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    fake_start(&fake, serve_ok);
    client_open(&client, 8);
    const int ports[] = { fake.port, 1 };
    for (size_t i = 0; i < 2; i++) {
        char url[128], words[128];
        struct heard heard = { 0 };
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ports[i]);
        snprintf(words, sizeof(words), "127.0.0.1:%d has no public address", ports[i]);
        ask_guarded(&client, url, &heard);
        assert_string_equal(heard.text, words);
        heard_free(&heard);
    }
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_connection_that_others_made_is_not_used(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    fake_start(&fake, serve_ok);
    client_open(&client, 8);
    bool was_off = px_lane_off;
    px_lane_off = true;
    char url[128];
    snprintf(url, sizeof(url), "http://localhost:%d/", fake.port);
    for (int i = 0; i < 2; i++) {
        struct heard heard = { 0 };
        ask(&client, &(struct px_fetch_request){ .url = str_of(url) }, &heard);
        assert_int_equal(heard.failure, PX_FETCH_NONE);
        heard_free(&heard);
    }
    assert_int_equal(fake.accepted, 1);
    struct heard heard = { 0 };
    ask_guarded(&client, url, &heard);
    assert_int_equal(heard.failure, PX_FETCH_CONNECT);
    assert_int_equal(fake.requests, 2);
    heard_free(&heard);
    px_lane_off = was_off;
    client_close(&client);
    fake_stop(&fake);
}

static void test_a_guarded_request_takes_no_proxy(void **state)
{
    (void)state;
    struct client client = { 0 };
    struct px_fetch *fetch = NULL;
    struct px_error err = { PX_OK, "" };
    client_open(&client, 8);
    struct px_fetch_request request = { .url = PX_STR("http://a.example/"),
                                        .proxy = PX_STR("http://127.0.0.1:1"),
                                        .guarded = true };
    assert_int_equal(px_fetch_start(client.fetcher, &request, &heard_fns, NULL, &fetch, &err),
                     PX_EINVAL);
    assert_string_equal(err.text, "a guarded request takes no proxy");
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_that_are_not_public_are_told),
        cmocka_unit_test(test_public_addresses_are_told),
        cmocka_unit_test(test_other_kinds_of_addresses_are_not_public),
        cmocka_unit_test(test_no_spelling_of_this_machine_gets_through),
        cmocka_unit_test(test_the_words_do_not_tell_whether_somebody_listens),
        cmocka_unit_test(test_a_connection_that_others_made_is_not_used),
        cmocka_unit_test(test_a_guarded_request_takes_no_proxy),
    };
    return cmocka_run_group_tests_name("guard", tests, fetch_setup, fetch_teardown);
}
