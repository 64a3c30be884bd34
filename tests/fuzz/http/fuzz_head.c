// The head parser against two others: what we accept, both accept, and all three read the same
// method, target, version, framing and headers. We may refuse more.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "other.h"
#include "px/http.h"

#define CHECK(what) ((what) ? (void)0 : abort())

static void add(struct px_buf *buf, struct px_str bytes)
{
    CHECK(px_buf_add(buf, bytes) == PX_OK);
}

static void dump_start(struct px_buf *text, struct px_str method, struct px_str target)
{
    add(text, method);
    add(text, PX_STR(" "));
    add(text, target);
    add(text, PX_STR("\n"));
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

static void dump_header(struct px_buf *text, struct px_str name, struct px_str value)
{
    while (value.len && is_space(value.ptr[0])) {
        value.ptr++;
        value.len--;
    }
    while (value.len && is_space(value.ptr[value.len - 1])) {
        value.len--;
    }
    add(text, name);
    add(text, PX_STR(":"));
    add(text, value);
    add(text, PX_STR("\n"));
}

static void dump_end(struct px_buf *text, int minor, bool chunked, bool has_length,
                     unsigned long long length)
{
    char line[100];
    int len = snprintf(line, sizeof(line), "1.%d chunked %d length %d %llu\n", minor, chunked,
                       has_length, has_length ? length : 0);
    add(text, (struct px_str){ line, (size_t)len });
}

void other_init(struct other *other)
{
    memset(other, 0, sizeof(*other));
    other->text = other->target = other->name = other->value = PX_BUF(SIZE_MAX / 2);
}

void other_free(struct other *other)
{
    px_buf_free(&other->text);
    px_buf_free(&other->target);
    px_buf_free(&other->name);
    px_buf_free(&other->value);
}

static void end_header(struct other *other)
{
    if (other->name.len) {
        dump_header(&other->text, px_buf_str(&other->name), px_buf_str(&other->value));
    }
    px_buf_reset(&other->name);
    px_buf_reset(&other->value);
    other->in_value = false;
}

void other_target(struct other *other, const char *at, size_t len)
{
    add(&other->target, (struct px_str){ at, len });
}

void other_name(struct other *other, const char *at, size_t len)
{
    if (other->in_value) {
        end_header(other);
    }
    add(&other->name, (struct px_str){ at, len });
}

void other_value(struct other *other, const char *at, size_t len)
{
    other->in_value = true;
    add(&other->value, (struct px_str){ at, len });
}

void other_complete(struct other *other, const char *method, int minor, bool chunked,
                    bool has_length, unsigned long long length)
{
    end_header(other);
    struct px_buf headers = other->text;
    other->text = PX_BUF(SIZE_MAX / 2);
    dump_start(&other->text, (struct px_str){ method, strlen(method) }, px_buf_str(&other->target));
    add(&other->text, px_buf_str(&headers));
    dump_end(&other->text, minor, chunked, has_length, length);
    px_buf_free(&headers);
    other->complete = true;
}

/// The target as it was sent: ours has lost scheme and authority.
static struct px_str sent_target(struct px_str bytes, const struct px_http_head *head)
{
    const char *start = head->method.ptr + head->method.len + 1;
    const char *stop = memchr(start, ' ', bytes.len - (size_t)(start - bytes.ptr));
    struct px_str sent = { start, (size_t)(stop - start) };
    if (head->target.ptr >= start && head->target.ptr < stop) {
        CHECK(head->target.ptr + head->target.len == stop);
    } else {
        CHECK(px_str_eq(head->target, PX_STR("/")));
    }
    return sent;
}

static void dump_ours(struct px_str bytes, const struct px_http_head *head, struct px_buf *text)
{
    dump_start(text, head->method, sent_target(bytes, head));
    for (size_t i = 0; i < head->count; i++) {
        dump_header(text, head->headers[i].name, head->headers[i].value);
    }
    dump_end(text, head->minor, head->chunked, head->content_length >= 0,
             (unsigned long long)head->content_length);
}

#ifdef PX_FUZZ_OTHERS
/// http-parser takes every name that merely starts with "Transfer-Encoding" for that header.
static bool confuses_http_parser(const struct px_http_head *head)
{
    const struct px_str start = PX_STR("transfer-encoding");
    for (size_t i = 0; i < head->count; i++) {
        struct px_str name = head->headers[i].name;
        if (name.len > start.len) {
            name.len = start.len;
            if (px_http_same(name, start)) {
                return true;
            }
        }
    }
    return false;
}

static void compare(const char *name, struct px_str bytes, const struct px_buf *ours,
                    bool (*parse)(struct px_str head, struct other *other))
{
    struct other other;
    other_init(&other);
    bool accepted = parse(bytes, &other);
    if (!accepted || !px_str_eq(px_buf_str(ours), px_buf_str(&other.text))) {
        fprintf(stderr, "%s %s it:\n%.*s\nwe read it as:\n%.*s\n", name,
                accepted ? "accepts" : "refuses", (int)other.text.len, other.text.ptr,
                (int)ours->len, ours->ptr);
        abort();
    }
    other_free(&other);
}
#endif

static void check_accepted(struct px_str bytes, const struct px_http_head *head)
{
    struct px_buf ours = PX_BUF(SIZE_MAX / 2);
    CHECK(head->status == 0 && head->host.len > 0);
    dump_ours(bytes, head, &ours);
#ifdef PX_FUZZ_OTHERS
    compare("llhttp", bytes, &ours, other_llhttp);
    if (!confuses_http_parser(head)) {
        compare("http-parser", bytes, &ours, other_http_parser);
    }
#endif
    px_buf_free(&ours);
}

static void check_refused(enum px_status st, int status)
{
    static const int allowed[] = { 400, 415, 417, 431, 501, 505 };
    bool known = false;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
        known |= status == allowed[i];
    }
    CHECK(known && st == (status == 431 ? PX_ETOOBIG : PX_EINVAL));
}

static size_t find_in_steps(struct px_str bytes, size_t step)
{
    size_t scanned = 0;
    for (size_t len = step < bytes.len ? step : bytes.len;;) {
        size_t before = scanned;
        size_t found = px_http_head_find((struct px_str){ bytes.ptr, len }, &scanned);
        if (found || len == bytes.len) {
            return found;
        }
        CHECK(scanned >= before && scanned <= len && len - scanned <= 2);
        len = len + step < bytes.len ? len + step : bytes.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct px_http_header slots[PX_HTTP_HEADERS_MAX];
    struct px_str bytes = { (const char *)data, size };
    if (size == 0) {
        return 0;
    }
    size_t len = find_in_steps(bytes, size);
    CHECK(find_in_steps(bytes, 1) == len && find_in_steps(bytes, 3) == len);
    // What is no head must not hurt either.
    size_t taken = len ? len : size;
    char *copy = malloc(taken);
    CHECK(copy);
    memcpy(copy, data, taken);
    struct px_http_head head;
    struct px_error err;
    bytes = (struct px_str){ copy, taken };
    enum px_status st = px_http_head_parse(bytes, slots, PX_HTTP_HEADERS_MAX, &head, &err);
    if (st) {
        check_refused(st, head.status);
    } else {
        CHECK(len == taken);
        check_accepted(bytes, &head);
    }
    free(copy);
    return 0;
}
