#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "px/status.h"
#include "px/str.h"

/// Undoes a content coding as the bytes arrive: gzip (x-gzip; several members too), deflate (with
/// or without zlib's wrapper), zstd (several frames too), identity.
///
/// Memory is bounded: 32 KiB of window for gzip and deflate, 8 MiB for zstd (as RFC 9659 says, and
/// as much as `zstd -19` needs; a frame that wants more is PX_ETOOBIG), plus 16 KiB of output.
struct px_http_coding;

/// Receives decoded bytes, which are borrowed until it returns. A status other than PX_OK stops the
/// feed and is handed back to its caller.
typedef enum px_status (*px_http_coding_fn)(struct px_str bytes, void *user);

/// True if px_http_coding_new() knows `name`, in any case. A request with another one is a 415.
/// A list of codings is not known.
bool px_http_coding_known(struct px_str name);

/// Creates a decoder that gives at most `limit` bytes; free it with px_http_coding_free().
///
/// @return PX_EINVAL only for an unknown coding (415), PX_ENOMEM.
PX_CHECK enum px_status px_http_coding_new(struct px_str name, uint64_t limit,
                                           struct px_http_coding **out, struct px_error *err);

/// Frees the decoder; NULL is allowed.
void px_http_coding_free(struct px_http_coding *coding);

/// Decodes `bytes` and hands out what they give, in pieces that are never empty.
///
/// @return PX_ETOOBIG when the content outgrows the limit (413; what is within it was handed out),
///         PX_EINVAL for damage or bytes behind the end (400), PX_ENOMEM, or the callback's own
///         status. After any failure the decoder may only be freed.
PX_CHECK enum px_status px_http_coding_feed(struct px_http_coding *coding, struct px_str bytes,
                                            px_http_coding_fn on_bytes, void *user,
                                            struct px_error *err);

/// Says that no more bytes come. PX_EINVAL if the coded content is not complete (400); no bytes at
/// all are not complete either, except for identity.
PX_CHECK enum px_status px_http_coding_end(struct px_http_coding *coding, struct px_error *err);

/// Versions of the libraries below, for people.
const char *px_http_zlib(void);
const char *px_http_zstd(void);
