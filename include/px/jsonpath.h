#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/buf.h"
#include "px/json.h"

/// Paths into JSON text, and edits that leave every other byte alone.
///
/// A path is written as in error messages, counting from 0: `messages[0].content[1].text`,
/// `metadata["a.b"]`, `[2].x` in a top array, and `messages[*].name` for every element. A plain
/// name holds no `.`, `[`, `]` or `"`; anything else is a JSON string in brackets. The empty path
/// is the whole text. Where a key is repeated, a path means every one of them.

#define PX_JSON_PATH_STEPS 32

/// A compiled path. Opaque; read only, so any number of threads may use it at once.
struct px_json_path;

/// Compiles a path. PX_EINVAL (with words in `err`), PX_ETOOBIG for more than PX_JSON_PATH_STEPS
/// steps, PX_ENOMEM.
PX_CHECK enum px_status px_json_path_new(struct px_str text, struct px_json_path **out,
                                         struct px_error *err);

/// Frees a path; NULL is allowed.
void px_json_path_free(struct px_json_path *path);

/// Receives one value found: its raw span inside the text. A status other than PX_OK stops the
/// search and is handed back.
typedef enum px_status (*px_json_found_fn)(struct px_str value, enum px_json_type type, void *user);

/// Calls `on_found` for each value that the path names, in the text's order. Finding none is PX_OK.
///
/// @return PX_EINVAL when the text is not JSON up to where it was read, or the callback's status.
PX_CHECK enum px_status px_json_find(struct px_str text, const struct px_json_path *path,
                                     px_json_found_fn on_found, void *user);

/// Finds one value: of several the last. False when there is none (or the text is not JSON).
bool px_json_get(struct px_str text, const struct px_json_path *path, struct px_str *value,
                 enum px_json_type *type);

/// Appends to `out` the text with the value at `path` set to `value`, JSON text that is checked
/// and whose outer white space is dropped.
///
/// Where the path's last step is a name that its object lacks, a new member goes to the end of that
/// object; where it is an index that equals the array's length, a new element. `changed` (may be
/// NULL) receives the number of places; 0, with the text copied as it is, when the way there is
/// missing or leads through something that is no container.
///
/// @return PX_EINVAL when text or value is not JSON or the result would nest too deep, PX_ETOOBIG,
///         PX_ENOMEM. `out` is as it was then. It must not overlap text or value.
PX_CHECK enum px_status px_json_set(struct px_str text, const struct px_json_path *path,
                                    struct px_str value, struct px_buf *out, size_t *changed,
                                    struct px_error *err);

/// Appends to `out` the text without what `path` names, its comma included. Otherwise as
/// px_json_set(); the empty path is PX_EINVAL.
PX_CHECK enum px_status px_json_remove(struct px_str text, const struct px_json_path *path,
                                       struct px_buf *out, size_t *changed, struct px_error *err);
