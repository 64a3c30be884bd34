#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "px/buf.h"
#include "px/http_coding.h"

#define NO_LIMIT (SIZE_MAX / 2)

static enum px_status collect(struct px_str bytes, void *user)
{
    assert_true(bytes.len > 0);
    return px_buf_add(user, bytes);
}

/// Decodes `input` in steps. `out` is emptied first.
static enum px_status decode(const char *name, struct px_str input, size_t step, uint64_t limit,
                             struct px_buf *out)
{
    struct px_http_coding *coding;
    struct px_str coding_name = { name, strlen(name) };
    px_buf_reset(out);
    assert_int_equal(px_http_coding_new(coding_name, limit, &coding, NULL), PX_OK);
    enum px_status st = PX_OK;
    for (size_t at = 0; at < input.len && !st; at += step) {
        struct px_str piece = { input.ptr + at, input.len - at < step ? input.len - at : step };
        st = px_http_coding_feed(coding, piece, collect, out, NULL);
    }
    st = st ? st : px_http_coding_end(coding, NULL);
    px_http_coding_free(coding);
    return st;
}

static void add_deflated(struct px_buf *out, struct px_str plain, int window)
{
    z_stream zlib = { 0 };
    int level = Z_DEFAULT_COMPRESSION;
    assert_int_equal(deflateInit2(&zlib, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(px_buf_reserve(out, deflateBound(&zlib, plain.len)), PX_OK);
    zlib.next_in = (Bytef *)(uintptr_t)plain.ptr;
    zlib.avail_in = (uInt)plain.len;
    zlib.next_out = (Bytef *)out->ptr + out->len;
    zlib.avail_out = (uInt)(out->cap - out->len);
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    out->len += zlib.total_out;
    deflateEnd(&zlib);
}

static void add_zstd(struct px_buf *out, struct px_str plain)
{
    size_t bound = ZSTD_compressBound(plain.len);
    assert_int_equal(px_buf_reserve(out, bound), PX_OK);
    size_t len = ZSTD_compress(out->ptr + out->len, bound, plain.ptr, plain.len, 3);
    assert_false(ZSTD_isError(len));
    out->len += len;
}

static void add_coded(struct px_buf *out, const char *name, struct px_str plain)
{
    if (strcmp(name, "zstd") == 0) {
        add_zstd(out, plain);
    } else if (strcmp(name, "identity") == 0) {
        assert_int_equal(px_buf_add(out, plain), PX_OK);
    } else {
        add_deflated(out, plain, strcmp(name, "deflate") == 0 ? 15 : 15 + 16);
    }
}

/// Text that is longer than the output buffer of a decoder, and does not shrink to nothing.
static struct px_str long_text(struct px_buf *buf)
{
    uint32_t seed = 1;
    for (size_t i = 0; i < 40000; i++) {
        seed = seed * 1664525 + 1013904223;
        char byte = "{}[]\":,0123456789"[seed >> 28];
        assert_int_equal(px_buf_add(buf, (struct px_str){ &byte, 1 }), PX_OK);
    }
    return px_buf_str(buf);
}

static const char *const codings[] = { "gzip", "X-GZIP", "deflate", "ZSTD", "zstd", "identity" };

static void test_content_is_decoded_however_it_is_split(void **state)
{
    (void)state;
    static const size_t steps[] = { 1, 2, 3, 7, 1000, 100000 };
    struct px_buf text = PX_BUF(NO_LIMIT), out = PX_BUF(NO_LIMIT);
    struct px_str plain = long_text(&text);
    for (size_t i = 0; i < sizeof(codings) / sizeof(*codings); i++) {
        struct px_buf coded = PX_BUF(NO_LIMIT);
        const char *name = strcmp(codings[i], "ZSTD") == 0 ? "zstd" : codings[i];
        add_coded(&coded, name, plain);
        for (size_t k = 0; k < sizeof(steps) / sizeof(*steps); k++) {
            struct px_str input = px_buf_str(&coded);
            assert_int_equal(decode(codings[i], input, steps[k], plain.len, &out), PX_OK);
            assert_true(px_str_eq(px_buf_str(&out), plain));
        }
        px_buf_free(&coded);
    }
    px_buf_free(&text);
    px_buf_free(&out);
}

static void test_deflate_without_its_wrapper_is_decoded(void **state)
{
    (void)state;
    struct px_buf coded = PX_BUF(NO_LIMIT), out = PX_BUF(NO_LIMIT);
    add_deflated(&coded, PX_STR("hello hello hello"), -15);
    for (size_t step = 1; step <= coded.len; step++) {
        assert_int_equal(decode("deflate", px_buf_str(&coded), step, 100, &out), PX_OK);
        assert_true(px_str_eq(px_buf_str(&out), PX_STR("hello hello hello")));
    }
    px_buf_free(&coded);
    px_buf_free(&out);
}

static void test_members_and_frames_follow_each_other(void **state)
{
    (void)state;
    static const char *const names[] = { "gzip", "zstd" };
    struct px_buf out = PX_BUF(NO_LIMIT);
    for (size_t i = 0; i < 2; i++) {
        struct px_buf coded = PX_BUF(NO_LIMIT);
        add_coded(&coded, names[i], PX_STR("one "));
        add_coded(&coded, names[i], PX_STR(""));
        if (i == 1) {
            struct px_str skippable = PX_STR("\x5a\x2a\x4d\x18\3\0\0\0xyz");
            assert_int_equal(px_buf_add(&coded, skippable), PX_OK);
        }
        add_coded(&coded, names[i], PX_STR("two"));
        for (size_t step = 1; step <= coded.len; step++) {
            assert_int_equal(decode(names[i], px_buf_str(&coded), step, 7, &out), PX_OK);
            assert_true(px_str_eq(px_buf_str(&out), PX_STR("one two")));
        }
        px_buf_free(&coded);
    }
    px_buf_free(&out);
}

static void test_content_over_the_limit_is_too_big(void **state)
{
    (void)state;
    struct px_buf text = PX_BUF(NO_LIMIT), out = PX_BUF(NO_LIMIT);
    struct px_str plain = long_text(&text);
    for (size_t i = 4; i < 2 * sizeof(codings) / sizeof(*codings); i++) {
        const char *name = codings[i / 2];
        uint64_t limit = i % 2 ? plain.len - 1 : 10;
        struct px_buf coded = PX_BUF(NO_LIMIT);
        add_coded(&coded, strcmp(name, "ZSTD") == 0 ? "zstd" : name, plain);
        for (size_t step = 1; step <= 100000; step *= 10) {
            struct px_str input = px_buf_str(&coded);
            assert_int_equal(decode(name, input, step, limit, &out), PX_ETOOBIG);
            assert_int_equal(out.len, limit);
        }
        px_buf_free(&coded);
    }
    px_buf_free(&text);
    px_buf_free(&out);
}

static void test_a_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    static const char *const names[] = { "gzip", "deflate", "zstd" };
    static const char zeros[1 << 24];
    struct px_buf out = PX_BUF(NO_LIMIT);
    for (size_t i = 0; i < 3; i++) {
        struct px_buf coded = PX_BUF(NO_LIMIT);
        add_coded(&coded, names[i], (struct px_str){ zeros, sizeof(zeros) });
        assert_int_equal(decode(names[i], px_buf_str(&coded), SIZE_MAX, 5000, &out), PX_ETOOBIG);
        assert_int_equal(out.len, 5000);
        px_buf_free(&coded);
    }
    px_buf_free(&out);
}

static void test_a_cut_anywhere_is_damage(void **state)
{
    (void)state;
    static const char *const names[] = { "gzip", "deflate", "zstd" };
    struct px_buf out = PX_BUF(NO_LIMIT);
    for (size_t i = 0; i < 3; i++) {
        struct px_buf coded = PX_BUF(NO_LIMIT);
        add_coded(&coded, names[i], PX_STR("a body that is cut somewhere"));
        for (size_t len = 0; len < coded.len; len++) {
            struct px_str cut = { coded.ptr, len };
            assert_int_equal(decode(names[i], cut, 5, 100, &out), PX_EINVAL);
        }
        px_buf_free(&coded);
    }
    assert_int_equal(decode("identity", PX_STR(""), 5, 100, &out), PX_OK);
    px_buf_free(&out);
}

static void test_damage_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct px_str input;
    } cases[] = {
        { "gzip", PX_STR("no gzip at all") },
        { "gzip", PX_STR("\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\1\0\0\0\0\0\0\0") },
        { "gzip", PX_STR("\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\0\0\0\0\0\0\0\0behind") },
        { "deflate", PX_STR("no deflate") },
        { "deflate", PX_STR("\x78\x9c\3\0\0\0\0\2") },
        { "deflate", PX_STR("\x78\x9c\3\0\0\0\0\1behind") },
        { "deflate", PX_STR("\x78\xbb\1\2\3\4") },
        { "zstd", PX_STR("no zstd at all") },
        { "zstd", PX_STR("\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") },
        { "zstd", PX_STR("\x28\xb5\x2f\xfd\x20\0\1\0\0behind") },
        { "zstd", PX_STR("\x50\x2a\x4d\x18\0\0\0\0\x50\x2a\x4d\x19\0\0\0\0") },
    };
    struct px_buf out = PX_BUF(NO_LIMIT);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= cases[i].input.len; step++) {
            enum px_status st = decode(cases[i].name, cases[i].input, step, 100, &out);
            assert_int_equal(st, PX_EINVAL);
        }
    }
    px_buf_free(&out);
}

