#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "px/crypto.h"

static struct px_str str(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

static void assert_hex(const unsigned char *bytes, size_t len, const char *hex)
{
    char text[200];
    for (size_t i = 0; i < len; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    assert_string_equal(text, hex);
}

static void test_sha256_gives_the_published_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hash;
    } cases[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned char hash[PX_SHA256_LEN];
        assert_int_equal(px_sha256(str(cases[i].text), hash), PX_OK);
        assert_hex(hash, sizeof(hash), cases[i].hash);
    }
}

static void test_hmac_gives_the_values_of_rfc_4231(void **state)
{
    (void)state;
    char long_key[131];
    memset(long_key, 0xaa, sizeof(long_key));
    char short_key[20];
    memset(short_key, 0x0b, sizeof(short_key));
    const struct {
        struct px_str key, text;
        const char *hash;
    } cases[] = {
        { { short_key, sizeof(short_key) },
          str("Hi There"),
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { str("Jefe"), str("what do ya want for nothing?"),
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { { long_key, sizeof(long_key) },
          str("Test Using Larger Than Block-Size Key - Hash Key First"),
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { { NULL, 0 },
          { NULL, 0 },
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned char hash[PX_SHA256_LEN];
        assert_int_equal(px_hmac_sha256(cases[i].key, cases[i].text, hash), PX_OK);
        assert_hex(hash, sizeof(hash), cases[i].hash);
    }
}

static void test_random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[32] = { 0 }, b[32] = { 0 };
    assert_int_equal(px_random(a, sizeof(a)), PX_OK);
    assert_int_equal(px_random(b, sizeof(b)), PX_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(px_random(a, 0), PX_OK);
}

static void test_secrets_are_the_same_only_byte_for_byte(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        { "", "", true },       { "key", "key", true },  { "key", "keY", false },
        { "key", "ke", false }, { "ke", "key", false },  { "", "key", false },
        { "key", "", false },   { "key", "yek", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(px_same_secret(str(cases[i].a), str(cases[i].b)), cases[i].same);
    }
}

static void test_base64_gives_the_values_of_rfc_4648_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded;
    } cases[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_buf coded = PX_BUF(64), plain = PX_BUF(64);
        assert_int_equal(px_base64_encode(str(cases[i].plain), &coded), PX_OK);
        assert_int_equal(coded.len, strlen(cases[i].coded));
        assert_true(px_str_eq(px_buf_str(&coded), str(cases[i].coded)));
        assert_int_equal(px_base64_decode(px_buf_str(&coded), &plain), PX_OK);
        assert_true(px_str_eq(px_buf_str(&plain), str(cases[i].plain)));
        px_buf_free(&coded);
        px_buf_free(&plain);
    }
}

static void test_base64_of_all_bytes_comes_back(void **state)
{
    (void)state;
    char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(255 - i);
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct px_buf coded = PX_BUF(1024), plain = PX_BUF(1024);
        assert_int_equal(px_base64_encode((struct px_str){ bytes, len }, &coded), PX_OK);
        assert_int_equal(px_base64_decode(px_buf_str(&coded), &plain), PX_OK);
        assert_int_equal(plain.len, len);
        assert_true(len == 0 || memcmp(plain.ptr, bytes, len) == 0);
        px_buf_free(&coded);
        px_buf_free(&plain);
    }
}

static void test_base64_is_read_in_all_its_spellings_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text, *plain;  // NULL: refused.
    } cases[] = {
        { "Zm 9v\r\n\tYg", "foob" },
        { "Zg", "f" },
        { "Zm8", "fo" },
        { "-_-_", "\xfb\xff\xbf" },
        { "+/+/", "\xfb\xff\xbf" },
        { " \n", "" },
        { "Z", NULL },
        { "Zm9vY", NULL },
        { "Z===", NULL },
        { "Zg==Zg==", NULL },
        { "Zm9v!", NULL },
        { "Zm9\xc3\xa4", NULL },
        { "Zm9v.", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_buf out = PX_BUF(64);
        assert_int_equal(px_buf_add(&out, PX_STR(">")), PX_OK);
        enum px_status st = px_base64_decode(str(cases[i].text), &out);
        if (cases[i].plain) {
            assert_int_equal(st, PX_OK);
            assert_true(
                px_str_eq((struct px_str){ out.ptr + 1, out.len - 1 }, str(cases[i].plain)));
        } else {
            assert_int_equal(st, PX_EINVAL);
            assert_int_equal(out.len, 1);
        }
        px_buf_free(&out);
    }
}

static void test_base64_stays_below_the_buffers_limit(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(7);
    assert_int_equal(px_base64_encode(str("foob"), &out), PX_ETOOBIG);
    assert_int_equal(px_base64_decode(str("Zm9vYmFyZm9v"), &out), PX_ETOOBIG);
    assert_int_equal(out.len, 0);
    px_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_gives_the_published_values),
        cmocka_unit_test(test_hmac_gives_the_values_of_rfc_4231),
        cmocka_unit_test(test_random_bytes_differ),
        cmocka_unit_test(test_secrets_are_the_same_only_byte_for_byte),
        cmocka_unit_test(test_base64_gives_the_values_of_rfc_4648_both_ways),
        cmocka_unit_test(test_base64_of_all_bytes_comes_back),
        cmocka_unit_test(test_base64_is_read_in_all_its_spellings_and_nothing_else),
        cmocka_unit_test(test_base64_stays_below_the_buffers_limit),
    };
    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
