#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "px/vector.h"

static struct px_str str(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

static void test_floats_are_packed_little_end_first(void **state)
{
    (void)state;
    static const unsigned char want[] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0xcd, 0xcc, 0xcc, 0x3d };
    struct px_buf out = PX_BUF(100);
    assert_int_equal(px_vector_pack(str(" [1, -2.0,\n1e-1] "), &out), PX_OK);
    assert_int_equal(out.len, sizeof(want));
    assert_memory_equal(out.ptr, want, sizeof(want));
    px_buf_free(&out);
}

static void test_what_is_no_array_of_numbers_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",   "[",       "[1",    "[1,]",  "1",
                                       "{}", "[\"1\"]", "[[1]]", "[1] 2", "[null]" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct px_buf out = PX_BUF(100);
        assert_int_equal(px_vector_pack(str(bad[i]), &out), PX_EINVAL);
        px_buf_free(&out);
    }
    struct px_buf out = PX_BUF(100);
    assert_int_equal(px_vector_unpack((struct px_str){ "abc", 3 }, &out), PX_EINVAL);
    assert_int_equal(px_vector_unpack((struct px_str){ "\0\0\x80\x7f", 4 }, &out), PX_EINVAL);
    px_buf_free(&out);
}

static void test_what_was_unpacked_packs_to_the_same(void **state)
{
    (void)state;
    struct px_buf bytes = PX_BUF(1 << 20), text = PX_BUF(1 << 20), again = PX_BUF(1 << 20);
    uint32_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 1664525u + 1013904223u;
        uint32_t finite = (bits & 0x7f800000u) == 0x7f800000u ? bits & ~0x40000000u : bits;
        char one[4] = { (char)finite, (char)(finite >> 8), (char)(finite >> 16),
                        (char)(finite >> 24) };
        assert_int_equal(px_buf_add(&bytes, (struct px_str){ one, 4 }), PX_OK);
    }
    assert_int_equal(px_vector_unpack(px_buf_str(&bytes), &text), PX_OK);
    assert_int_equal(px_vector_pack(px_buf_str(&text), &again), PX_OK);
    assert_int_equal(bytes.len, again.len);
    assert_memory_equal(bytes.ptr, again.ptr, bytes.len);
    px_buf_free(&bytes);
    px_buf_free(&text);
    px_buf_free(&again);
}

static void test_empty_vectors_and_full_buffers(void **state)
{
    (void)state;
    struct px_buf out = PX_BUF(8);
    assert_int_equal(px_vector_pack(str("[]"), &out), PX_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(px_vector_unpack((struct px_str){ "", 0 }, &out), PX_OK);
    assert_memory_equal(out.ptr, "[]", 2);
    px_buf_free(&out);
    assert_int_equal(px_vector_pack(str("[1,2,3]"), &out), PX_ETOOBIG);
    px_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats_are_packed_little_end_first),
        cmocka_unit_test(test_what_is_no_array_of_numbers_is_refused),
        cmocka_unit_test(test_what_was_unpacked_packs_to_the_same),
        cmocka_unit_test(test_empty_vectors_and_full_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