static void test_the_first_formats_of_zstd_are_refused(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(NO_LIMIT);
    for (char version = 0x22; version < 0x28; version++) {
        const char frame[] = { version, (char)0xb5, 0x2f, (char)0xfd, 0x20, 0, 1, 0, 0 };
        struct px_str input = { frame, sizeof(frame) };
        assert_int_equal(decode("zstd", input, 100, 100, &out), PX_EINVAL);
        assert_int_equal(decode("zstd", input, 1, 100, &out), PX_EINVAL);
    }
    px_buf_free(&out);
}

static void test_a_zstd_window_over_8_mib_is_too_big(void **state)
{
    (void)state;
    // A header that names the window alone: exponent in the high five bits, from 1 KiB up. Then one
    // last block without content.
    struct px_buf out = PX_BUF(NO_LIMIT);
    char frame[] = "\x28\xb5\x2f\xfd\0?\1\0\0";
    struct px_str input = { frame, sizeof(frame) - 1 };
    frame[5] = 13 << 3;
    assert_int_equal(decode("zstd", input, 1, 100, &out), PX_OK);
    frame[5] = 13 << 3 | 1;
    assert_int_equal(decode("zstd", input, 1, 100, &out), PX_ETOOBIG);
    px_buf_free(&out);
}

static void test_an_unknown_coding_is_told_from_damage(void **state)
{
    (void)state;
    static const char *const names[] = { "br", "", "gzip, zstd", "compress", "gzi", "gzipp" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct px_http_coding *coding = NULL;
        struct px_str name = { names[i], strlen(names[i]) };
        assert_false(px_http_coding_known(name));
        assert_int_equal(px_http_coding_new(name, 1, &coding, NULL), PX_EINVAL);
        assert_null(coding);
    }
    assert_true(px_http_coding_known(PX_STR("GZip")));
}

