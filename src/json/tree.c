#include <stdlib.h>

#include <cjson/cJSON.h>

#include "px/jsontree.h"
#include "text.h"

// A node is a cJSON item. cJSON keeps no places; it makes its items in the order of the text, so
// the n-th item of a tree is the n-th value that the reader meets.

#define NUMBER_MAX 60  // cJSON reads numbers through a buffer of 64 bytes.

struct px_json_tree {
    cJSON *root;
    struct px_str text;  // Owned.
};

static const cJSON *item(const struct px_json_node *node)
{
    return (const cJSON *)node;
}

static const struct px_json_node *node_of(const cJSON *json)
{
    return (const struct px_json_node *)json;
}

static enum px_status refuse(struct px_str text, const char *at, const char *what,
                             struct px_error *err)
{
    unsigned line, column;
    px_json_place(text, (size_t)(at - text.ptr), &line, &column);
    return px_fail(err, PX_EINVAL, "%u:%u: %s", line, column, what);
}

// Refuses what cJSON's strings cannot hold: U+0000 and lone surrogates.
static enum px_status check_string(struct px_str text, struct px_str token, struct px_buf *scratch,
                                   struct px_error *err)
{
    px_buf_reset(scratch);
    enum px_status st = px_json_unquote(token, scratch);
    if (st) {
        return px_fail(err, st, "no memory for a JSON tree");
    }
    for (size_t i = 0; i < scratch->len; i++) {
        if (scratch->ptr[i] == '\0') {
            return refuse(text, token.ptr, "a string must not hold \\u0000", err);
        }
        if (is_surrogate(scratch->ptr + i, scratch->ptr + scratch->len)) {
            return refuse(text, token.ptr, "a string must not hold half a surrogate pair", err);
        }
    }
    return PX_OK;
}

static enum px_status check(struct px_str text, struct px_buf *scratch, struct px_error *err)
{
    struct px_json_reader reader;
    px_json_reader_init(&reader, text);
    for (;;) {
        enum px_status st = PX_OK;
        switch (px_json_next(&reader)) {
        case PX_JSON_T_END: return PX_OK;
        case PX_JSON_T_ERROR: {
            unsigned line, column;
            px_json_place(text, px_json_reader_offset(&reader), &line, &column);
            return px_fail(err, PX_EINVAL, "%u:%u: expected %s", line, column, reader.expected);
        }
        case PX_JSON_T_KEY:
        case PX_JSON_T_STRING:
            if (reader.escaped) {
                st = check_string(text, reader.token, scratch, err);
            }
            break;
        case PX_JSON_T_NUMBER:
            if (reader.token.len > NUMBER_MAX) {
                st = refuse(text, reader.token.ptr, "this number is too long", err);
            }
            break;
        default: break;
        }
        if (st) {
            return st;
        }
    }
}

enum px_status px_json_parse(struct px_str text, struct px_json_tree **out, struct px_error *err)
{
    struct px_buf scratch = PX_BUF(text.len + 1);
    enum px_status st = check(text, &scratch, err);
    px_buf_free(&scratch);
    if (st) {
        return st;
    }
    struct px_json_tree *tree = calloc(1, sizeof(*tree) + text.len);
    if (!tree) {
        return px_fail(err, PX_ENOMEM, "no memory for a JSON tree");
    }
    char *copy = (char *)(tree + 1);
    memcpy(copy, text.ptr, text.len);
    tree->text = (struct px_str){ copy, text.len };
    // Nothing is left in the text that cJSON refuses, so a failure is one of memory.
    tree->root = cJSON_ParseWithLength(copy, text.len);
    if (!tree->root) {
        px_json_tree_free(tree);
        return px_fail(err, PX_ENOMEM, "no memory for a JSON tree");
    }
    *out = tree;
    return PX_OK;
}

void px_json_tree_free(struct px_json_tree *tree)
{
    if (tree) {
        cJSON_Delete(tree->root);
        free(tree);
    }
}

const struct px_json_node *px_json_root(const struct px_json_tree *tree)
{
    return node_of(tree->root);
}

enum px_json_type px_json_node_type(const struct px_json_node *node)
{
    switch (node ? item(node)->type & 0xff : cJSON_NULL) {
    case cJSON_False: return PX_JSON_FALSE;
    case cJSON_True: return PX_JSON_TRUE;
    case cJSON_Number: return PX_JSON_NUMBER;
    case cJSON_String: return PX_JSON_STRING;
    case cJSON_Array: return PX_JSON_ARRAY;
    case cJSON_Object: return PX_JSON_OBJECT;
    default: return PX_JSON_NULL;
    }
}

const struct px_json_node *px_json_first(const struct px_json_node *node)
{
    return node ? node_of(item(node)->child) : NULL;
}

const struct px_json_node *px_json_after(const struct px_json_node *node)
{
    return node ? node_of(item(node)->next) : NULL;
}

static struct px_str text_of(const char *text)
{
    return text ? (struct px_str){ text, strlen(text) } : PX_STR("");
}

struct px_str px_json_name(const struct px_json_node *node)
{
    return text_of(node ? item(node)->string : NULL);
}

size_t px_json_count(const struct px_json_node *node)
{
    size_t count = 0;
    for (node = px_json_first(node); node; node = px_json_after(node)) {
        count++;
    }
    return count;
}

const struct px_json_node *px_json_member(const struct px_json_node *node, const char *name)
{
    if (px_json_node_type(node) != PX_JSON_OBJECT) {
        return NULL;
    }
    return node_of(cJSON_GetObjectItemCaseSensitive(item(node), name));
}

double px_json_number(const struct px_json_node *node)
{
    return px_json_node_type(node) == PX_JSON_NUMBER ? item(node)->valuedouble : 0;
}

bool px_json_bool(const struct px_json_node *node)
{
    return px_json_node_type(node) == PX_JSON_TRUE;
}

struct px_str px_json_string(const struct px_json_node *node)
{
    bool string = px_json_node_type(node) == PX_JSON_STRING;
    return text_of(string ? item(node)->valuestring : NULL);
}

// Counts the items before `wanted` in the tree under `json`; true once it is met.
static bool count_before(const cJSON *json, const cJSON *wanted, size_t *before)
{
    if (json == wanted) {
        return true;
    }
    ++*before;
    for (const cJSON *child = json->child; child; child = child->next) {
        if (count_before(child, wanted, before)) {
            return true;
        }
    }
    return false;
}

void px_json_where(const struct px_json_tree *tree, const struct px_json_node *node, unsigned *line,
                   unsigned *column)
{
    *line = *column = 1;
    size_t before = 0;
    if (!node || !count_before(tree->root, item(node), &before)) {
        return;
    }
    struct px_json_reader reader;
    px_json_reader_init(&reader, tree->text);
    for (;;) {
        switch (px_json_next(&reader)) {
        case PX_JSON_T_END:
        case PX_JSON_T_ERROR: return;
        case PX_JSON_T_KEY:
        case PX_JSON_T_ARRAY_END:
        case PX_JSON_T_OBJECT_END: break;
        default:
            if (before-- == 0) {
                size_t offset = (size_t)(reader.token.ptr - tree->text.ptr);
                px_json_place(tree->text, offset, line, column);
                return;
            }
        }
    }
}

const char *px_json_library(void)
{
    return cJSON_Version();
}
