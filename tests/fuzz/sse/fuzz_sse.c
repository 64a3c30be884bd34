// A stream gives the same events and the same end, however it is split; `end` says the same place
// in it; and what the writer makes of an event reads as that event.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "px/sse.h"

#define CHECK(what) ((what) ? (void)0 : abort())

/// What a parser said, as text, and where each event ended.
struct trace {
    struct px_buf text;
    struct px_buf ends;
    size_t fed;  ///< Bytes before the current feed.
    size_t len;  ///< Of the current feed.
    bool rewrite;
};

static enum px_status expect_same(const struct px_sse_event *event, void *user)
{
    const struct px_sse_event *wanted = user;
    CHECK(px_str_eq(event->type, wanted->type));
    CHECK(px_str_eq(event->data, wanted->data));
    return PX_OK;
}

static void rewrite(const struct px_sse_event *event)
{
    struct px_buf out = PX_BUF(SIZE_MAX / 2);
    enum px_status st = px_sse_write(&out, event->type, event->data);
    if (st) {
        CHECK(st == PX_EINVAL && memchr(event->type.ptr, '\0', event->type.len));
    } else {
        struct px_sse sse;
        px_sse_init(&sse, 1 << 20);
        CHECK(px_sse_feed(&sse, px_buf_str(&out), expect_same, (void *)event) == PX_OK);
        CHECK(px_sse_idle(&sse));
        px_sse_deinit(&sse);
    }
    px_buf_free(&out);
}

static void add(struct px_buf *buf, struct px_str bytes)
{
    CHECK(px_buf_add(buf, bytes) == PX_OK);
}

static enum px_status on_event(const struct px_sse_event *event, void *user)
{
    struct trace *trace = user;
    size_t end = trace->fed + event->end;
    CHECK(event->end <= trace->len && event->open == (trace->len == 0));
    add(&trace->text, event->type);
    add(&trace->text, PX_STR("|"));
    add(&trace->text, event->data);
    add(&trace->text, PX_STR("|"));
    add(&trace->text, event->id);
    add(&trace->text, PX_STR("\n"));
    add(&trace->ends, (struct px_str){ (const char *)&end, sizeof(end) });
    if (trace->rewrite) {
        rewrite(event);
    }
    return PX_OK;
}

static enum px_status run(struct px_str input, size_t limit, size_t step, struct trace *trace)
{
    struct px_sse sse;
    px_sse_init(&sse, limit);
    enum px_status st = PX_OK;
    for (size_t at = 0; at < input.len && !st; at += trace->len) {
        trace->fed = at;
        trace->len = input.len - at < step ? input.len - at : step;
        // A copy of its own, so that a span kept too long is found.
        char *piece = malloc(trace->len);
        CHECK(piece);
        memcpy(piece, input.ptr + at, trace->len);
        st = px_sse_feed(&sse, (struct px_str){ piece, trace->len }, on_event, trace);
        free(piece);
    }
    trace->fed = input.len;
    trace->len = 0;
    st = st ? st : px_sse_end(&sse, on_event, trace);
    px_sse_deinit(&sse);
    return st;
}

static void compare_ends(struct px_str input, const struct trace *whole, const struct trace *split)
{
    const size_t *a = (const size_t *)(void *)whole->ends.ptr;
    const size_t *b = (const size_t *)(void *)split->ends.ptr;
    CHECK(whole->ends.len == split->ends.len);
    for (size_t i = 0; i < whole->ends.len / sizeof(*a); i++) {
        CHECK(a[i] == b[i] || (a[i] == b[i] + 1 && input.ptr[b[i]] == '\n'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct px_str input = { (const char *)data + 2, size - 2 };
    size_t limit = data[0] & 1 ? data[0] >> 1 : 1 << 20;
    size_t steps[] = { 1, 2, 3, data[1] + 1u };
    struct trace whole = { .text = PX_BUF(SIZE_MAX / 2),
                           .ends = PX_BUF(SIZE_MAX / 2),
                           .rewrite = true };
    enum px_status st = run(input, limit, size, &whole);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct trace split = { .text = PX_BUF(SIZE_MAX / 2), .ends = PX_BUF(SIZE_MAX / 2) };
        CHECK(run(input, limit, steps[i], &split) == st);
        CHECK(px_str_eq(px_buf_str(&whole.text), px_buf_str(&split.text)));
        compare_ends(input, &whole, &split);
        px_buf_free(&split.text);
        px_buf_free(&split.ends);
    }
    px_buf_free(&whole.text);
    px_buf_free(&whole.ends);
    return 0;
}
