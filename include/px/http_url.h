#pragma once

#include <stdbool.h>

#include "px/buf.h"
#include "px/status.h"
#include "px/str.h"

/// Parts of a request target. Functions that write into a buffer append to it and leave it as it
/// was when they fail: PX_EINVAL for a broken escape or one that hides a control byte, PX_ETOOBIG
/// and PX_ENOMEM from the buffer.

/// Splits `target` at the first "?". `query` has no "?" and is empty if there is none. Either may
/// be NULL.
void px_http_url_split(struct px_str target, struct px_str *path, struct px_str *query);

/// Appends `segment` (of a path) with its percent escapes undone.
PX_CHECK enum px_status px_http_url_decode(struct px_str segment, struct px_buf *out);

/// Appends `text` escaped so that it can be a path segment or a query's name or value.
PX_CHECK enum px_status px_http_url_encode(struct px_str text, struct px_buf *out);

/// Finds the first parameter called `name` and appends its value, escapes undone and "+" read as a
/// space. Names are compared with their escapes undone: `k%65y` is `key`.
///
/// @param found Whether there is one; nothing is appended if not.
PX_CHECK enum px_status px_http_query_get(struct px_str query, struct px_str name,
                                          struct px_buf *out, bool *found);

/// Appends `query` without the parameters called `name` (compared as above), the others as they
/// were. So a key that came in a URL is neither passed on nor logged.
PX_CHECK enum px_status px_http_query_without(struct px_str query, struct px_str name,
                                              struct px_buf *out);
