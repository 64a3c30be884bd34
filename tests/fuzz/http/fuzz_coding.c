// Coded content gives the same bytes and the same verdict, however it is split, and never more than
// the limit.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "px/buf.h"
#include "px/http_coding.h"

#define CHECK(what) ((what) ? (void)0 : abort())

#define LIMIT 200000

static const struct px_str codings[] = {
    { "gzip", 4 },
    { "deflate", 7 },
    { "zstd", 4 },
    { "identity", 8 },
};

static enum px_status on_bytes(struct px_str bytes, void *user)
{
    CHECK(bytes.len > 0);
    return px_buf_add(user, bytes);
}

static enum px_status run(struct px_str input, struct px_str coding, uint64_t limit, size_t step,
                          struct px_buf *out)
{
    struct px_http_coding *decoder;
    CHECK(px_http_coding_new(coding, limit, &decoder, NULL) == PX_OK);
    enum px_status st = PX_OK;
    for (size_t at = 0; at < input.len && !st; at += step) {
        size_t len = input.len - at < step ? input.len - at : step;
        char *piece = malloc(len);
        CHECK(piece);
        memcpy(piece, input.ptr + at, len);
        st = px_http_coding_feed(decoder, (struct px_str){ piece, len }, on_bytes, out, NULL);
        free(piece);
    }
    st = st ? st : px_http_coding_end(decoder, NULL);
    px_http_coding_free(decoder);
    CHECK(st != PX_ENOMEM && out->len <= limit);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct px_str input = { (const char *)data + 2, size - 2 };
    struct px_str coding = codings[data[0] & 3];
    uint64_t limit = data[0] & 4 ? data[0] >> 3 : LIMIT;
    size_t steps[] = { 1, data[1] + 1u };
    struct px_buf whole = PX_BUF(LIMIT);
    enum px_status st = run(input, coding, limit, size, &whole);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct px_buf split = PX_BUF(LIMIT);
        enum px_status again = run(input, coding, limit, steps[i], &split);
        // Damage behind the limit may be seen before or after the limit.
        CHECK(!st == !again);
        CHECK(st || px_str_eq(px_buf_str(&whole), px_buf_str(&split)));
        px_buf_free(&split);
    }
    px_buf_free(&whole);
    return 0;
}
