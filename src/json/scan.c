#include <stdlib.h>

#include "px/json.h"

#include "scan.h"

const char *px_json_type_name(enum px_json_type type)
{
    switch (type) {
    case PX_JSON_NULL: return "null";
    case PX_JSON_FALSE:
    case PX_JSON_TRUE: return "boolean";
    case PX_JSON_NUMBER: return "number";
    case PX_JSON_STRING: return "string";
    case PX_JSON_ARRAY: return "array";
    case PX_JSON_OBJECT: return "object";
    }
    return "unknown";
}

// Makes room for one more member.
static enum px_status grow(struct px_json_index *index)
{
    if (index->len < index->cap) {
        return PX_OK;
    }
    if (index->cap == PX_JSON_INDEX_MAX) {
        return PX_ETOOBIG;
    }
    size_t cap = index->cap * 2;
    bool few = index->members == index->few;
    struct px_json_member *members = realloc(few ? NULL : index->members, cap * sizeof(*members));
    if (!members) {
        return PX_ENOMEM;
    }
    if (few) {
        memcpy(members, index->few, sizeof(index->few));
    }
    index->members = members;
    index->cap = cap;
    return PX_OK;
}

// Reads the members of the top object, whose brace was the last token.
static enum px_status read_members(struct px_json_reader *reader, struct px_json_index *index)
{
    for (;;) {
        if (px_json_next(reader) != PX_JSON_T_KEY) {
            return PX_OK;
        }
        enum px_status st = grow(index);
        if (st) {
            return st;
        }
        struct px_json_member *member = &index->members[index->len];
        member->key = reader->token;
        member->key_escaped = reader->escaped;
        enum px_json_token token = px_json_next(reader);
        if (token == PX_JSON_T_ERROR) {
            return PX_OK;
        }
        member->type = json_type(token);
        member->value = px_json_skip(reader);
        index->len++;
    }
}

static enum px_status read_index(struct px_json_reader *reader, struct px_json_index *index)
{
    enum px_json_token token = px_json_next(reader);
    if (token == PX_JSON_T_ERROR) {
        return PX_OK;
    }
    const char *begin = reader->token.ptr;
    index->type = json_type(token);
    if (token == PX_JSON_T_OBJECT) {
        enum px_status st = read_members(reader, index);
        if (st) {
            return st;
        }
    } else {
        px_json_skip(reader);
    }
    index->value = (struct px_str){ begin, (size_t)(reader->at - begin) };
    return PX_OK;
}

enum px_status px_json_scan(struct px_str text, struct px_json_index *index, size_t *at,
                            struct px_error *err)
{
    struct px_json_reader reader;
    px_json_reader_init(&reader, text);
    if (index) {
        px_json_index_free(index);
        index->text = text;
        index->members = index->few;
        index->cap = sizeof(index->few) / sizeof(*index->few);
        enum px_status st = read_index(&reader, index);
        if (st) {
            px_json_index_free(index);
            const char *why = st == PX_ETOOBIG ? "too many members" : "no memory for the index";
            return px_fail(err, st, "JSON: %s", why);
        }
    }
    enum px_json_token token;
    do {
        token = px_json_next(&reader);
    } while (token != PX_JSON_T_END && token != PX_JSON_T_ERROR);
    if (token == PX_JSON_T_END) {
        return PX_OK;
    }
    if (index) {
        px_json_index_free(index);
    }
    if (at) {
        *at = px_json_reader_offset(&reader);
    }
    return px_json_reader_fail(&reader, err);
}

void px_json_index_free(struct px_json_index *index)
{
    if (index->members != index->few) {
        free(index->members);
    }
    index->members = NULL;
    index->len = index->cap = 0;
    index->text = index->value = (struct px_str){ NULL, 0 };
    index->type = PX_JSON_NULL;
}

const struct px_json_member *px_json_index_get(const struct px_json_index *index, struct px_str key)
{
    for (size_t i = index->len; i > 0; i--) {
        if (px_json_means(index->members[i - 1].key, key)) {
            return &index->members[i - 1];
        }
    }
    return NULL;
}

size_t px_json_index_count(const struct px_json_index *index, struct px_str key)
{
    size_t count = 0;
    for (size_t i = 0; i < index->len; i++) {
        count += px_json_means(index->members[i].key, key);
    }
    return count;
}

struct px_block *px_json_splice(struct px_str text, struct px_str span, struct px_str with)
{
    size_t before = (size_t)(span.ptr - text.ptr);
    size_t after = text.len - before - span.len;
    struct px_block *block = px_block_new(before + with.len + after);
    if (!block) {
        return NULL;
    }
    memcpy(block->ptr, text.ptr, before);
    if (with.len) {
        memcpy(block->ptr + before, with.ptr, with.len);
    }
    memcpy(block->ptr + before + with.len, span.ptr + span.len, after);
    block->len = before + with.len + after;
    return block;
}

void px_json_place(struct px_str text, size_t offset, unsigned *line, unsigned *column)
{
    *line = 1;
    size_t begin = 0;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            ++*line;
            begin = i + 1;
        }
    }
    *column = (unsigned)(offset - begin + 1);
}
