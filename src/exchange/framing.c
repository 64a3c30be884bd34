#include "framing.h"

#include <string.h>

void framing_init(struct framing *framing, enum px_framing kind, size_t max_event)
{
    framing->kind = kind;
    framing->line = PX_BUF(max_event);
    px_sse_init(&framing->sse, max_event);
}

void framing_deinit(struct framing *framing)
{
    px_sse_deinit(&framing->sse);
    px_buf_free(&framing->line);
}

static enum px_status deliver(struct px_str line, size_t end, bool open, px_sse_fn fn, void *user)
{
    if (line.len && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    struct px_sse_event event = {
        .type = PX_STR("message"),
        .data = line,
        .end = end,
        .open = open,
    };
    return line.len ? fn(&event, user) : PX_OK;
}

static enum px_status feed_lines(struct framing *framing, struct px_str bytes, px_sse_fn fn,
                                 void *user)
{
    const char *at = bytes.ptr, *const end = bytes.ptr + bytes.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct px_str line = { at, (size_t)((stop ? stop : end) - at) };
        if (!stop || framing->line.len) {
            enum px_status st = px_buf_add(&framing->line, line);
            if (st || !stop) {
                return st;
            }
            line = px_buf_str(&framing->line);
        }
        at = stop + 1;
        enum px_status st = deliver(line, (size_t)(at - bytes.ptr), false, fn, user);
        px_buf_free(&framing->line);
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

enum px_status framing_feed(struct framing *framing, struct px_str bytes, px_sse_fn fn, void *user)
{
    return framing->kind == PX_FRAMING_LINES ? feed_lines(framing, bytes, fn, user)
                                             : px_sse_feed(&framing->sse, bytes, fn, user);
}

enum px_status framing_end(struct framing *framing, px_sse_fn fn, void *user)
{
    if (framing->kind != PX_FRAMING_LINES) {
        return px_sse_end(&framing->sse, fn, user);
    }
    enum px_status st = deliver(px_buf_str(&framing->line), 0, true, fn, user);
    px_buf_free(&framing->line);
    return st;
}

bool framing_idle(const struct framing *framing)
{
    return framing->kind == PX_FRAMING_LINES ? framing->line.len == 0 : px_sse_idle(&framing->sse);
}
