// What goes out and what comes in, over plain HTTP.

#include "fake.h"

static void answer_ok(struct peer *peer)
{
    while (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One:  a b \r\n\r\nhello");
    }
}

static void test_a_get_brings_head_and_body(void **state)
{
    (void)state;
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    fake_start(&fake, answer_ok);
    client_open(&client, 8);
    ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
    assert_int_equal(heard.failure, PX_FETCH_NONE);
    assert_int_equal(heard.status, 200);
    assert_int_equal(heard.content_length, 5);
    assert_string_equal(heard.headers, "Content-Length=5;X-One=a b;");
    assert_string_equal(heard.data, "hello");
    assert_int_equal(px_fetcher_transfers(client.fetcher), 0);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_get_brings_head_and_body),
    };
    return cmocka_run_group_tests_name("transfer", tests, fetch_setup, fetch_teardown);
}
