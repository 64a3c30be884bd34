#pragma once

#include "px/buf.h"
#include "px/status.h"
#include "px/str.h"

// Vectors of embeddings: arrays of numbers as JSON says them, or 32-bit floats one after the other,
// little end first, which is what OpenAI's `encoding_format: base64` holds.

/// Appends the floats of a JSON array of numbers.
///
/// @return PX_EINVAL when it is none, PX_ENOMEM, PX_ETOOBIG.
PX_CHECK enum px_status px_vector_pack(struct px_str json, struct px_buf *out);

/// Appends a JSON array of the floats, each with as many digits as tell it from its neighbours.
///
/// @return PX_EINVAL when the bytes are not whole floats, or one of them is no number; PX_ENOMEM,
///         PX_ETOOBIG.
PX_CHECK enum px_status px_vector_unpack(struct px_str bytes, struct px_buf *out);
