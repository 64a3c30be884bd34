#include "reader.h"

#include "px/http.h"

enum { HEAD, BODY, UNTIL_CLOSE, DONE };

void px_reader_init(struct px_reader *reader, bool head_only)
{
    *reader = (struct px_reader){ .head = PX_BUF(PX_ANSWER_HEAD_MAX), .head_only = head_only };
}

void px_reader_deinit(struct px_reader *reader)
{
    px_buf_free(&reader->head);
}

bool px_reader_ends_here(const struct px_reader *reader)
{
    return reader->state == UNTIL_CLOSE || reader->state == DONE;
}

bool px_reader_is_done(const struct px_reader *reader)
{
    return reader->state == DONE;
}

static enum px_reader_step refuse(struct px_reader_found *found, const char *fault)
{
    found->fault = fault;
    return PX_READER_BAD;
}

static bool is_blank(const char *line, size_t len)
{
    return len == 1 || (len == 2 && line[0] == '\r');
}

/// "HTTP/1.0 " or "HTTP/1.1 ", as far as it is there, and -1 for all else.
static int read_minor(struct px_str line)
{
    static const char version[] = "HTTP/1.";
    size_t len = sizeof(version) - 1;
    if (memcmp(line.ptr, version, line.len < len ? line.len : len) != 0) {
        return -1;
    }
    if (line.len <= len) {
        return 0;
    }
    bool good = line.ptr[len] == '0' || line.ptr[len] == '1';
    return good && (line.len == len + 1 || line.ptr[len + 1] == ' ') ? line.ptr[len] - '0' : -1;
}

/// Looks for the end of the head. @return Its length, or 0 while it is not complete.
static size_t find_end(struct px_reader *reader, struct px_str text)
{
    size_t at = reader->scanned;
    for (const char *nl; (nl = memchr(text.ptr + at, '\n', text.len - at));) {
        size_t line = (size_t)(nl - text.ptr) + 1 - at;
        if (at == 0) {
            reader->begun = px_head_status((struct px_str){ text.ptr, line }) >= 200;
        } else if (is_blank(text.ptr + at, line)) {
            return at + line;
        }
        at += line;
    }
    reader->scanned = (uint32_t)at;
    return 0;
}

struct framing {
    int64_t length;
    bool length_bad, chunked, coding_bad, close, keep_alive;
};

static void read_coding(struct framing *framing, struct px_str value)
{
    if (px_http_same(value, PX_STR("chunked"))) {
        framing->coding_bad = framing->coding_bad || framing->chunked;
        framing->chunked = true;
    } else {
        framing->coding_bad = framing->coding_bad || !px_http_same(value, PX_STR("identity"));
    }
}

static void read_field(struct framing *framing, const struct px_fetch_header *field)
{
    if (field->name.len == 14 && px_http_same(field->name, PX_STR("content-length"))) {
        int64_t length = px_head_number(field->value);
        framing->length_bad = framing->length_bad || length < 0 ||
                              (framing->length >= 0 && framing->length != length);
        framing->length = framing->length < 0 ? length : framing->length;
    } else if (field->name.len == 17 && px_http_same(field->name, PX_STR("transfer-encoding"))) {
        read_coding(framing, field->value);
    } else if (field->name.len == 10 && px_http_same(field->name, PX_STR("connection"))) {
        framing->close = framing->close || px_http_has_token(field->value, PX_STR("close"));
        framing->keep_alive =
            framing->keep_alive || px_http_has_token(field->value, PX_STR("keep-alive"));
    }
}

/// Finds out how long the body is and what becomes of the connection.
static enum px_reader_step frame(struct px_reader *reader, int minor, struct px_reader_found *found)
{
    struct px_fetch_head *head = &found->head;
    struct framing framing = { .length = -1 };
    for (size_t i = 0; i < head->header_count; i++) {
        read_field(&framing, &head->headers[i]);
    }
    bool bodyless = reader->head_only || head->status == 204 || head->status == 304;
    if (!bodyless && (framing.coding_bad || (framing.length_bad && !framing.chunked))) {
        return refuse(found, framing.coding_bad
                                 ? "the answer is not HTTP: a transfer coding nobody asked for"
                                 : "the answer is not HTTP: Content-Length is no single number");
    }
    head->content_length = framing.chunked ? -1 : framing.length;
    bool clear = !framing.length_bad && !framing.coding_bad &&
                 !(framing.chunked && (framing.length >= 0 || minor == 0));
    reader->keep = clear && !framing.close && (minor == 1 || framing.keep_alive);
    if (bodyless) {
        reader->state = DONE;
    } else if (framing.chunked) {
        px_http_body_init_chunked(&reader->body);
        reader->state = BODY;
    } else if (framing.length >= 0) {
        const struct px_http_head length = { .content_length = framing.length };
        px_http_body_init(&reader->body, &length);
        reader->state = framing.length ? BODY : DONE;
    } else {
        reader->keep = false;
        reader->state = UNTIL_CLOSE;
    }
    return PX_READER_HEAD;
}