static enum px_status refuse(struct px_str bytes, void *user)
{
    (void)bytes;
    (void)user;
    return PX_ECANCELED;
}

static void test_a_callback_stops_the_feed(void **state)
{
    (void)state;
    struct px_http_coding *coding;
    assert_int_equal(px_http_coding_new(PX_STR("identity"), 9, &coding, NULL), PX_OK);
    struct px_str bytes = PX_STR("hello");
    assert_int_equal(px_http_coding_feed(coding, bytes, refuse, NULL, NULL), PX_ECANCELED);
    px_http_coding_free(coding);
    px_http_coding_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_is_decoded_however_it_is_split),
        cmocka_unit_test(test_deflate_without_its_wrapper_is_decoded),
        cmocka_unit_test(test_members_and_frames_follow_each_other),
        cmocka_unit_test(test_content_over_the_limit_is_too_big),
        cmocka_unit_test(test_a_bomb_stops_at_the_limit),
        cmocka_unit_test(test_a_cut_anywhere_is_damage),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_the_first_formats_of_zstd_are_refused),
        cmocka_unit_test(test_a_zstd_window_over_8_mib_is_too_big),
        cmocka_unit_test(test_an_unknown_coding_is_told_from_damage),
        cmocka_unit_test(test_a_callback_stops_the_feed),
    };
    return cmocka_run_group_tests_name("http/coding", tests, NULL, NULL);
}
