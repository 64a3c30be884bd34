// A chunked body gives the same content, the same end and the same verdict, however it is split.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "px/buf.h"
#include "px/http_body.h"

#define CHECK(what) ((what) ? (void)0 : abort())

struct outcome {
    enum px_status status;
    bool done;
    size_t used;  ///< Bytes taken, if all is well.
    struct px_buf content;
};

static void feed(struct px_http_body *body, struct px_str piece, struct outcome *outcome)
{
    struct px_str rest = piece;
    while (rest.len && !px_http_body_done(body) && !outcome->status) {
        struct px_str content;
        size_t before = rest.len;
        outcome->status = px_http_body_next(body, &rest, &content, NULL);
        if (!outcome->status) {
            CHECK(rest.len < before && content.len <= before - rest.len);
            CHECK(px_buf_add(&outcome->content, content) == PX_OK);
        }
    }
    outcome->used += piece.len - rest.len;
}

static void run(struct px_str input, size_t step, int64_t length, struct outcome *outcome)
{
    struct px_http_body body;
    struct px_http_head head = { .content_length = length, .chunked = length < 0 };
    px_http_body_init(&body, &head);
    for (size_t at = 0; at < input.len && !outcome->status; at += step) {
        size_t len = input.len - at < step ? input.len - at : step;
        char *piece = malloc(len);
        CHECK(piece);
        memcpy(piece, input.ptr + at, len);
        feed(&body, (struct px_str){ piece, len }, outcome);
        free(piece);
    }
    outcome->done = px_http_body_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct px_str input = { (const char *)data + 2, size - 2 };
    int64_t length = data[0] & 1 ? data[0] >> 1 : -1;
    size_t steps[] = { 1, 2, 3, data[1] + 1u };
    struct outcome whole = { .content = PX_BUF(SIZE_MAX / 2) };
    run(input, size, length, &whole);
    CHECK(length < 0 || (!whole.status && whole.done == (input.len >= (size_t)length)));
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct outcome split = { .content = PX_BUF(SIZE_MAX / 2) };
        run(input, steps[i], length, &split);
        CHECK(split.status == whole.status && split.done == whole.done);
        CHECK(whole.status || split.used == whole.used);
        struct px_str a = px_buf_str(&whole.content), b = px_buf_str(&split.content);
        CHECK(px_str_eq(a, b));
        px_buf_free(&split.content);
    }
    px_buf_free(&whole.content);
    return 0;
}
