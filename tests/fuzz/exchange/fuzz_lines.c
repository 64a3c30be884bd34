// Lines give the same events however they are split, and each ends where its line does.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "framing.h"

#define CHECK(what) ((what) ? (void)0 : abort())

struct trace {
    struct px_buf text;
    size_t fed, len;
    const uint8_t *data;
};

static enum px_status on_event(const struct px_sse_event *event, void *user)
{
    struct trace *trace = user;
    CHECK(event->data.len > 0 && !memchr(event->data.ptr, '\n', event->data.len));
    if (!event->open) {
        CHECK(event->end > 0 && event->end <= trace->len);
        CHECK(trace->data[trace->fed + event->end - 1] == '\n');
    }
    CHECK(px_buf_add(&trace->text, event->data) == PX_OK);
    return px_buf_add(&trace->text, PX_STR("\n"));
}

static void run(const uint8_t *data, size_t size, size_t step, struct trace *trace)
{
    struct framing framing;
    framing_init(&framing, PX_FRAMING_LINES, SIZE_MAX / 2);
    trace->data = data;
    for (size_t at = 0; at < size; at += trace->len) {
        trace->fed = at;
        trace->len = size - at < step ? size - at : step;
        char *piece = malloc(trace->len);  // A copy of its own: a span kept too long is found.
        CHECK(piece);
        memcpy(piece, data + at, trace->len);
        CHECK(framing_feed(&framing, (struct px_str){ piece, trace->len }, on_event, trace) ==
              PX_OK);
        free(piece);
    }
    CHECK(framing_end(&framing, on_event, trace) == PX_OK);
    CHECK(framing_idle(&framing));
    framing_deinit(&framing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace whole = { .text = PX_BUF(SIZE_MAX / 2) }, split = { .text = PX_BUF(SIZE_MAX / 2) };
    run(data, size, size ? size : 1, &whole);
    run(data, size, size ? 1 + data[0] % 7 : 1, &split);
    CHECK(px_str_eq(px_buf_str(&whole.text), px_buf_str(&split.text)));
    px_buf_free(&whole.text);
    px_buf_free(&split.text);
    return 0;
}
