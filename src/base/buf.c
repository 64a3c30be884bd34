#include "px/buf.h"

#include <stdlib.h>
#include <string.h>

enum px_status px_buf_reserve(struct px_buf *buf, size_t room)
{
    if (room > buf->limit - buf->len) {
        return PX_ETOOBIG;
    }
    if (buf->cap - buf->len >= room) {
        return PX_OK;
    }
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap - buf->len < room) {
        cap *= 2;
    }
    char *ptr = realloc(buf->ptr, cap);
    if (!ptr) {
        return PX_ENOMEM;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return PX_OK;
}

enum px_status px_buf_add(struct px_buf *buf, struct px_str bytes)
{
    enum px_status st = px_buf_reserve(buf, bytes.len);
    if (st) {
        return st;
    }
    if (bytes.len) {
        memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
    }
    buf->len += bytes.len;
    return PX_OK;
}

void px_buf_reset(struct px_buf *buf)
{
    buf->len = 0;
}

void px_buf_free(struct px_buf *buf)
{
    free(buf->ptr);
    buf->ptr = NULL;
    buf->len = buf->cap = 0;
}
