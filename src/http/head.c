// One pass over the bytes, table-driven. The head ends in LF, which belongs to no class of bytes,
// so that no loop over a class needs to look where the head ends.

#include "head.h"

#include <string.h>

#include "chars.h"

struct parser {
    const char *at, *end;
    struct px_http_header *slots;
    size_t max;
    struct px_http_head head;
    struct px_http_meaning meaning;
    struct px_error *err;
};

enum px_status px_http_refuse(struct px_http_head *head, struct px_error *err, int status,
                              const char *words)
{
    head->status = status;
    return px_fail(err, status == 431 ? PX_ETOOBIG : PX_EINVAL, "bad request head: %s", words);
}

static enum px_status refuse(struct parser *parser, int status, const char *words)
{
    return px_http_refuse(&parser->head, parser->err, status, words);
}

size_t px_http_head_find(struct px_str bytes, size_t *scanned)
{
    size_t at = *scanned;
    while (at < bytes.len) {
        const char *lf = memchr(bytes.ptr + at, '\n', bytes.len - at);
        if (!lf) {
            at = bytes.len;
            break;
        }
        at = (size_t)(lf - bytes.ptr);
        size_t left = bytes.len - at;
        if (left > 1 && lf[1] == '\n') {
            return at + 2;
        }
        if (left > 2 && lf[1] == '\r' && lf[2] == '\n') {
            return at + 3;
        }
        if (left == 1 || (left == 2 && lf[1] == '\r')) {
            break;  // What follows decides: look at this LF again.
        }
        at++;
    }
    *scanned = at;
    return 0;
}

static bool is_method(struct px_str method)
{
    switch (method.len) {
    case 3: return px_str_eq(method, PX_STR("GET")) || px_str_eq(method, PX_STR("PUT"));
    case 4: return px_str_eq(method, PX_STR("POST")) || px_str_eq(method, PX_STR("HEAD"));
    case 5: return px_str_eq(method, PX_STR("PATCH"));
    case 6: return px_str_eq(method, PX_STR("DELETE"));
    case 7: return px_str_eq(method, PX_STR("OPTIONS"));
    default: return false;
    }
}

static bool take_scheme(struct px_str *target)
{
    static const struct px_str schemes[] = { { "http://", 7 }, { "https://", 8 } };
    for (size_t i = 0; i < 2; i++) {
        struct px_str start = { target->ptr, schemes[i].len };
        if (target->len >= start.len && px_http_same(start, schemes[i])) {
            target->ptr += start.len;
            target->len -= start.len;
            return true;
        }
    }
    return false;
}

/// Takes scheme and authority off an absolute-form target; the authority stands for Host.
static enum px_status resolve_absolute(struct parser *parser)
{
    struct px_str rest = parser->head.target;
    if (!take_scheme(&rest)) {
        return refuse(parser, 400, "the target is neither a path nor an http URL");
    }
    size_t len = 0;
    while (len < rest.len && char_is(rest.ptr[len], CHAR_HOST)) {
        len++;
    }
    if (len == 0 || (len < rest.len && rest.ptr[len] != '/')) {
        return refuse(parser, 400, "the target's host is malformed");
    }
    parser->head.host = (struct px_str){ rest.ptr, len };
    parser->head.target = (struct px_str){ rest.ptr + len, rest.len - len };
    if (len == rest.len) {
        parser->head.target = PX_STR("/");
    }
    return PX_OK;
}

