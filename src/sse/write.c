#include "px/sse.h"

#include <string.h>

static bool has_line_end(struct px_str text)
{
    return memchr(text.ptr, '\n', text.len) || memchr(text.ptr, '\r', text.len);
}

static enum px_status add_line(struct px_buf *out, struct px_str field, struct px_str value)
{
    enum px_status st = px_buf_add(out, field);
    st = st ? st : px_buf_add(out, value);
    return st ? st : px_buf_add(out, PX_STR("\n"));
}

/// Length of the first line of `text`, and in `next` where the second one starts.
static size_t first_line(struct px_str text, size_t *next)
{
    const char *lf = memchr(text.ptr, '\n', text.len);
    size_t len = lf ? (size_t)(lf - text.ptr) : text.len;
    const char *cr = memchr(text.ptr, '\r', len);
    if (cr) {
        len = (size_t)(cr - text.ptr);
    }
    *next = len + 1;
    if (cr && cr + 1 == lf) {
        *next = len + 2;
    }
    return len;
}

static enum px_status add_data(struct px_buf *out, struct px_str data)
{
    enum px_status st = PX_OK;
    for (size_t at = 0; !st && at <= data.len;) {
        struct px_str rest = { data.ptr + at, data.len - at }, line = rest;
        size_t next;
        line.len = first_line(rest, &next);
        st = add_line(out, PX_STR("data: "), line);
        at += next;
    }
    return st;
}

enum px_status px_sse_write(struct px_buf *out, struct px_str type, struct px_str data)
{
    static const char nothing[] = "";
    if (type.len && (has_line_end(type) || memchr(type.ptr, '\0', type.len))) {
        return PX_EINVAL;
    }
    if (data.len == 0) {
        data.ptr = nothing;
    }
    size_t len = out->len;
    enum px_status st = type.len ? add_line(out, PX_STR("event: "), type) : PX_OK;
    st = st ? st : add_data(out, data);
    st = st ? st : px_buf_add(out, PX_STR("\n"));
    if (st) {
        out->len = len;
    }
    return st;
}

enum px_status px_sse_write_comment(struct px_buf *out, struct px_str text)
{
    if (text.len && has_line_end(text)) {
        return PX_EINVAL;
    }
    size_t len = out->len;
    enum px_status st = add_line(out, PX_STR(": "), text);
    st = st ? st : px_buf_add(out, PX_STR("\n"));
    if (st) {
        out->len = len;
    }
    return st;
}
