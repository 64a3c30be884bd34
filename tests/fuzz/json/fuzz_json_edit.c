// Edits against an oracle that knows only tokens. An input is a path, a zero byte, a value, a zero
// byte, and a text.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "px/jsonpath.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define SPANS_MAX 4096

struct spans {
    size_t len;
    struct px_str at[SPANS_MAX];
};

static enum px_status collect(struct px_str value, enum px_json_type type, void *user)
{
    struct spans *spans = user;
    (void)type;
    if (spans->len == SPANS_MAX) {
        return PX_ETOOBIG;
    }
    spans->at[spans->len++] = value;
    return PX_OK;
}

static void add(struct px_buf *out, struct px_str bytes)
{
    CHECK(px_buf_add(out, bytes) == PX_OK);
}

// Writes all tokens, each on a line, without the values in `without` and their keys.
static void list_tokens(struct px_str text, const struct spans *without, struct px_buf *out)
{
    struct px_json_reader reader;
    struct px_str key = { NULL, 0 };
    size_t next = 0;
    px_json_reader_init(&reader, text);
    for (;;) {
        enum px_json_token token = px_json_next(&reader);
        CHECK(token != PX_JSON_T_ERROR);
        if (token == PX_JSON_T_END) {
            return;
        }
        if (token == PX_JSON_T_KEY) {
            key = reader.token;
            continue;
        }
        if (next < without->len && reader.token.ptr == without->at[next].ptr) {
            px_json_skip(&reader);
            next++;
        } else {
            add(out, key);
            add(out, PX_STR("\n"));
            add(out, reader.token);
            add(out, PX_STR("\n"));
        }
        key.len = 0;
    }
}

static void check_valid(struct px_str text)
{
    CHECK(px_json_scan(text, NULL, NULL, NULL) == PX_OK);
}

static struct px_str trim(struct px_str text)
{
    while (strchr(" \t\r\n", text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (strchr(" \t\r\n", text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

static void check_set(struct px_str text, const struct px_json_path *path, struct px_str value,
                      const struct spans *found)
{
    struct px_buf out = PX_BUF(1 << 24), expected = PX_BUF(1 << 24);
    size_t changed;
    struct px_error err = { 0 };
    enum px_status st = px_json_set(text, path, value, &out, &changed, &err);
    if (st == PX_EINVAL && strstr(err.text, "too deep")) {
        px_buf_free(&out);
        return;
    }
    CHECK(st == PX_OK && changed >= found->len);
    check_valid(px_buf_str(&out));
    if (changed == found->len) {
        const char *at = text.ptr;
        for (size_t i = 0; i < found->len; i++) {
            add(&expected, (struct px_str){ at, (size_t)(found->at[i].ptr - at) });
            add(&expected, trim(value));
            at = found->at[i].ptr + found->at[i].len;
        }
        add(&expected, (struct px_str){ at, (size_t)(text.ptr + text.len - at) });
        CHECK(px_str_eq(px_buf_str(&out), px_buf_str(&expected)));
    } else if (found->len == 0) {
        // What was only added can be removed again without a trace.
        CHECK(px_json_remove(px_buf_str(&out), path, &expected, &changed, NULL) == PX_OK);
        CHECK(px_str_eq(text, px_buf_str(&expected)));
    }
    px_buf_free(&out);
    px_buf_free(&expected);
}

static void check_remove(struct px_str text, const struct px_json_path *path,
                         const struct spans *found)
{
    static const struct spans none;
    struct px_buf out = PX_BUF(1 << 24), got = PX_BUF(1 << 24), expected = PX_BUF(1 << 24);
    size_t changed;
    CHECK(px_json_remove(text, path, &out, &changed, NULL) == PX_OK);
    CHECK(changed == found->len);
    check_valid(px_buf_str(&out));
    list_tokens(text, found, &expected);
    list_tokens(px_buf_str(&out), &none, &got);
    CHECK(px_str_eq(px_buf_str(&got), px_buf_str(&expected)));
    CHECK(changed || px_str_eq(px_buf_str(&out), text));
    px_buf_free(&out);
    px_buf_free(&got);
    px_buf_free(&expected);
}

static struct px_str take_part(const uint8_t **data, size_t *size)
{
    struct px_str part = { (const char *)*data, *size };
    const uint8_t *zero = *size ? memchr(*data, 0, *size) : NULL;
    if (zero) {
        part.len = (size_t)(zero - *data);
        *size -= part.len + 1;
        *data = zero + 1;
    } else {
        *data += *size;
        *size = 0;
    }
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct spans found;
    struct px_str path_text = take_part(&data, &size);
    struct px_str value = take_part(&data, &size);
    struct px_str text = { (const char *)data, size };
    struct px_json_path *path = NULL;
    if (px_json_path_new(path_text, &path, NULL) != PX_OK) {
        return 0;
    }
    struct px_buf out = PX_BUF(1 << 24);
    if (px_json_scan(text, NULL, NULL, NULL) != PX_OK) {
        CHECK(px_json_set(text, path, PX_STR("1"), &out, NULL, NULL) == PX_EINVAL);
        CHECK(px_json_remove(text, path, &out, NULL, NULL) == PX_EINVAL);
        CHECK(out.len == 0);
    } else if (px_json_scan(value, NULL, NULL, NULL) != PX_OK) {
        CHECK(px_json_set(text, path, value, &out, NULL, NULL) == PX_EINVAL);
        CHECK(out.len == 0);
    } else {
        found.len = 0;
        if (px_json_find(text, path, collect, &found) == PX_OK) {
            check_set(text, path, value, &found);
            if (path_text.len) {
                check_remove(text, path, &found);
            }
        }
    }
    px_buf_free(&out);
    px_json_path_free(path);
    return 0;
}
