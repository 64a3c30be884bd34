// One pass over the parts, from delimiter to delimiter. Only what decides about the field is
// understood; other headers of a part are between client and upstream.

#include "px/http_multipart.h"

#include <string.h>

#include "chars.h"
#include "px/http.h"

#define BOUNDARY_MAX 70

struct scan {
    struct px_str left;  ///< What has not been looked at.
    bool whole;
    char delimiter[BOUNDARY_MAX + 5];  ///< "\r\n--" and the boundary.
    size_t len;
    struct px_error *err;
};

/// What the headers of a part say.
struct part {
    struct px_str name;
    bool named, file, coded;
};

static enum px_multipart_found bad(const struct scan *scan, const char *text)
{
    px_fail(scan->err, PX_EINVAL, "%s", text);
    return PX_MULTIPART_BAD;
}

/// More would be needed to go on.
static enum px_multipart_found short_of(const struct scan *scan)
{
    return scan->whole ? bad(scan, "it ends in the middle of a part") : PX_MULTIPART_LATE;
}

static bool starts_with(struct px_str text, struct px_str start)
{
    return text.len >= start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

static void skip(struct px_str *text, size_t count)
{
    text->ptr += count;
    text->len -= count;
}

static void skip_space(struct px_str *text)
{
    while (text->len && (*text->ptr == ' ' || *text->ptr == '\t')) {
        skip(text, 1);
    }
}

// -- Parameters of a header -----------------------------------------------------------------------

/// Takes a token off the front.
static struct px_str take_token(struct px_str *text)
{
    struct px_str token = { text->ptr, 0 };
    while (token.len < text->len && char_is(text->ptr[token.len], CHAR_TOKEN)) {
        token.len++;
    }
    skip(text, token.len);
    return token;
}

/// Takes a token or a quoted string off the front; of the latter what is between the quotes, as it
/// stands. False if there is neither.
static bool take_value(struct px_str *text, struct px_str *value)
{
    if (!text->len || *text->ptr != '"') {
        *value = take_token(text);
        return value->len > 0;
    }
    size_t at = 1;
    while (at < text->len && text->ptr[at] != '"') {
        at += text->ptr[at] == '\\' ? 2 : 1;
    }
    if (at >= text->len) {
        return false;
    }
    *value = (struct px_str){ text->ptr + 1, at - 1 };
    skip(text, at + 1);
    return true;
}

/// Takes `; name=value` off the front. False at the end, and (with `*broken`) for what is none.
static bool take_param(struct px_str *text, struct px_str *name, struct px_str *value, bool *broken)
{
    skip_space(text);
    if (!text->len) {
        return false;
    }
    *broken = true;
    if (*text->ptr != ';') {
        return false;
    }
    skip(text, 1);
    skip_space(text);
    if (!text->len) {  // A semicolon at the end: some clients write one.
        *broken = false;
        return false;
    }
    *name = take_token(text);
    if (!name->len || !text->len || *text->ptr != '=') {
        return false;
    }
    skip(text, 1);
    *broken = !take_value(text, value);
    return !*broken;
}

static bool is_form(struct px_str *content_type)
{
    const struct px_str form = PX_STR("multipart/form-data");
    struct px_str start = { content_type->ptr, form.len };
    if (content_type->len < form.len || !px_http_same(start, form)) {
        return false;
    }
    skip(content_type, form.len);
    return !content_type->len || memchr("; \t", *content_type->ptr, 3);
}

bool px_http_is_multipart(struct px_str content_type)
{
    return is_form(&content_type);
}

static bool is_boundary(struct px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (char_lower(c) >= 'a' && char_lower(c) <= 'z') || (c >= '0' && c <= '9');
        if (!letter && !memchr("'()+_,-./:=? ", c, 13)) {
            return false;
        }
    }
    return text.len >= 1 && text.len <= BOUNDARY_MAX && text.ptr[text.len - 1] != ' ';
}

static bool read_boundary(struct scan *scan, struct px_str type)
{
    struct px_str name, value, boundary = { 0 };
    bool broken = false;
    if (!is_form(&type)) {
        return false;
    }
    while (take_param(&type, &name, &value, &broken)) {
        if (px_http_same(name, PX_STR("boundary"))) {
            if (boundary.len || !is_boundary(value)) {
                return false;
            }
            boundary = value;
        }
    }
    if (broken || !boundary.len) {
        return false;
    }
    memcpy(scan->delimiter, "\r\n--", 4);
    memcpy(scan->delimiter + 4, boundary.ptr, boundary.len);
    scan->len = boundary.len + 4;
    return true;
}

// -- Headers of a part ----------------------------------------------------------------------------

