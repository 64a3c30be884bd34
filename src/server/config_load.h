#pragma once

#include "config_schema.h"
#include "config_tree.h"
#include "px/config.h"

/// What one load shares between its steps, in their order: read, lay over, check, cross-check,
/// build. Each step goes on after a mistake where it can, so that one run shows all of them.
struct px_config_load {
    const struct px_config_source *source;
    struct px_config_report *report;
    struct px_config_pool work;  ///< Dies with the load.
    struct px_json_tree *json;
    struct px_config_node *root;
    const char *dir;       ///< Folder of the file, absolute.
    const char *data_dir;  ///< Once it is known.
    size_t forgiving;      ///< Above 0 inside something that is not enabled.
    size_t secret;         ///< Above 0 inside something that must not be shown.
    struct watch_list {
        const char **paths;
        size_t count, cap;
    } watch;
};

/// A finished configuration and the memory it stands in.
struct px_config_box {
    struct px_config config;
    struct px_config_pool pool;
};

/// Adds a line about a node: place, path, words.
void px_config_complain(struct px_config_load *load, bool error, const struct px_config_node *node,
                        const char *fmt, ...) PX_PRINTF(4, 5);

/// Remembers a file to be watched (copied).
PX_CHECK enum px_status px_config_watch(struct px_config_load *load, const char *path);

/// Lays environment and flags over the file's tree.
PX_CHECK enum px_status px_config_overlay(struct px_config_load *load);

/// Lays one value over the tree.
PX_CHECK enum px_status px_config_overlay_set(struct px_config_load *load,
                                              const struct px_config_set *set);

/// Checks a node and all it holds against the table, resolves its strings, fills in defaults.
PX_CHECK enum px_status px_config_check(struct px_config_load *load, struct px_config_node *node,
                                        const struct px_config_rule *rule);

/// Replaces `env:NAME` and `file:PATH`. After a mistake (reported) or where the file is still to be
/// made, the node is `absent`.
PX_CHECK enum px_status px_config_resolve(struct px_config_load *load, struct px_config_node *node,
                                          const struct px_config_rule *rule);

/// Says what a rule wants ("an integer from 1 to 64"), for messages.
void px_config_expected(const struct px_config_rule *rule, char *out, size_t size);

/// Says what stands there, without showing secrets.
void px_config_found(const struct px_config_load *load, const struct px_config_node *node,
                     char *out, size_t size);

/// Reports "expected …, found …".
void px_config_mismatch(struct px_config_load *load, const struct px_config_node *node,
                        const struct px_config_rule *rule);

/// The kind of provider with that name, or NULL.
const struct px_config_type *px_config_find_type(const struct px_config_load *load,
                                                 const char *name);

/// Checks and converts a value of the right type as its rule's form demands. A mistake is reported.
PX_CHECK enum px_status px_config_check_form(struct px_config_load *load,
                                             struct px_config_node *node,
                                             const struct px_config_rule *rule);

/// Absolute form of a path in the configuration. NULL if out of memory.
char *px_config_full_path(struct px_config_load *load, const char *path);

/// Reads a whole file of at most `max` bytes, NUL-terminated. `problem` receives a reason (static,
/// or strerror's) with PX_EIO and PX_EINVAL.
PX_CHECK enum px_status px_config_read_bytes(struct px_config_pool *pool, const char *path,
                                             size_t max, struct px_str *out, const char **problem);

/// Reads a text file behind a value and cuts white space off its end.
PX_CHECK enum px_status px_config_read_value(struct px_config_pool *pool, const char *path,
                                             char **out, const char **problem);

/// Tells whether a text is sound UTF-8.
bool px_config_is_utf8(const char *text);

/// Value of an environment variable, or NULL.
const char *px_config_getenv(const char *const *environment, const char *name);

/// Checks what no single value can tell: names that refer to others, names given twice.
PX_CHECK enum px_status px_config_cross(struct px_config_load *load);

/// Builds the result from a checked tree.
PX_CHECK enum px_status px_config_build(struct px_config_load *load, struct px_config_box *box);

/// Writes what Lua needs.
PX_CHECK enum px_status px_config_write_lua(struct px_config_load *load, struct px_buf *out);
