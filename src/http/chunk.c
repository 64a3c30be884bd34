#include "px/http_write.h"

#include <string.h>

size_t px_http_chunk_line(char out[PX_HTTP_CHUNK_OPEN_MAX], size_t len)
{
    size_t digits = 1, at;
    while (digits < 2 * sizeof(len) && len >> (4 * digits)) {
        digits++;
    }
    for (at = 0; at < digits; at++) {
        out[at] = "0123456789abcdef"[len >> (4 * (digits - 1 - at)) & 15];
    }
    memcpy(out + at, "\r\n", 2);
    return at + 2;
}

enum px_status px_http_chunk_open(struct px_buf *out, size_t len)
{
    char line[PX_HTTP_CHUNK_OPEN_MAX];
    return len ? px_buf_add(out, (struct px_str){ line, px_http_chunk_line(line, len) }) : PX_OK;
}

enum px_status px_http_chunk_close(struct px_buf *out)
{
    return px_buf_add(out, PX_STR("\r\n"));
}

enum px_status px_http_chunk_add(struct px_buf *out, struct px_str content)
{
    if (content.len == 0) {
        return PX_OK;
    }
    size_t len = out->len;
    enum px_status st = px_http_chunk_open(out, content.len);
    st = st ? st : px_buf_add(out, content);
    st = st ? st : px_http_chunk_close(out);
    if (st) {
        out->len = len;
    }
    return st;
}

enum px_status px_http_chunk_last(struct px_buf *out)
{
    return px_buf_add(out, PX_STR("0\r\n\r\n"));
}
