#include "config_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct px_config_chunk {
    struct px_config_chunk *next;
    size_t size;
    char bytes[] __attribute__((aligned(16)));
};

void *px_config_take(struct px_config_pool *pool, size_t size)
{
    struct px_config_chunk *chunk = calloc(1, sizeof(*chunk) + size);
    if (!chunk) {
        return NULL;
    }
    chunk->size = size;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    return chunk->bytes;
}

char *px_config_copy(struct px_config_pool *pool, struct px_str text)
{
    char *copy = px_config_take(pool, text.len + 1);
    if (copy && text.len) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

char *px_config_print(struct px_config_pool *pool, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : px_config_take(pool, (size_t)len + 1);
    if (text) {
        va_start(args, fmt);
        vsnprintf(text, (size_t)len + 1, fmt, args);
        va_end(args);
    }
    return text;
}

void px_config_pool_free(struct px_config_pool *pool)
{
    while (pool->chunks) {
        struct px_config_chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        explicit_bzero(chunk->bytes, chunk->size);
        free(chunk);
    }
}

struct px_config_node *px_config_node_new(struct px_config_pool *pool, enum px_json_type type,
                                          const char *name)
{
    struct px_config_node *node = px_config_take(pool, sizeof(*node));
    if (node) {
        node->type = type;
        node->name = name;
    }
    return node;
}

struct px_config_node *px_config_node_read(struct px_config_pool *pool,
                                           const struct px_json_node *json, const char *origin)
{
    struct px_config_node *node = px_config_node_new(pool, px_json_node_type(json), NULL);
    if (!node) {
        return NULL;
    }
    node->from = origin ? NULL : json;
    node->origin = origin;
    node->number = px_json_number(json);
    if (node->type == PX_JSON_STRING) {
        node->text = px_config_copy(pool, px_json_string(json));
        if (!node->text) {
            return NULL;
        }
    }
    const struct px_json_node *next = px_json_first(json);
    for (; next; next = px_json_after(next)) {
        struct px_config_node *child = px_config_node_read(pool, next, origin);
        if (!child) {
            return NULL;
        }
        if (node->type == PX_JSON_OBJECT) {
            child->name = px_config_copy(pool, px_json_name(next));
            if (!child->name) {
                return NULL;
            }
        }
        px_config_node_append(node, child);
    }
    return node;
}

void px_config_node_append(struct px_config_node *parent, struct px_config_node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
}

void px_config_node_remove(struct px_config_node *child)
{
    struct px_config_node *parent = child->parent, *before = NULL;
    for (struct px_config_node *at = parent->first; at != child; at = at->next) {
        before = at;
    }
    if (before) {
        before->next = child->next;
    } else {
        parent->first = child->next;
    }
    if (parent->last == child) {
        parent->last = before;
    }
    child->parent = NULL;
    child->next = NULL;
}

void px_config_node_assign(struct px_config_node *node, const struct px_config_node *value)
{
    struct px_config_node *parent = node->parent, *next = node->next;
    const char *name = node->name;
    *node = *value;
    node->parent = parent;
    node->next = next;
    node->name = name;
    for (struct px_config_node *child = node->first; child; child = child->next) {
        child->parent = node;
    }
}

struct px_config_node *px_config_node_member(const struct px_config_node *node, const char *name)
{
    if (!node || node->type != PX_JSON_OBJECT) {
        return NULL;
    }
    struct px_config_node *child = node->first;
    while (child && strcmp(child->name, name) != 0) {
        child = child->next;
    }
    return child;
}

struct px_config_node *px_config_node_at(const struct px_config_node *node, size_t index)
{
    struct px_config_node *child = node->first;
    while (child && index--) {
        child = child->next;
    }
    return child;
}

size_t px_config_node_count(const struct px_config_node *node)
{
    size_t count = 0;
    for (struct px_config_node *child = node ? node->first : NULL; child; child = child->next) {
        count++;
    }
    return count;
}

static bool is_plain(const char *name)
{
    return *name && !strpbrk(name, ".[]\" \t\r\n");
}

void px_config_node_path(const struct px_config_node *node, char *out, size_t size)
{
    const struct px_config_node *chain[PX_JSON_DEPTH + 1];
    size_t depth = 0, len = 0;
    for (; node->parent && depth < sizeof(chain) / sizeof(*chain); node = node->parent) {
        chain[depth++] = node;
    }
    out[0] = '\0';
    while (depth-- && len < size) {
        const struct px_config_node *step = chain[depth];
        int more;
        if (!step->name) {
            size_t index = 0;
            for (const struct px_config_node *at = step->parent->first; at != step; at = at->next) {
                index++;
            }
            more = snprintf(out + len, size - len, "[%zu]", index);
        } else if (is_plain(step->name)) {
            more = snprintf(out + len, size - len, "%s%.60s", len ? "." : "", step->name);
        } else {
            more = snprintf(out + len, size - len, "[\"%.60s\"]", step->name);
        }
        len += more > 0 ? (size_t)more : 0;
    }
}

static enum px_status write_children(const struct px_config_node *node, struct px_buf *out)
{
    for (const struct px_config_node *child = node->first; child; child = child->next) {
        enum px_status st = child == node->first ? PX_OK : px_buf_add(out, PX_STR(","));
        if (!st && child->name) {
            st = px_json_quote(out, (struct px_str){ child->name, strlen(child->name) });
            st = st ? st : px_buf_add(out, PX_STR(":"));
        }
        st = st ? st : px_config_node_write(child, out);
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

enum px_status px_config_node_write(const struct px_config_node *node, struct px_buf *out)
{
    static const char *const words[] = {
        [PX_JSON_NULL] = "null", [PX_JSON_FALSE] = "false", [PX_JSON_TRUE] = "true"
    };
    char number[PX_JSON_NUMBER_MAX];
    enum px_status st;
    switch (node->type) {
    case PX_JSON_NUMBER:
        return px_buf_add(out,
                          (struct px_str){ number, px_json_print_number(node->number, number) });
    case PX_JSON_STRING:
        return px_json_quote(out, (struct px_str){ node->text, strlen(node->text) });
    case PX_JSON_ARRAY:
    case PX_JSON_OBJECT:
        st = px_buf_add(out, node->type == PX_JSON_ARRAY ? PX_STR("[") : PX_STR("{"));
        st = st ? st : write_children(node, out);
        return st ? st : px_buf_add(out, node->type == PX_JSON_ARRAY ? PX_STR("]") : PX_STR("}"));
    default:
        return px_buf_add(out, (struct px_str){ words[node->type], strlen(words[node->type]) });
    }
}
