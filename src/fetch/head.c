#include "head.h"

#include <stdint.h>
#include <stdlib.h>

#include "px/http.h"

#define MAX_HEAD (64 * 1024)

void px_answer_init(struct px_answer *answer)
{
    *answer = (struct px_answer){ .text = PX_BUF(MAX_HEAD) };
}

void px_answer_deinit(struct px_answer *answer)
{
    px_buf_free(&answer->text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/// The status in "HTTP/<version> <status>"; -1 if the line is none of that form.
static int read_status(struct px_str line)
{
    size_t at = 5;
    if (line.len < at || memcmp(line.ptr, "HTTP/", at) != 0) {
        return -1;
    }
    while (at < line.len && line.ptr[at] != ' ') {
        at++;
    }
    while (at < line.len && line.ptr[at] == ' ') {
        at++;
    }
    const char *p = line.ptr + at;
    size_t left = line.len - at;
    bool good = left >= 3 && is_digit(p[0]) && is_digit(p[1]) && is_digit(p[2]) &&
                (left == 3 || !is_digit(p[3]));
    int status = good ? (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0') : -1;
    return status >= 100 ? status : -1;
}

static struct px_str trim(struct px_str text)
{
    while (text.len && memchr(" \t\r\n", text.ptr[text.len - 1], 4)) {
        text.len--;
    }
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text.ptr++;
        text.len--;
    }
    return text;
}

static bool is_blank(struct px_str line)
{
    return px_str_eq(line, PX_STR("\r\n")) || px_str_eq(line, PX_STR("\n"));
}

static enum px_answer_line begin(struct px_answer *answer, struct px_str line)
{
    int status = read_status(line);
    if (status < 0 || status == 101) {
        return PX_ANSWER_BAD;
    }
    if (px_buf_reserve(&answer->text, 1024) || px_buf_add(&answer->text, line)) {
        return PX_ANSWER_NO_MEMORY;
    }
    answer->lines = 1;
    return status < 200 ? PX_ANSWER_MORE : PX_ANSWER_BEGUN;
}

enum px_answer_line px_answer_add(struct px_answer *answer, struct px_str line)
{
    if (answer->done) {
        return PX_ANSWER_MORE;
    }
    if (line.len > MAX_HEAD - answer->seen) {
        return PX_ANSWER_TOO_LARGE;
    }
    answer->seen += line.len;
    if (answer->lines == 0) {
        return begin(answer, line);
    }
    if (!is_blank(line)) {
        answer->lines++;
        return px_buf_add(&answer->text, line) ? PX_ANSWER_NO_MEMORY : PX_ANSWER_MORE;
    }
    if (read_status(px_buf_str(&answer->text)) < 200) {
        px_buf_reset(&answer->text);
        answer->lines = 0;
        return PX_ANSWER_MORE;
    }
    answer->done = true;
    return PX_ANSWER_HEAD;
}

/// Joins folded lines: the end of line before white space becomes spaces.
static void unfold(struct px_buf *text)
{
    for (size_t i = 0; i + 1 < text->len; i++) {
        if (text->ptr[i] == '\n' && (text->ptr[i + 1] == ' ' || text->ptr[i + 1] == '\t')) {
            text->ptr[i] = ' ';
            if (i > 0 && text->ptr[i - 1] == '\r') {
                text->ptr[i - 1] = ' ';
            }
        }
    }
}

static bool read_field(struct px_str line, struct px_fetch_header *field)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    if (!colon) {
        return false;
    }
    size_t len = (size_t)(colon - line.ptr);
    field->name = (struct px_str){ line.ptr, len };
    field->value = trim((struct px_str){ colon + 1, line.len - len - 1 });
    return px_http_is_name(field->name) && px_http_is_value(field->value);
}

static int64_t read_length(const struct px_fetch_header *fields, size_t count)
{
    int64_t length = -1;
    for (size_t i = 0; i < count; i++) {
        if (px_http_same(fields[i].name, PX_STR("transfer-encoding"))) {
            return -1;
        }
        if (!px_http_same(fields[i].name, PX_STR("content-length")) || length >= 0) {
            continue;
        }
        struct px_str value = fields[i].value;
        if (value.len == 0 || value.len > 18) {
            continue;
        }
        int64_t sum = 0;
        for (size_t j = 0; sum >= 0 && j < value.len; j++) {
            sum = is_digit(value.ptr[j]) ? sum * 10 + (value.ptr[j] - '0') : -1;
        }
        length = sum;
    }
    return length;
}

enum px_status px_answer_read(struct px_answer *answer, struct px_fetch_head *head)
{
    struct px_fetch_header *fields = calloc(answer->lines + 1, sizeof(*fields));
    if (!fields) {
        return PX_ENOMEM;
    }
    unfold(&answer->text);
    struct px_str rest = px_buf_str(&answer->text);
    int status = read_status(rest);
    size_t count = 0;
    for (bool first = true; rest.len; first = false) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) + 1 : rest.len;
        struct px_str line = { rest.ptr, len };
        if (!first && read_field(line, &fields[count])) {
            count++;
        }
        rest.ptr += len;
        rest.len -= len;
    }
    *head = (struct px_fetch_head){ .status = status,
                                    .headers = fields,
                                    .header_count = count,
                                    .content_length = read_length(fields, count) };
    return PX_OK;
}
