#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "px/http.h"

static struct px_http_header slots[10];

static struct px_http_head parse(void)
{
    const struct px_str bytes = PX_STR("GET / HTTP/1.1\r\n"
                                       "Host: a\r\n"
                                       "Cookie: 1\r\n"
                                       "X-Api-Key: k\r\n"
                                       "cookie: 2\r\n"
                                       "Connection: close, X-One\r\n"
                                       "connection: x-two\r\n"
                                       "COOKIE: 3\r\n\r\n");
    struct px_http_head head;
    assert_int_equal(px_http_head_parse(bytes, slots, 10, &head, NULL), PX_OK);
    return head;
}

static void test_headers_are_found_in_any_case(void **state)
{
    (void)state;
    struct px_http_head head = parse();
    assert_true(px_str_eq(px_http_header_get(&head, PX_STR("x-API-key")), PX_STR("k")));
    assert_null(px_http_header_get(&head, PX_STR("x-api-keys")).ptr);
    assert_null(px_http_header_find(&head, PX_STR("x-api-ke")));
}

static void test_repeated_headers_come_in_order(void **state)
{
    (void)state;
    struct px_http_head head = parse();
    const struct px_http_header *cookie = px_http_header_find(&head, PX_STR("cookie"));
    for (const char *value = "123"; *value; value++) {
        assert_non_null(cookie);
        assert_true(px_str_eq(cookie->value, (struct px_str){ value, 1 }));
        cookie = px_http_header_next(&head, cookie);
    }
    assert_null(cookie);
}

static void test_tokens_are_found_whole(void **state)
{
    (void)state;
    static const struct {
        struct px_str value;
        bool found;
    } cases[] = {
        { { "x", 1 }, true },           { { " X\t", 3 }, true }, { { "a,x", 3 }, true },
        { { "a ,\tx , b", 10 }, true }, { { "", 0 }, false },    { { NULL, 0 }, false },
        { { ",", 1 }, false },          { { "xx", 2 }, false },  { { "a x", 3 }, false },
        { { "x;q=1", 5 }, false },      { { "a,,x", 4 }, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(px_http_has_token(cases[i].value, PX_STR("x")), cases[i].found);
    }
}

static void test_headers_between_neighbours_are_known(void **state)
{
    (void)state;
    struct px_http_head head = parse();
    assert_true(px_http_header_is_hop(NULL, PX_STR("Transfer-Encoding")));
    assert_true(px_http_header_is_hop(&head, PX_STR("TE")));
    assert_true(px_http_header_is_hop(&head, PX_STR("x-one")));
    assert_true(px_http_header_is_hop(&head, PX_STR("X-Two")));
    assert_false(px_http_header_is_hop(NULL, PX_STR("x-two")));
    assert_false(px_http_header_is_hop(&head, PX_STR("cookie")));
}

static void test_what_may_be_sent_is_known(void **state)
{
    (void)state;
    assert_true(px_http_is_name(PX_STR("x-api-key")));
    assert_false(px_http_is_name(PX_STR("")));
    assert_false(px_http_is_name(PX_STR("a b")));
    assert_false(px_http_is_name(PX_STR("a:")));
    assert_true(px_http_is_value(PX_STR("")));
    assert_true(px_http_is_value(PX_STR("a\t\xff b")));
    assert_false(px_http_is_value(PX_STR("a\r\nb: c")));
    assert_false(px_http_is_value(PX_STR("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_found_in_any_case),
        cmocka_unit_test(test_repeated_headers_come_in_order),
        cmocka_unit_test(test_tokens_are_found_whole),
        cmocka_unit_test(test_headers_between_neighbours_are_known),
        cmocka_unit_test(test_what_may_be_sent_is_known),
    };
    return cmocka_run_group_tests_name("http/header", tests, NULL, NULL);
}
