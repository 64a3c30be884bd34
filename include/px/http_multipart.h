#pragma once

#include <stdbool.h>

#include "px/status.h"
#include "px/str.h"

/// Looks for a field in the beginning of a multipart/form-data body (RFC 7578). Nothing is
/// allocated or copied. What servers could read in two ways is refused.

enum px_multipart_found {
    PX_MULTIPART_FOUND,
    PX_MULTIPART_ABSENT,  ///< The body is whole and has no such field.
    PX_MULTIPART_LATE,    ///< The field has not come, or not all of it.
    PX_MULTIPART_BAD,     ///< This is no multipart/form-data; the error says why.
};

/// The headers of one part together may be this long.
#define PX_MULTIPART_HEAD_MAX 8192

/// Tells whether a Content-Type is multipart/form-data, with or without a boundary.
bool px_http_is_multipart(struct px_str content_type);

/// Finds the field called `name`, which is no file, in `bytes`: the first of the body, or all of it
/// if `whole`. A field that stands twice is PX_MULTIPART_BAD.
///
/// @param content_type Names the boundary.
/// @param value Of the field that was found, a span of `bytes`; also of one that is not unique.
/// @param err May be NULL.
enum px_multipart_found px_http_multipart_find(struct px_str bytes, bool whole,
                                               struct px_str content_type, struct px_str name,
                                               struct px_str *value, struct px_error *err);
