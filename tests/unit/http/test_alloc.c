#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "failing.h"
#include "px/http.h"
#include "px/http_body.h"
#include "px/http_coding.h"
#include "px/http_url.h"
#include "px/http_write.h"

// The libraries' set-up functions count as one allocation each.
int __real_inflateInit2_(z_streamp zlib, int window, const char *version, int size);
int __wrap_inflateInit2_(z_streamp zlib, int window, const char *version, int size);
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);

int __wrap_inflateInit2_(z_streamp zlib, int window, const char *version, int size)
{
    return failing_now() ? Z_MEM_ERROR : __real_inflateInit2_(zlib, window, version, size);
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    return failing_now() ? NULL : __real_ZSTD_createDCtx();
}

static enum px_status collect(struct px_str bytes, void *user)
{
    return px_buf_add(user, bytes);
}

static enum px_status decode(struct px_str name, struct px_str input, struct px_buf *out)
{
    struct px_http_coding *coding = NULL;
    enum px_status st = px_http_coding_new(name, 1000, &coding, NULL);
    if (st) {
        assert_null(coding);
        return st;
    }
    st = px_http_coding_feed(coding, input, collect, out, NULL);
    st = st ? st : px_http_coding_end(coding, NULL);
    px_http_coding_free(coding);
    return st;
}

static void test_any_allocation_of_a_decoder_may_fail(void **state)
{
    (void)state;
    static const struct {
        struct px_str name, input;
    } cases[] = {
        { PX_STR("identity"), PX_STR("a") },
        { PX_STR("gzip"), PX_STR("\x1f\x8b\x08\0\0\0\0\0\0\3\x4b\4\0\x43\xbe\xb7\xe8\1\0\0\0") },
        { PX_STR("deflate"), PX_STR("\x78\x9c\x4b\4\0\0\x62\0\x62") },
        { PX_STR("zstd"), PX_STR("\x28\xb5\x2f\xfd\x20\1\x09\0\0a") },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool failed = true;
        size_t n = 0;
        while (failed) {
            struct px_buf out = PX_BUF(100);
            failing_start(++n);
            enum px_status st = decode(cases[i].name, cases[i].input, &out);
            failed = failing_stop();
            assert_int_equal(st, failed ? PX_ENOMEM : PX_OK);
            assert_true(failed || px_str_eq(px_buf_str(&out), PX_STR("a")));
            px_buf_free(&out);
        }
        assert_int_equal(n, i ? 4 : 3);
    }
}

static enum px_status write_all(struct px_buf *out)
{
    static const char long_text[300] = { [0 ... 299] = 'x' };
    const struct px_str text = { long_text, sizeof(long_text) };
    bool found;
    enum px_status st = px_http_write_status(out, 200);
    st = st ? st : px_http_write_header(out, PX_STR("a"), text);
    st = st ? st : px_http_write_number(out, PX_STR("b"), 5);
    st = st ? st : px_http_write_header(out, PX_STR("c"), text);
    st = st ? st : px_http_write_end(out);
    st = st ? st : px_http_chunk_add(out, text);
    st = st ? st : px_http_chunk_last(out);
    st = st ? st : px_http_url_decode(text, out);
    st = st ? st : px_http_url_encode(text, out);
    st = st ? st : px_http_query_get(text, text, out, &found);
    return st ? st : px_http_query_without(text, PX_STR("a"), out);
}

static void test_any_allocation_of_the_writers_may_fail(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        struct px_buf out = PX_BUF(100000);
        failing_start(n);
        enum px_status st = write_all(&out);
        failed = failing_stop();
        assert_int_equal(st, failed ? PX_ENOMEM : PX_OK);
        px_buf_free(&out);
    }
}

static void test_heads_and_bodies_allocate_nothing(void **state)
{
    (void)state;
    struct px_http_header slots[3];
    struct px_http_head head;
    struct px_http_body body;
    struct px_str bytes =
        PX_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    struct px_str framed = PX_STR("1\r\na\r\n0\r\n\r\n"), content;
    size_t scanned = 0;
    failing_start(0);
    assert_int_equal(px_http_head_find(bytes, &scanned), bytes.len);
    assert_int_equal(px_http_head_parse(bytes, slots, 3, &head, NULL), PX_OK);
    px_http_body_init(&body, &head);
    while (!px_http_body_done(&body)) {
        assert_int_equal(px_http_body_next(&body, &framed, &content, NULL), PX_OK);
    }
    assert_int_equal(failing_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_allocation_of_a_decoder_may_fail),
        cmocka_unit_test(test_any_allocation_of_the_writers_may_fail),
        cmocka_unit_test(test_heads_and_bodies_allocate_nothing),
    };
    return cmocka_run_group_tests_name("http/alloc", tests, NULL, NULL);
}
