#pragma once

#include "px/jsonpath.h"

enum step_kind {
    STEP_NAME,
    STEP_INDEX,
    STEP_EACH,
};

struct path_step {
    enum step_kind kind;
    struct px_str name;
    size_t index;
};

struct px_json_path {
    size_t len;
    char *names;
    struct path_step steps[PX_JSON_PATH_STEPS];
};

/// A value that the path names.
struct path_place {
    enum px_json_type type;
    struct px_str value;
    const char *begin;     ///< Where the member begins: at its key, or at the element itself.
    const char *previous;  ///< End of the member before it, or of the opening bracket.
    size_t members;        ///< How many members the container has before it.
};

/// The end of a container in which the last step of the path looked.
struct path_end {
    bool object;
    bool found;        ///< It held a value that the path names.
    size_t members;    ///< How many it has.
    const char *last;  ///< End of the last member, or of the opening bracket.
};

/// Embedded in what a walk is done for. `on_member` and `on_end` may be NULL.
struct path_visitor {
    enum px_status (*on_found)(struct path_visitor *visitor, const struct path_place *place);
    /// A member begins in a container in which the last step looks; comes before on_found().
    void (*on_member)(struct path_visitor *visitor, const char *begin);
    enum px_status (*on_end)(struct path_visitor *visitor, const struct path_end *end);
};

/// Walks the text along the path; what is found does not nest and comes in order.
///
/// @return PX_EINVAL with `err` when the text is not JSON, or the status of a visitor.
enum px_status path_walk(struct px_str text, const struct px_json_path *path,
                         struct path_visitor *visitor, struct px_error *err);
