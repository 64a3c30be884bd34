// Where URLs lead.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "target.h"

static void test_urls_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        unsigned port;
        bool proxy, secure, numeric;
    } cases[] = {
        { "http://a", "a", 80, false, false, false },
        { "HTTPS://api.example.com/v1?a=b@c#d", "api.example.com", 443, false, true, false },
        { "https://a:8443/", "a", 8443, false, true, false },
        { "http://a?x=http://u:p@b/", "a", 80, false, false, false },
        { "http://127.0.0.1:8080/x", "127.0.0.1", 8080, false, false, true },
        { "http://[::1]/", "::1", 80, false, false, true },
        { "https://[fe80::1]:99/", "fe80::1", 99, false, true, true },
        { "http://a_b-c.d", "a_b-c.d", 80, false, false, false },
        { "http://p", "p", 80, true, false, false },
        { "http://u:p@q:3128", "q", 3128, true, false, false },
        { "https://u:p@x@q/", "q", 443, true, true, false },
        { "socks5://127.0.0.1", "127.0.0.1", 1080, true, false, true },
        { "socks5h://u:p@[::1]:9", "::1", 9, true, false, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_target target;
        struct px_str url = { cases[i].url, strlen(cases[i].url) };
        assert_int_equal(cases[i].proxy ? px_target_parse_proxy(url, &target, NULL)
                                        : px_target_parse(url, &target, NULL),
                         PX_OK);
        assert_true(
            px_str_eq(target.host, (struct px_str){ cases[i].host, strlen(cases[i].host) }));
        assert_int_equal(target.port, cases[i].port);
        assert_int_equal(target.secure, cases[i].secure);
        assert_int_equal(target.numeric, cases[i].numeric);
    }
}

static void test_what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool proxy;
    } cases[] = {
        { "", false },
        { "http:", false },
        { "http://", false },
        { "http:///x", false },
        { "http://:80/", false },
        { "//a/", false },
        { "/v1", false },
        { "file:///etc/passwd", false },
        { "socks5://a", false },
        { "http://u@a/", false },
        { "http://a\\@b/", false },
        { "http://a\\b", false },
        { "http://a:0/", false },
        { "http://a:65536/", false },
        { "http://a:8x/", false },
        { "http://a:/", false },
        { "http://a%2eb/", false },
        { "http://a b/", false },
        { "http://a/\r\nX: y", false },
        { "http://\303\251/", false },
        { "http://[::1", false },
        { "http://[::1]x/", false },
        { "http://[nonsense]/", false },
        { "socks4://a", true },
        { "p:3128", true },
        { "http://u:p@", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_target target = { .port = 7 };
        struct px_error err = { PX_OK, "" };
        struct px_str url = { cases[i].url, strlen(cases[i].url) };
        enum px_status st = cases[i].proxy ? px_target_parse_proxy(url, &target, &err)
                                           : px_target_parse(url, &target, &err);
        if (st != PX_EINVAL) {
            fail_msg("%s is taken", cases[i].url);
        }
        assert_int_equal(target.port, 7);
        assert_true(err.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_are_split),
        cmocka_unit_test(test_what_is_no_url_is_refused),
    };
    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