/// Reads a complete head, interim or final.
static enum px_reader_step read_head(struct px_reader *reader, char *text, size_t len,
                                     struct px_reader_found *found)
{
    struct px_str head = { text, len };
    int status = px_head_status(head), minor = read_minor(head);
    if (minor < 0 || status < 0 || status == 101) {
        return refuse(found, PX_ANSWER_BAD_TEXT);
    }
    if (len > PX_ANSWER_HEAD_MAX - reader->seen) {
        return refuse(found, PX_ANSWER_TOO_LARGE_TEXT);
    }
    size_t lines = 0;
    for (const char *nl = text; (nl = memchr(nl, '\n', (size_t)(text + len - nl))); nl++) {
        lines++;
    }
    if (lines > PX_ANSWER_FIELDS_MAX + 2) {  // The first line and the blank one.
        return refuse(found, PX_ANSWER_TOO_LARGE_TEXT);
    }
    reader->scanned = 0;
    if (status < 200) {
        reader->seen += (uint32_t)len;
        reader->begun = false;
        px_buf_reset(&reader->head);
        return PX_READER_MORE;
    }
    found->head = (struct px_fetch_head){ .status = status, .headers = found->fields };
    size_t blank = len > 1 && text[len - 2] == '\r' ? 2 : 1;
    found->head.header_count = px_head_fields(text, len - blank, found->fields);
    return frame(reader, minor, found);
}

/// Collects a head that came in pieces. Its end may lie within `bytes`.
static enum px_reader_step collect(struct px_reader *reader, struct px_str *bytes,
                                   struct px_reader_found *found)
{
    struct px_buf *head = &reader->head;
    size_t room = PX_ANSWER_HEAD_MAX - head->len;
    struct px_str piece = { bytes->ptr, bytes->len < room ? bytes->len : room };
    if (px_buf_add(head, piece)) {
        return PX_READER_NO_MEMORY;
    }
    size_t len = find_end(reader, px_buf_str(head));
    size_t excess = len ? head->len - len : 0;
    bytes->ptr += piece.len - excess;
    bytes->len -= piece.len - excess;
    head->len -= excess;
    if (len) {
        return read_head(reader, head->ptr, len, found);
    }
    return head->len + reader->seen >= PX_ANSWER_HEAD_MAX ? refuse(found, PX_ANSWER_TOO_LARGE_TEXT)
                                                          : PX_READER_MORE;
}

static enum px_reader_step next_of_head(struct px_reader *reader, struct px_str *bytes,
                                        struct px_reader_found *found)
{
    enum px_reader_step step = PX_READER_MORE;
    while (bytes->len && step == PX_READER_MORE && reader->state == HEAD) {
        size_t len = reader->head.len ? 0 : find_end(reader, *bytes);
        if (len) {
            char *text = (char *)bytes->ptr;
            bytes->ptr += len;
            bytes->len -= len;
            step = read_head(reader, text, len, found);
            continue;
        }
        step = collect(reader, bytes, found);
        // What cannot become a head any more is refused before its end comes.
        struct px_str head = px_buf_str(&reader->head);
        if (step == PX_READER_MORE && head.len &&
            (read_minor(head) < 0 || (reader->scanned && px_head_status(head) < 0))) {
            step = refuse(found, PX_ANSWER_BAD_TEXT);
        }
    }
    return step;
}

static enum px_reader_step next_of_body(struct px_reader *reader, struct px_str *bytes,
                                        struct px_reader_found *found)
{
    while (bytes->len && !px_http_body_done(&reader->body)) {
        if (px_http_body_next(&reader->body, bytes, &found->data, NULL)) {
            return refuse(found, "the answer is not HTTP: its chunks are malformed");
        }
        if (found->data.len) {
            break;
        }
    }
    if (px_http_body_done(&reader->body)) {
        reader->state = DONE;
    }
    return found->data.len         ? PX_READER_DATA
           : reader->state == DONE ? PX_READER_DONE
                                   : PX_READER_MORE;
}

enum px_reader_step px_reader_next(struct px_reader *reader, struct px_str *bytes,
                                   struct px_reader_found *found)
{
    found->data = (struct px_str){ NULL, 0 };
    reader->touched = reader->touched || bytes->len;
    switch (reader->state) {
    case HEAD: return next_of_head(reader, bytes, found);
    case BODY: px_buf_free(&reader->head); return next_of_body(reader, bytes, found);
    case UNTIL_CLOSE:
        px_buf_free(&reader->head);
        found->data = *bytes;
        bytes->ptr += bytes->len;
        bytes->len = 0;
        return found->data.len ? PX_READER_DATA : PX_READER_MORE;
    default: return PX_READER_DONE;
    }
}
