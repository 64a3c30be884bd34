// A state machine over the framing's bytes. Content itself is never walked through: a chunk's part
// of a feed is handed out as one span.

#include "px/http_body.h"

#include "chars.h"

enum {
    DONE,
    CONTENT,     ///< Within a body with a length, or within a chunk.
    CONTENT_CR,  ///< Behind a chunk's content.
    CONTENT_LF,
    SIZE_START,  ///< The first digit of a size must come.
    SIZE,
    EXTENSION,
    SIZE_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
};

void px_http_body_init(struct px_http_body *body, const struct px_http_head *head)
{
    if (head->chunked) {
        px_http_body_init_chunked(body);
        return;
    }
    *body = (struct px_http_body){ .state = DONE };
    if (head->content_length > 0) {
        body->left = (uint64_t)head->content_length;
        body->state = CONTENT;
    }
}

void px_http_body_init_chunked(struct px_http_body *body)
{
    *body = (struct px_http_body){ .state = SIZE_START, .chunked = true };
}

bool px_http_body_done(const struct px_http_body *body)
{
    return body->state == DONE;
}

static struct px_str take_content(struct px_http_body *body, struct px_str *bytes)
{
    struct px_str content = *bytes;
    if (content.len > body->left) {
        content.len = (size_t)body->left;
    }
    bytes->ptr += content.len;
    bytes->len -= content.len;
    body->left -= content.len;
    if (body->left == 0) {
        body->state = body->chunked ? CONTENT_CR : DONE;
    }
    return content;
}

static enum px_status broken(struct px_error *err, const char *words)
{
    return px_fail(err, PX_EINVAL, "bad chunked body: %s", words);
}

static enum px_status step_digit(struct px_http_body *body, char byte, struct px_error *err)
{
    int digit = char_hex(byte);
    if (digit < 0) {
        return broken(err, "a chunk's size is no number");
    }
    if (body->left > (INT64_MAX - 15) / 16) {
        return broken(err, "a chunk's size is too large");
    }
    body->left = body->left * 16 + (unsigned)digit;
    body->state = SIZE;
    return PX_OK;
}

static enum px_status step_extension(struct px_http_body *body, char byte, struct px_error *err)
{
    if (!char_is(byte, CHAR_VALUE)) {
        return broken(err, "control byte or bare line end in a chunk extension");
    }
    body->extra++;
    if (body->extra > PX_HTTP_CHUNK_EXT_MAX) {
        return px_fail(err, PX_ETOOBIG, "bad chunked body: too many chunk extensions");
    }
    return PX_OK;
}

static enum px_status step_size(struct px_http_body *body, char byte, struct px_error *err)
{
    body->line++;
    if (body->line > PX_HTTP_CHUNK_LINE_MAX) {
        return px_fail(err, PX_ETOOBIG, "bad chunked body: a size line is too long");
    }
    if (byte == '\r' && body->state != SIZE_START) {
        body->state = SIZE_LF;
        return PX_OK;
    }
    if (byte == ';' && body->state == SIZE) {
        body->state = EXTENSION;
    }
    return body->state == EXTENSION ? step_extension(body, byte, err) : step_digit(body, byte, err);
}

static enum px_status step_trailer(struct px_http_body *body, char byte, struct px_error *err)
{
    body->line++;
    if (body->line > PX_HTTP_TRAILERS_MAX) {
        return px_fail(err, PX_ETOOBIG, "bad chunked body: trailers are too long");
    }
    if (byte == '\r' && body->state != TRAILER_NAME) {
        body->state = body->state == TRAILER_START ? END_LF : TRAILER_LF;
        return PX_OK;
    }
    if (body->state == TRAILER_VALUE) {
        return char_is(byte, CHAR_VALUE) ? PX_OK : broken(err, "control byte in a trailer");
    }
    if (byte == ':' && body->state == TRAILER_NAME) {
        body->state = TRAILER_VALUE;
        return PX_OK;
    }
    body->state = TRAILER_NAME;
    return char_is(byte, CHAR_TOKEN) ? PX_OK : broken(err, "a trailer's name is malformed");
}

/// A CR or LF that must come, and the state behind it.
static enum px_status step_line_end(struct px_http_body *body, char byte, struct px_error *err)
{
    if (byte != (body->state == CONTENT_CR ? '\r' : '\n')) {
        return broken(err, "a line does not end in CR LF");
    }
    switch (body->state) {
    case CONTENT_CR: body->state = CONTENT_LF; break;
    case CONTENT_LF:
        body->state = SIZE_START;
        body->line = 0;
        break;
    case SIZE_LF:
        body->state = body->left ? CONTENT : TRAILER_START;
        body->line = 0;
        break;
    case TRAILER_LF: body->state = TRAILER_START; break;
    default: body->state = DONE; break;
    }
    return PX_OK;
}

static enum px_status step(struct px_http_body *body, char byte, struct px_error *err)
{
    switch (body->state) {
    case SIZE_START:
    case SIZE:
    case EXTENSION: return step_size(body, byte, err);
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE: return step_trailer(body, byte, err);
    default: return step_line_end(body, byte, err);
    }
}

enum px_status px_http_body_next(struct px_http_body *body, struct px_str *bytes,
                                 struct px_str *content, struct px_error *err)
{
    struct px_str rest = *bytes;
    while (rest.len && body->state > CONTENT) {
        enum px_status st = step(body, *rest.ptr, err);
        if (st) {
            return st;
        }
        rest.ptr++;
        rest.len--;
    }
    *content = (struct px_str){ rest.ptr, 0 };
    if (rest.len && body->state == CONTENT) {
        *content = take_content(body, &rest);
    }
    *bytes = rest;
    return PX_OK;
}
