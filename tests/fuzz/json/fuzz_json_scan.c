// The scanner against cJSON, and every function on strings and numbers against its inverse.
//
// What the scanner accepts, cJSON must accept and read as the same values; px_json_parse() itself
// turns away what cJSON is known not to hold (U+0000, lone surrogates, very long numbers).

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "px/json.h"
#include "px/jsontree.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_string(struct px_str raw, bool escaped)
{
    struct px_buf text = PX_BUF(1 << 20), again = PX_BUF(1 << 20), quoted = PX_BUF(1 << 23);
    CHECK(px_json_unquote(raw, &text) == PX_OK);
    CHECK(px_json_means(raw, px_buf_str(&text)));
    CHECK(px_json_quote(&quoted, px_buf_str(&text)) == PX_OK);
    CHECK(escaped || px_str_eq(px_buf_str(&quoted), raw) || memchr(raw.ptr, '\177', raw.len));
    CHECK(px_json_scan(px_buf_str(&quoted), NULL, NULL, NULL) == PX_OK);
    CHECK(px_json_unquote(px_buf_str(&quoted), &again) == PX_OK);
    CHECK(px_str_eq(px_buf_str(&text), px_buf_str(&again)));
    px_buf_free(&text);
    px_buf_free(&again);
    px_buf_free(&quoted);
}

static void check_number(struct px_str text)
{
    char *copy = malloc(text.len + 1);
    CHECK(copy);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    double number, expected = strtod(copy, NULL), again;
    enum px_json_exact exact = px_json_read_number(text, &number);
    CHECK(memcmp(&number, &expected, sizeof(number)) == 0);
    char out[PX_JSON_NUMBER_MAX];
    struct px_str printed = { out, px_json_print_number(number, out) };
    if (isfinite(number)) {
        px_json_read_number(printed, &again);
        CHECK(again == number);
        CHECK(exact == PX_JSON_INEXACT || px_str_eq(printed, text) == (exact == PX_JSON_SAME));
    } else {
        CHECK(exact == PX_JSON_INEXACT && printed.len == 0);
    }
    free(copy);
}

// Reads all tokens; false if the text is not JSON.
static bool check_tokens(struct px_str text)
{
    struct px_json_reader reader;
    px_json_reader_init(&reader, text);
    for (;;) {
        enum px_json_token token = px_json_next(&reader);
        CHECK(reader.depth <= PX_JSON_DEPTH);
        switch (token) {
        case PX_JSON_T_END: return true;
        case PX_JSON_T_ERROR:
            CHECK(px_json_reader_offset(&reader) <= text.len);
            CHECK(px_json_next(&reader) == PX_JSON_T_ERROR);
            return false;
        case PX_JSON_T_KEY:
        case PX_JSON_T_STRING: check_string(reader.token, reader.escaped); break;
        case PX_JSON_T_NUMBER: check_number(reader.token); break;
        default: break;
        }
    }
}

static void same_text(struct px_str raw, struct px_str text)
{
    CHECK(px_json_means(raw, text));
}

// Compares a value of the tree with the one that the reader is at; `token` is its first token.
static void compare(struct px_json_reader *reader, enum px_json_token token,
                    const struct px_json_node *node)
{
    static const enum px_json_type types[] = {
        [PX_JSON_T_NULL] = PX_JSON_NULL,     [PX_JSON_T_FALSE] = PX_JSON_FALSE,
        [PX_JSON_T_TRUE] = PX_JSON_TRUE,     [PX_JSON_T_NUMBER] = PX_JSON_NUMBER,
        [PX_JSON_T_STRING] = PX_JSON_STRING, [PX_JSON_T_ARRAY] = PX_JSON_ARRAY,
        [PX_JSON_T_OBJECT] = PX_JSON_OBJECT,
    };
    CHECK(node && px_json_node_type(node) == types[token]);
    if (token == PX_JSON_T_STRING) {
        same_text(reader->token, px_json_string(node));
    } else if (token == PX_JSON_T_NUMBER) {
        double number;
        px_json_read_number(reader->token, &number);
        CHECK(number == px_json_number(node));
    } else if (token == PX_JSON_T_ARRAY || token == PX_JSON_T_OBJECT) {
        const struct px_json_node *child = px_json_first(node);
        while ((token = px_json_next(reader)) != PX_JSON_T_ARRAY_END &&
               token != PX_JSON_T_OBJECT_END) {
            if (token == PX_JSON_T_KEY) {
                same_text(reader->token, px_json_name(child));
                token = px_json_next(reader);
            }
            compare(reader, token, child);
            child = px_json_after(child);
        }
        CHECK(!child);
    }
}

static void check_index(struct px_str text, struct px_json_index *index)
{
    for (size_t i = 0; i < index->len; i++) {
        struct px_buf key = PX_BUF(1 << 20);
        CHECK(px_json_unquote(index->members[i].key, &key) == PX_OK);
        CHECK(px_json_index_get(index, px_buf_str(&key)) >= &index->members[i]);
        CHECK(px_json_index_count(index, px_buf_str(&key)) > 0);
        CHECK(px_json_scan(index->members[i].value, NULL, NULL, NULL) == PX_OK);
        px_buf_free(&key);
        if (i == 0) {
            struct px_block *block = px_json_splice(text, index->members[i].value, PX_STR("[]"));
            CHECK(block && px_json_scan(px_block_str(block), NULL, NULL, NULL) == PX_OK);
            px_block_drop(block);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_str text = { (const char *)data, size };
    bool good = check_tokens(text);
    struct px_json_index index = { 0 };
    size_t at = 0;
    struct px_error err = { 0 };
    enum px_status st = px_json_scan(text, &index, &at, &err);
    CHECK((st == PX_OK) == good && at <= size);
    if (good) {
        check_index(text, &index);
    }
    px_json_index_free(&index);
    struct px_json_tree *tree = NULL;
    st = px_json_parse(text, &tree, &err);
    CHECK(good || st == PX_EINVAL);
    CHECK(st == PX_OK || strstr(err.text, "expected") || strstr(err.text, "a string must not") ||
          strstr(err.text, "too long"));
    CHECK(!good || st == PX_OK || !strstr(err.text, "expected"));
    if (!st) {
        struct px_json_reader reader;
        px_json_reader_init(&reader, text);
        enum px_json_token token = px_json_next(&reader);
        compare(&reader, token, px_json_root(tree));
    }
    px_json_tree_free(tree);
    return 0;
}
