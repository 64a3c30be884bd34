#pragma once

#include <stddef.h>
#include <stdint.h>

#include "px/buf.h"
#include "px/status.h"
#include "px/str.h"

/// Writes responses into a buffer. Every function that fails leaves the buffer as it was: PX_EINVAL
/// for what may not be sent, PX_ETOOBIG and PX_ENOMEM from the buffer.

/// Reason phrase of a status: "OK", "Not Found". For numbers without one that of their class.
const char *px_http_status_text(int status);

/// Adds "HTTP/1.1 200 OK" and its line end. PX_EINVAL if `status` is not within 100 to 599.
PX_CHECK enum px_status px_http_write_status(struct px_buf *out, int status);

/// Adds one header line. PX_EINVAL if `name` is no token or `value` has a control byte (CR, LF and
/// NUL among them).
PX_CHECK enum px_status px_http_write_header(struct px_buf *out, struct px_str name,
                                             struct px_str value);

/// Adds one header line with a decimal number, such as content-length.
PX_CHECK enum px_status px_http_write_number(struct px_buf *out, struct px_str name,
                                             uint64_t value);

/// Adds the blank line that ends a head.
PX_CHECK enum px_status px_http_write_end(struct px_buf *out);

/// The text of a date header, made anew once a second. One for each thread; zero-initialise it.
struct px_http_date {
    int64_t second;  ///< 1 + the second `text` is made for; 0 for none.
    char text[30];   ///< "Sun, 06 Nov 1994 08:49:37 GMT"
};

/// Date of `wall_ms` (px_clock_wall_ms()) as HTTP writes it. Borrowed until the next call.
struct px_str px_http_date(struct px_http_date *cache, int64_t wall_ms);

/// Longest size line of a chunk, with CR and LF.
#define PX_HTTP_CHUNK_OPEN_MAX 18

/// Writes the size line of a chunk of `len` bytes (not 0) to `out` and returns its length. For
/// those who send line, content and the chunk's "\r\n" from three places.
size_t px_http_chunk_line(char out[PX_HTTP_CHUNK_OPEN_MAX], size_t len);

/// Adds the size line of a chunk of `len` bytes. Adds nothing for `len` 0, which would end the
/// body.
PX_CHECK enum px_status px_http_chunk_open(struct px_buf *out, size_t len);

/// Adds the line end behind a chunk's content.
PX_CHECK enum px_status px_http_chunk_close(struct px_buf *out);

/// Adds a whole chunk; nothing if `content` is empty.
PX_CHECK enum px_status px_http_chunk_add(struct px_buf *out, struct px_str content);

/// Adds the last chunk, which ends the body.
PX_CHECK enum px_status px_http_chunk_last(struct px_buf *out);
