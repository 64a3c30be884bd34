#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/json.h"
#include "px/status.h"
#include "px/str.h"

/// JSON trees for the C side's own documents: configuration, credentials, admin requests.
///
/// Numbers are doubles. Strings are NUL-terminated; a text with U+0000 or a lone surrogate in a
/// string is refused. Repeated members are kept and met in order; a look-up gives the first.
struct px_json_tree;

/// One value of a tree; lives as long as the tree. NULL stands for "not there" in every function
/// below, which then gives NULL, 0, false or an empty string.
struct px_json_node;

/// Parses a text (copied). Errors begin with the place: "12:5: expected ':'".
///
/// @return PX_EINVAL, PX_ENOMEM.
PX_CHECK enum px_status px_json_parse(struct px_str text, struct px_json_tree **out,
                                      struct px_error *err);

/// Frees a tree and all its nodes; NULL is allowed.
void px_json_tree_free(struct px_json_tree *tree);

/// The top value. Never NULL.
const struct px_json_node *px_json_root(const struct px_json_tree *tree);

/// The type; PX_JSON_NULL for NULL.
enum px_json_type px_json_node_type(const struct px_json_node *node);

/// First member or element of a container, and the one after it.
const struct px_json_node *px_json_first(const struct px_json_node *node);
const struct px_json_node *px_json_after(const struct px_json_node *node);

/// Name of a member; empty for elements and the top value.
struct px_str px_json_name(const struct px_json_node *node);

/// Number of members or elements. Walks them.
size_t px_json_count(const struct px_json_node *node);

/// Member of an object by its exact name, or NULL.
const struct px_json_node *px_json_member(const struct px_json_node *node, const char *name);

/// Scalars. A wrong type gives 0, false or an empty string: look at the type first.
double px_json_number(const struct px_json_node *node);
bool px_json_bool(const struct px_json_node *node);
struct px_str px_json_string(const struct px_json_node *node);

/// Line and column (both from 1) where a node's value begins. Walks the text: for errors only.
void px_json_where(const struct px_json_tree *tree, const struct px_json_node *node, unsigned *line,
                   unsigned *column);

/// Version of the library below, for people.
const char *px_json_library(void);
