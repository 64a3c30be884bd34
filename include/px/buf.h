#pragma once

#include <stddef.h>

#include "px/status.h"
#include "px/str.h"

/// Growable bytes with a hard ceiling. Embed it; zero-initialise with PX_BUF(limit).
struct px_buf {
    char *ptr;
    size_t len, cap, limit;
};

#define PX_BUF(max) ((struct px_buf){ .limit = (max) })

/// Appends `bytes`. On failure the buffer is unchanged.
PX_CHECK enum px_status px_buf_add(struct px_buf *buf, struct px_str bytes);

/// Makes room for `room` more bytes behind `len`, so that a caller can write there and add to
/// `len`.
PX_CHECK enum px_status px_buf_reserve(struct px_buf *buf, size_t room);

/// Forgets the content and keeps the memory.
void px_buf_reset(struct px_buf *buf);

/// Frees the memory; the buffer may be used again.
void px_buf_free(struct px_buf *buf);

static inline struct px_str px_buf_str(const struct px_buf *buf)
{
    return (struct px_str){ buf->ptr, buf->len };
}
