#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/buf.h"
#include "px/jsontree.h"

/// The document while it is loaded: a tree that can be changed (values are laid over it, `env:` and
/// `file:` replaced, defaults filled in) and that remembers where each value came from.

/// Memory that is freed at once, and wiped: it may hold secrets. Start with zeroes.
struct px_config_pool {
    struct px_config_chunk *chunks;
};

/// Zeroed memory, or NULL. It lives as long as the pool.
void *px_config_take(struct px_config_pool *pool, size_t size);

/// NUL-terminated copy, or NULL.
char *px_config_copy(struct px_config_pool *pool, struct px_str text);

/// Formatted text, or NULL.
char *px_config_print(struct px_config_pool *pool, const char *fmt, ...) PX_PRINTF(2, 3);

/// Frees all of it.
void px_config_pool_free(struct px_config_pool *pool);

struct px_config_node {
    enum px_json_type type;
    const char *name;  ///< Of a member; NULL for elements and the top value.
    const char *text;  ///< Of a string.
    double number;
    struct px_config_node *parent, *next, *first, *last;
    const struct px_json_node *from;  ///< Its place in the file; NULL for values from elsewhere.
    const char *origin;               ///< "--port" for a value laid over the file.
    const char *raw;   ///< What the person or the environment gave, before it was read as JSON.
    const char *file;  ///< Absolute path of its `file:` value.
    bool absent;       ///< There is no value: that file is still to be made, or a mistake.
    bool hidden;       ///< The value came through `env:` or `file:`: it is not shown.
};

/// Copies a JSON value with all it holds. `origin` NULL: it is the file's. NULL if out of memory.
struct px_config_node *px_config_node_read(struct px_config_pool *pool,
                                           const struct px_json_node *json, const char *origin);

/// A new value without a place, or NULL. `name` is borrowed.
struct px_config_node *px_config_node_new(struct px_config_pool *pool, enum px_json_type type,
                                          const char *name);

/// Adds a child at the end.
void px_config_node_append(struct px_config_node *parent, struct px_config_node *child);

/// Takes a child out; the pool keeps its memory.
void px_config_node_remove(struct px_config_node *child);

/// Makes `node` hold what `value` holds; its name and its place among its siblings stay.
void px_config_node_assign(struct px_config_node *node, const struct px_config_node *value);

/// Member by name, of repeated ones the first; NULL when there is none or `node` is no object.
struct px_config_node *px_config_node_member(const struct px_config_node *node, const char *name);

/// Element by index, or NULL.
struct px_config_node *px_config_node_at(const struct px_config_node *node, size_t index);

size_t px_config_node_count(const struct px_config_node *node);

/// Path of a node as in messages (`listen[0].port`), cut to fit.
void px_config_node_path(const struct px_config_node *node, char *out, size_t size);

/// Writes a value as JSON.
PX_CHECK enum px_status px_config_node_write(const struct px_config_node *node, struct px_buf *out);
