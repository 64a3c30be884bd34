#include "head.h"

#include <stdint.h>
#include <stdlib.h>

#include "px/http.h"

void px_answer_init(struct px_answer *answer)
{
    *answer = (struct px_answer){ .text = PX_BUF(PX_ANSWER_HEAD_MAX) };
}

void px_answer_deinit(struct px_answer *answer)
{
    px_buf_free(&answer->text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int px_head_status(struct px_str line)
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
    int status = px_head_status(line);
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
    if (line.len > PX_ANSWER_HEAD_MAX - answer->seen) {
        return PX_ANSWER_TOO_LARGE;
    }
    answer->seen += line.len;
    if (answer->lines == 0) {
        return begin(answer, line);
    }
    if (!is_blank(line)) {
        if (answer->lines > PX_ANSWER_FIELDS_MAX) {
            return PX_ANSWER_TOO_LARGE;
        }
        answer->lines++;
        return px_buf_add(&answer->text, line) ? PX_ANSWER_NO_MEMORY : PX_ANSWER_MORE;
    }
    if (px_head_status(px_buf_str(&answer->text)) < 200) {
        px_buf_reset(&answer->text);
        answer->lines = 0;
        return PX_ANSWER_MORE;
    }
    answer->done = true;
    return PX_ANSWER_HEAD;
}

/// Joins folded lines: the end of line before white space becomes spaces.
static void unfold(char *text, size_t len)
{
    char *end = text + len;
    for (char *nl = text; (nl = memchr(nl, '\n', (size_t)(end - nl))) && nl + 1 < end; nl++) {
        if (nl[1] == ' ' || nl[1] == '\t') {
            *nl = ' ';
            if (nl > text && nl[-1] == '\r') {
                nl[-1] = ' ';
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

size_t px_head_fields(char *text, size_t len, struct px_fetch_header *fields)
{
    size_t count = 0;
    unfold(text, len);
    struct px_str rest = { text, len };
    for (bool first = true; rest.len; first = false) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t line = end ? (size_t)(end - rest.ptr) + 1 : rest.len;
        if (!first && read_field((struct px_str){ rest.ptr, line }, &fields[count])) {
            count++;
        }
        rest.ptr += line;
        rest.len -= line;
    }
    return count;
}

int64_t px_head_number(struct px_str value)
{
    int64_t sum = value.len && value.len <= 18 ? 0 : -1;
    for (size_t i = 0; sum >= 0 && i < value.len; i++) {
        sum = is_digit(value.ptr[i]) ? sum * 10 + (value.ptr[i] - '0') : -1;
    }
    return sum;
}

static int64_t read_length(const struct px_fetch_header *fields, size_t count)
{
    int64_t length = -1;
    for (size_t i = 0; i < count; i++) {
        if (px_http_same(fields[i].name, PX_STR("transfer-encoding"))) {
            return -1;
        }
        if (length < 0 && px_http_same(fields[i].name, PX_STR("content-length"))) {
            length = px_head_number(fields[i].value);
        }
    }
    return length;
}

enum px_status px_answer_read(struct px_answer *answer, struct px_fetch_head *head)
{
    struct px_fetch_header *fields = calloc(answer->lines + 1, sizeof(*fields));
    if (!fields) {
        return PX_ENOMEM;
    }
    int status = px_head_status(px_buf_str(&answer->text));
    size_t count = px_head_fields(answer->text.ptr, answer->text.len, fields);
    *head = (struct px_fetch_head){ .status = status,
                                    .headers = fields,
                                    .header_count = count,
                                    .content_length = read_length(fields, count) };
    return PX_OK;
}