static enum px_status resolve_target(struct parser *parser)
{
    struct px_str target = parser->head.target;
    if (target.ptr[0] == '/') {
        return PX_OK;
    }
    if (px_str_eq(target, PX_STR("*"))) {
        bool fits = px_str_eq(parser->head.method, PX_STR("OPTIONS"));
        return fits ? PX_OK : refuse(parser, 400, "the target * belongs to OPTIONS alone");
    }
    return resolve_absolute(parser);
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/// Parses "HTTP/1.1" and the line's end.
static enum px_status parse_version(struct parser *parser)
{
    const char *at = parser->at;
    if (parser->end - at < 10 || memcmp(at, "HTTP/", 5) != 0 || !is_digit(at[5]) || at[6] != '.' ||
        !is_digit(at[7]) || at[8] != '\r' || at[9] != '\n') {
        return refuse(parser, 400, "the request line does not end in a version and CR LF");
    }
    if (at[5] != '1' || at[7] > '1') {
        return refuse(parser, 505, "neither HTTP/1.0 nor HTTP/1.1");
    }
    parser->head.minor = at[7] - '0';
    parser->at = at + 10;
    return PX_OK;
}

static struct px_str take_class(struct parser *parser, enum px_char class)
{
    const char *start = parser->at, *at = start;
    while (char_is(*at, class)) {
        at++;
    }
    parser->at = at;
    return (struct px_str){ start, (size_t)(at - start) };
}

static enum px_status parse_request_line(struct parser *parser)
{
    struct px_http_head *head = &parser->head;
    head->method = take_class(parser, CHAR_TOKEN);
    if (head->method.len == 0 || *parser->at != ' ') {
        return refuse(parser, 400, "the method is malformed");
    }
    parser->at++;
    head->target = take_class(parser, CHAR_TARGET);
    if (head->target.len == 0 || *parser->at != ' ') {
        return refuse(parser, 400, "the target is malformed");
    }
    parser->at++;
    enum px_status st = parse_version(parser);
    if (st) {
        return st;
    }
    if (!is_method(head->method)) {
        return refuse(parser, 501, "unknown method");
    }
    return resolve_target(parser);
}

/// Skips bytes of a value, eight at a time while no control byte is among them.
static const char *skip_value(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t del = word ^ (ones * 0x7f);
        if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & tops) {
            break;
        }
        at += 8;
    }
    while (char_is(*at, CHAR_VALUE)) {
        at++;
    }
    return at;
}

static enum px_status parse_header(struct parser *parser)
{
    if (parser->head.count == parser->max) {
        return refuse(parser, 431, "too many headers");
    }
    struct px_http_header *header = &parser->slots[parser->head.count];
    header->name = take_class(parser, CHAR_TOKEN);
    if (header->name.len == 0 || *parser->at != ':') {
        bool folded = header->name.len == 0 && (*parser->at == ' ' || *parser->at == '\t');
        return refuse(parser, 400, folded ? "folded line" : "a header's name is malformed");
    }
    const char *start = parser->at + 1;
    while (*start == ' ' || *start == '\t') {
        start++;
    }
    const char *stop = skip_value(start, parser->end);
    if (stop[0] != '\r' || stop[1] != '\n') {
        return refuse(parser, 400, "control byte or bare line end in a header");
    }
    parser->at = stop + 2;
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t')) {
        stop--;
    }
    header->value = (struct px_str){ start, (size_t)(stop - start) };
    parser->head.count++;
    return px_http_note(&parser->head, &parser->meaning, header, parser->err);
}

static enum px_status parse_lines(struct parser *parser)
{
    const char *at = parser->at;
    if (parser->end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
        parser->at += 2;
    }
    if (parser->at == parser->end || parser->end[-1] != '\n') {
        return refuse(parser, 400, "incomplete");
    }
    enum px_status st = parse_request_line(parser);
    while (!st && parser->at < parser->end && *parser->at != '\r') {
        st = parse_header(parser);
    }
    if (st) {
        return st;
    }
    if (parser->end - parser->at != 2 || parser->at[1] != '\n') {
        return refuse(parser, 400, "no blank line at the end");
    }
    return px_http_weigh(&parser->head, &parser->meaning, parser->err);
}

enum px_status px_http_head_parse(struct px_str head, struct px_http_header *slots, size_t max,
                                  struct px_http_head *out, struct px_error *err)
{
    struct parser parser = {
        .at = head.ptr,
        .end = head.len ? head.ptr + head.len : head.ptr,
        .slots = slots,
        .max = max,
        .head = { .headers = slots, .content_length = -1 },
        .err = err,
    };
    enum px_status st =
        head.len > PX_HTTP_HEAD_MAX ? refuse(&parser, 431, "too long") : parse_lines(&parser);
    if (st) {
        out->status = parser.head.status;
        return st;
    }
    *out = parser.head;
    return PX_OK;
}
