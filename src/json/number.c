#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "px/json.h"

// A double has at most 767 significant decimal digits that matter for rounding; what comes behind
// only has to be known as "something" or "nothing".

#define DIGITS_MAX 800
#define EXACT_INTEGER 9007199254740992.0
#define DIGITS_KEPT 15  // Decimals of so few digits always survive a double.
#define POINT_MAX 100000

// value = 0.digits * 10^point
struct decimal {
    long point;
    unsigned len;
    bool negative, more, fraction, exponent;
    char digits[DIGITS_MAX];
};

// Reads digits before and behind the point; returns where the exponent begins.
static const char *read_digits(struct decimal *d, const char *at, const char *end)
{
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            d->fraction = true;
            continue;
        }
        if (*at == '0' && d->len == 0) {
            d->point -= d->fraction && d->point > -POINT_MAX;
            continue;
        }
        d->point += !d->fraction && d->point < POINT_MAX;
        if (d->len < DIGITS_MAX) {
            d->digits[d->len++] = *at;
        } else {
            d->more |= *at != '0';
        }
    }
    return at;
}

static void read_decimal(struct decimal *d, struct px_str text)
{
    const char *at = text.ptr, *end = at + text.len;
    d->point = 0;
    d->len = 0;
    d->negative = *at == '-';
    d->more = d->fraction = false;
    at = read_digits(d, at + d->negative, end);
    d->exponent = at < end;
    if (d->exponent) {
        at++;
        bool down = *at == '-';
        at += *at == '-' || *at == '+';
        long exponent = 0;
        for (; at < end && exponent < POINT_MAX; at++) {
            exponent = exponent * 10 + (*at - '0');
        }
        d->point += down ? -exponent : exponent;
    }
    while (d->len && !d->more && d->digits[d->len - 1] == '0') {
        d->len--;
    }
}

static double decimal_value(const struct decimal *d)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    long exponent = d->point - (long)d->len;
    if (d->len == 0) {
        return 0;
    }
    if (d->len <= DIGITS_KEPT && exponent >= -22 && exponent <= 22) {
        // Both operands are exact, so the one rounding is right.
        uint64_t whole = 0;
        for (unsigned i = 0; i < d->len; i++) {
            whole = whole * 10 + (uint64_t)(d->digits[i] - '0');
        }
        return exponent < 0 ? (double)whole / powers[-exponent] : (double)whole * powers[exponent];
    }
    char text[DIGITS_MAX + 32];
    snprintf(text, sizeof(text), "%.*s%se%ld", (int)d->len, d->digits, d->more ? "1" : "",
             exponent - d->more);
    return strtod(text, NULL);
}

// Below a power of two doubles lie closer than above, so the nearest decimal of 16 digits may miss
// where the next one above hits. Makes `text` that one; false if it misses too.
static bool try_next_above(char *text, double number)
{
    snprintf(text, 40, "%.15e", number);
    char *digit = strchr(text, 'e') - 1;
    while (*digit == '9') {
        *digit-- = '0';
    }
    if (*digit == '.') {
        return false;
    }
    ++*digit;
    return strtod(text, NULL) == number;
}

