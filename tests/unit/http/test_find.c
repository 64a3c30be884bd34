#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "px/http.h"

/// Lets the bytes arrive in steps. Returns what is found, and in `arrived` how many bytes it took.
static size_t find_in_steps(const char *text, size_t step, size_t *arrived)
{
    size_t scanned = 0, total = strlen(text), found = 0;
    for (*arrived = 0; *arrived < total && !found;) {
        size_t before = scanned;
        *arrived = total - *arrived < step ? total : *arrived + step;
        found = px_http_head_find((struct px_str){ text, *arrived }, &scanned);
        assert_true(found <= *arrived);
        assert_true(scanned >= before);
        assert_true(found || *arrived - scanned <= 2);
    }
    return found;
}

static void test_a_head_ends_at_its_blank_line_however_it_arrives(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27 },
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n", 27 },
        { "GET / HTTP/1.1\r\nHost: a\r\n", 0 },
        { "GET / HTTP/1.1\r\nHost: a\r\n\r", 0 },
        { "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", 31 },
        { "\r\nGET / HTTP/1.1\r\n\r\n", 20 },
        { "\r\n\r\nGET", 4 },
        { "GET / HTTP/1.1\n\nrest", 16 },
        { "GET / HTTP/1.1\r\n\nrest", 17 },
        { "no line end at all", 0 },
        { "", 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].text); step++) {
            size_t arrived;
            assert_int_equal(find_in_steps(cases[i].text, step, &arrived), cases[i].len);
        }
    }
}

static void test_a_byte_at_a_time_finds_the_end_with_its_last_byte(void **state)
{
    (void)state;
    size_t arrived;
    assert_int_equal(find_in_steps("GET / HTTP/1.1\r\n\r\nmore", 1, &arrived), 18);
    assert_int_equal(arrived, 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_ends_at_its_blank_line_however_it_arrives),
        cmocka_unit_test(test_a_byte_at_a_time_finds_the_end_with_its_last_byte),
    };
    return cmocka_run_group_tests_name("http/find", tests, NULL, NULL);
}
