#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "px/json.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void test_texts_of_numbers_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
        enum px_json_exact exact;
    } cases[] = {
        { "0", 0, PX_JSON_SAME },
        { "-0", -0.0, PX_JSON_SAME },
        { "1700000000", 1700000000, PX_JSON_SAME },
        { "-42", -42, PX_JSON_SAME },
        { "999999999999999", 999999999999999, PX_JSON_SAME },
        { "9007199254740992", 9007199254740992, PX_JSON_SAME },
        { "-9007199254740992", -9007199254740992, PX_JSON_SAME },
        { "9007199254740993", 9007199254740992, PX_JSON_INEXACT },
        { "9007199254740994", 9007199254740994, PX_JSON_INEXACT },
        { "18446744073709551616", 18446744073709551616.0, PX_JSON_INEXACT },
        { "0.1", 0.1, PX_JSON_SAME },
        { "-2.5", -2.5, PX_JSON_SAME },
        { "0.000001", 0.000001, PX_JSON_SAME },
        { "0.0000001", 1e-7, PX_JSON_EQUAL },
        { "123456.789", 123456.789, PX_JSON_SAME },
        { "0.30000000000000004", 0.30000000000000004, PX_JSON_SAME },
        { "0.3333333333333333", 1.0 / 3, PX_JSON_SAME },
        { "0.33333333333333331", 1.0 / 3, PX_JSON_INEXACT },
        { "0.1234567890123456789", 0.1234567890123456789, PX_JSON_INEXACT },
        { "1.0", 1, PX_JSON_EQUAL },
        { "0.10", 0.1, PX_JSON_EQUAL },
        { "0.0", 0, PX_JSON_EQUAL },
        { "-0.0", -0.0, PX_JSON_EQUAL },
        { "1e5", 100000, PX_JSON_EQUAL },
        { "1E+2", 100, PX_JSON_EQUAL },
        { "0e0", 0, PX_JSON_EQUAL },
        { "1e+21", 1e21, PX_JSON_SAME },
        { "1e21", 1e21, PX_JSON_EQUAL },
        { "1.5e-7", 1.5e-7, PX_JSON_SAME },
        { "5e-324", 5e-324, PX_JSON_SAME },
        { "4.9e-324", 5e-324, PX_JSON_INEXACT },
        { "2.2250738585072014e-308", 2.2250738585072014e-308, PX_JSON_SAME },
        { "1.7976931348623157e+308", 1.7976931348623157e308, PX_JSON_SAME },
        { "7.120236347223045e-307", 0x1p-1017, PX_JSON_SAME },
        { "7.1202363472230444e-307", 0x1p-1017, PX_JSON_INEXACT },
        { "1e309", INFINITY, PX_JSON_INEXACT },
        { "-1e309", -INFINITY, PX_JSON_INEXACT },
        { "1e-400", 0, PX_JSON_INEXACT },
        { "1e99999999999999999999", INFINITY, PX_JSON_INEXACT },
        { "1e-99999999999999999999", 0, PX_JSON_INEXACT },
        { "0e99999999999999999999", 0, PX_JSON_EQUAL },
        { "100000000000000000000e-20", 1, PX_JSON_EQUAL },
        { "0.00000000000000000001e20", 1, PX_JSON_EQUAL },
        { "9007199254740993.0", 9007199254740992, PX_JSON_INEXACT },
        { "9007199254740992.0", 9007199254740992, PX_JSON_EQUAL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct px_str text = { cases[i].text, strlen(cases[i].text) };
        double number = 12345;
        enum px_json_exact exact = px_json_read_number(text, &number);
        if (exact != cases[i].exact || memcmp(&number, &cases[i].number, sizeof(number)) != 0) {
            fail_msg("%s: %d, %.17g", cases[i].text, exact, number);
        }
        char out[PX_JSON_NUMBER_MAX];
        struct px_str printed = { out, px_json_print_number(number, out) };
        if (exact != PX_JSON_INEXACT) {
            assert_int_equal(px_str_eq(printed, text), exact == PX_JSON_SAME);
        }
    }
}

static void test_long_texts_are_rounded_right(void **state)
{
    (void)state;
    // Half way between two doubles, decided by a digit behind all that a double can tell apart.
    static const char half[] = "9007199254740993.";
    char text[4000];
    strcpy(text, half);
    memset(text + sizeof(half) - 1, '0', 3000);
    struct px_str all = { text, sizeof(half) - 1 + 3000 };
    double number;
    assert_int_equal(px_json_read_number(all, &number), PX_JSON_INEXACT);
    assert_true(number == 9007199254740992.0);
    text[all.len - 1] = '1';
    assert_int_equal(px_json_read_number(all, &number), PX_JSON_INEXACT);
    assert_true(number == 9007199254740994.0);
    memset(text, '0', sizeof(text));
    text[1] = '.';
    text[3990] = '7';
    memcpy(text + 3991, "e3989", 5);
    assert_int_equal(px_json_read_number((struct px_str){ text, 3996 }, &number), PX_JSON_EQUAL);
    assert_true(number == 7);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_every_double_is_printed_so_that_it_reads_back(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252ULL;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&seed);
        double number, again;
        if (i < 2100) {
            number = ldexp(1, i - 1074);  // Every power of two.
        } else if (i % 3 == 0) {
            number = (double)(int64_t)bits / 1000;
        } else {
            memcpy(&number, &bits, sizeof(number));
        }
        char out[PX_JSON_NUMBER_MAX + 1];
        size_t len = px_json_print_number(number, out);
        if (!isfinite(number)) {
            assert_int_equal(len, 0);
            continue;
        }
        out[len] = '\0';
        assert_true(len > 0 && len < PX_JSON_NUMBER_MAX);
        assert_true(strtod(out, NULL) == number);
        struct px_str text = { out, len };
        assert_int_equal(px_json_scan(text, NULL, NULL, NULL), PX_OK);
        enum px_json_exact exact = px_json_read_number(text, &again);
        assert_true(again == number);
        assert_true(exact == PX_JSON_SAME || fabs(number) > 9007199254740992.0);
    }
}

static void test_what_is_no_number_is_not_printed(void **state)
{
    (void)state;
    char out[PX_JSON_NUMBER_MAX];
    assert_int_equal(px_json_print_number(NAN, out), 0);
    assert_int_equal(px_json_print_number(INFINITY, out), 0);
    assert_int_equal(px_json_print_number(-INFINITY, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_of_numbers_are_judged),
        cmocka_unit_test(test_long_texts_are_rounded_right),
        cmocka_unit_test(test_every_double_is_printed_so_that_it_reads_back),
        cmocka_unit_test(test_what_is_no_number_is_not_printed),
    };
    return cmocka_run_group_tests_name("json_number", tests, NULL, NULL);
}
