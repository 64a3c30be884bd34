#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "px/http.h"
#include "px/status.h"
#include "px/str.h"

/// Takes the framing off a body, whether it has a length or comes in chunks. Content is handed out
/// in place. How much content is too much is the caller's business.

/// A chunk's size line may be this long, a chunk extension included.
#define PX_HTTP_CHUNK_LINE_MAX 256

/// All chunk extensions of a body together may be this long.
#define PX_HTTP_CHUNK_EXT_MAX 16384

/// Trailers together, which are checked and dropped, may be this long.
#define PX_HTTP_TRAILERS_MAX 8192

/// Embed it; set up with one of the _init functions; owns nothing. The members are private.
struct px_http_body {
    uint64_t left;   ///< Bytes of content to come, of the body or the current chunk.
    uint32_t line;   ///< Bytes of the current size line, or of all trailers.
    uint32_t extra;  ///< Bytes of all chunk extensions.
    uint8_t state;
    bool chunked;
};

/// Starts the body that `head` announces; without Content-Length and chunks it is done at once.
void px_http_body_init(struct px_http_body *body, const struct px_http_head *head);

/// Starts a body in chunks.
void px_http_body_init_chunked(struct px_http_body *body);

/// True when the body is complete. What `bytes` still holds then belongs to the next request.
bool px_http_body_done(const struct px_http_body *body);

/// Takes one piece off the front of `bytes`, which is moved past it. Call it as long as
///
///     while (bytes.len && !px_http_body_done(&body)) {
///         st = px_http_body_next(&body, &bytes, &content, &err);
///         ...use content.len bytes at content.ptr, which may be none...
///     }
///
/// @param content A span of `bytes`, or empty when only framing was left.
/// @return PX_EINVAL for broken framing (400), PX_ETOOBIG when framing is over a limit (413). After
///         a failure the body cannot go on.
PX_CHECK enum px_status px_http_body_next(struct px_http_body *body, struct px_str *bytes,
                                          struct px_str *content, struct px_error *err);