// Finds the shortest digits that read back as `number` (finite, above 0), without zeros behind.
static unsigned shortest(double number, char digits[17], long *point)
{
    char text[40];
    int precision = number < 2.3e-308 ? 1 : DIGITS_KEPT, exponent;
    bool power_of_two = frexp(number, &exponent) == 0.5;
    for (; precision <= 17; precision++) {
        if (precision == 17 && power_of_two && try_next_above(text, number)) {
            break;
        }
        snprintf(text, sizeof(text), "%.*e", precision - 1, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    unsigned len = 0;
    const char *at = text;
    for (; *at != 'e'; at++) {
        if (*at != '.') {
            digits[len++] = *at;
        }
    }
    while (len > 1 && digits[len - 1] == '0') {
        len--;
    }
    *point = strtol(at + 1, NULL, 10) + 1;
    return len;
}

static size_t print_whole(uint64_t number, char *out)
{
    char digits[20];
    size_t len = 0, at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
        len++;
    } while (number);
    memcpy(out, digits + at, len);
    return len;
}

static size_t print_scientific(const char *digits, unsigned len, long point, char *out)
{
    size_t at = 0;
    out[at++] = digits[0];
    if (len > 1) {
        out[at++] = '.';
        memcpy(out + at, digits + 1, len - 1);
        at += len - 1;
    }
    return at + (size_t)snprintf(out + at, 8, "e%+ld", point - 1);
}

static size_t print_real(double number, char *out)
{
    char digits[17];
    long point;
    unsigned len = shortest(number, digits, &point);
    if (point > 21 || point < -5) {
        return print_scientific(digits, len, point, out);
    }
    size_t at = 0;
    if (point <= 0) {
        memcpy(out, "0.", 2);
        memset(out + 2, '0', (size_t)-point);
        at = 2 + (size_t)-point;
        memcpy(out + at, digits, len);
        return at + len;
    }
    for (long i = 0; i < point || i < (long)len; i++) {
        if (i == point) {
            out[at++] = '.';
        }
        out[at++] = i < (long)len ? digits[i] : '0';
    }
    return at;
}

size_t px_json_print_number(double number, char out[PX_JSON_NUMBER_MAX])
{
    if (!isfinite(number)) {
        return 0;
    }
    size_t sign = signbit(number) ? 1 : 0;
    out[0] = '-';
    number = fabs(number);
    if (number <= EXACT_INTEGER && number == (double)(uint64_t)number) {
        return sign + print_whole((uint64_t)number, out + sign);
    }
    return sign + print_real(number, out + sign);
}

// Tells whether `number` (positive) stands for exactly these digits.
static bool is_exact(const struct decimal *d, double number)
{
    if (!isfinite(number)) {
        return false;
    }
    if (!d->fraction && !d->exponent && number > EXACT_INTEGER) {
        return false;
    }
    if (d->len == 0 || (d->len <= DIGITS_KEPT && number > 2.3e-308)) {
        return true;
    }
    char digits[17];
    long point;
    return number > 0 && shortest(number, digits, &point) == d->len && point == d->point &&
           memcmp(digits, d->digits, d->len) == 0;
}

// Reads what most numbers are: integers of few digits. False if `text` is not one.
static bool read_small(struct px_str text, double *number)
{
    size_t at = text.ptr[0] == '-';
    if (text.len - at > DIGITS_KEPT) {
        return false;
    }
    uint64_t whole = 0;
    size_t first = at;
    for (; at < text.len; at++) {
        unsigned digit = (unsigned)(text.ptr[at] - '0');
        if (digit > 9) {
            return false;
        }
        whole = whole * 10 + digit;
    }
    *number = first ? -(double)whole : (double)whole;
    return true;
}

enum px_json_exact px_json_read_number(struct px_str text, double *number)
{
    if (read_small(text, number)) {
        return PX_JSON_SAME;
    }
    struct decimal d;
    read_decimal(&d, text);
    double value = decimal_value(&d);
    *number = d.negative ? -value : value;
    if (!is_exact(&d, value)) {
        return PX_JSON_INEXACT;
    }
    if (!d.exponent) {
        // Our own print has no zeros behind, and an exponent below 1e-6.
        bool plain = !d.fraction || (text.ptr[text.len - 1] != '0' && d.point > -6);
        return plain ? PX_JSON_SAME : PX_JSON_EQUAL;
    }
    char printed[PX_JSON_NUMBER_MAX];
    size_t len = px_json_print_number(*number, printed);
    return px_str_eq(text, (struct px_str){ printed, len }) ? PX_JSON_SAME : PX_JSON_EQUAL;
}
