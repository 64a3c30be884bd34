#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/status.h"
#include "px/str.h"

/// All scripts of one generation, read at one moment. Immutable after px_bundle_read(), and
/// reference-counted across threads.
struct px_bundle;

enum px_bundle_kind {
    PX_BUNDLE_MODULE,  ///< Found by require(): "protocol.anthropic.stream".
    PX_BUNDLE_RULES,   ///< Run in order of names.
};

struct px_bundle_file {
    enum px_bundle_kind kind;
    struct px_str name;    ///< Module name, or the rule file's name.
    struct px_str path;    ///< For messages: "configs/rules/a.lua", or "lua/main.lua" if shipped.
    struct px_str source;  ///< Text.
    bool shipped;
};

/// Reads `<scripts>/rules/*.lua` (without *_test.lua), `<scripts>/provider/*.lua` and
/// `<scripts>/protocol/*/*.lua`; the two latter shadow shipped modules. A folder that does not
/// exist is empty; a file larger than 1 MiB, or more than 1,000 files, is an error.
PX_CHECK enum px_status px_bundle_read(const char *scripts, struct px_bundle **out,
                                       struct px_error *err);

struct px_bundle *px_bundle_hold(struct px_bundle *bundle);

/// NULL is allowed.
void px_bundle_drop(struct px_bundle *bundle);

size_t px_bundle_count(const struct px_bundle *bundle);
const struct px_bundle_file *px_bundle_at(const struct px_bundle *bundle, size_t at);

/// Finds a module by name; a person's file before the shipped one. NULL if there is none.
const struct px_bundle_file *px_bundle_module(const struct px_bundle *bundle, struct px_str name);