static bool read_disposition(struct px_str value, struct part *part)
{
    struct px_str name, text;
    bool broken = false;
    if (part->named || !px_http_same(take_token(&value), PX_STR("form-data"))) {
        return false;
    }
    while (take_param(&value, &name, &text, &broken)) {
        if (px_http_same(name, PX_STR("name"))) {
            if (part->named || memchr(text.ptr, '\\', text.len)) {
                return false;
            }
            part->named = true;
            part->name = text;
        } else if (px_http_same(name, PX_STR("name*"))) {
            return false;
        } else if (px_http_same(name, PX_STR("filename")) ||
                   px_http_same(name, PX_STR("filename*"))) {
            part->file = true;
        }
    }
    return !broken && part->named;
}

static bool read_line(struct px_str line, struct part *part)
{
    struct px_str name = take_token(&line);
    if (!name.len || !line.len || *line.ptr != ':') {
        return false;
    }
    skip(&line, 1);
    skip_space(&line);
    if (!px_http_is_value(line)) {
        return false;
    }
    if (px_http_same(name, PX_STR("content-disposition"))) {
        return read_disposition(line, part);
    }
    if (px_http_same(name, PX_STR("content-transfer-encoding"))) {
        part->coded = !px_http_same(line, PX_STR("binary")) &&
                      !px_http_same(line, PX_STR("8bit")) && !px_http_same(line, PX_STR("7bit"));
    }
    return true;
}

/// Takes the headers of a part off the front, with the empty line behind them.
static enum px_multipart_found take_head(struct scan *scan, struct part *part)
{
    size_t room = scan->left.len < PX_MULTIPART_HEAD_MAX ? scan->left.len : PX_MULTIPART_HEAD_MAX;
    const char *end = memmem(scan->left.ptr, room, "\r\n\r\n", 4);
    if (!end) {
        return room == PX_MULTIPART_HEAD_MAX ? bad(scan, "the headers of a part are too long")
                                             : short_of(scan);
    }
    *part = (struct part){ 0 };
    struct px_str head = { scan->left.ptr, (size_t)(end - scan->left.ptr) + 2 };
    skip(&scan->left, head.len + 2);
    while (head.len) {
        const char *eol = memmem(head.ptr, head.len, "\r\n", 2);
        struct px_str line = { head.ptr, (size_t)(eol - head.ptr) };
        if (!read_line(line, part)) {
            return bad(scan, "the headers of a part cannot be understood");
        }
        skip(&head, line.len + 2);
    }
    return part->named ? PX_MULTIPART_FOUND : bad(scan, "a part has no name");
}

// -- Parts ----------------------------------------------------------------------------------------

/// Takes what follows a delimiter: a line's end, or (with `*last`) the two hyphens of the last.
static enum px_multipart_found take_delimiter_end(struct scan *scan, bool *last)
{
    *last = false;
    if (scan->left.len < 2) {
        return short_of(scan);
    }
    *last = starts_with(scan->left, PX_STR("--"));
    if (!*last && !starts_with(scan->left, PX_STR("\r\n"))) {
        return bad(scan, "a boundary stands where none may");
    }
    skip(&scan->left, 2);
    return PX_MULTIPART_FOUND;
}

/// Takes a part's content off the front, and the delimiter behind it.
static enum px_multipart_found take_content(struct scan *scan, struct px_str *content)
{
    const char *end = memmem(scan->left.ptr, scan->left.len, scan->delimiter, scan->len);
    if (!end) {
        return short_of(scan);
    }
    *content = (struct px_str){ scan->left.ptr, (size_t)(end - scan->left.ptr) };
    skip(&scan->left, content->len + scan->len);
    return PX_MULTIPART_FOUND;
}

/// Takes the next part. PX_MULTIPART_ABSENT: there is none.
static enum px_multipart_found take_part(struct scan *scan, struct part *part,
                                         struct px_str *content)
{
    bool last;
    enum px_multipart_found found = take_delimiter_end(scan, &last);
    if (found || last) {
        return found ? found : PX_MULTIPART_ABSENT;
    }
    found = take_head(scan, part);
    return found ? found : take_content(scan, content);
}

enum px_multipart_found px_http_multipart_find(struct px_str bytes, bool whole,
                                               struct px_str content_type, struct px_str name,
                                               struct px_str *value, struct px_error *err)
{
    struct scan scan = { .left = bytes, .whole = whole, .err = err };
    if (!read_boundary(&scan, content_type)) {
        return bad(&scan, "its content type names no valid boundary");
    }
    struct px_str first = { scan.delimiter + 2, scan.len - 2 };
    if (bytes.len < first.len) {
        return short_of(&scan);
    }
    if (!starts_with(bytes, first)) {
        return bad(&scan, "it does not begin with its boundary");
    }
    skip(&scan.left, first.len);

    bool have = false;
    for (;;) {
        struct part part;
        struct px_str content;
        enum px_multipart_found found = take_part(&scan, &part, &content);
        if (found) {
            return have && found != PX_MULTIPART_BAD ? PX_MULTIPART_FOUND : found;
        }
        if (!px_str_eq(part.name, name)) {
            continue;
        }
        if (have || part.file || part.coded) {
            return bad(&scan, have ? "a field that decides about the request stands twice"
                                   : "a field that decides about the request is a file");
        }
        have = true;
        *value = content;
    }
}
