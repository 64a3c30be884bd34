#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/buf.h"
#include "px/status.h"
#include "px/str.h"

/// Hashes, random bytes and base64, by OpenSSL.

#define PX_SHA256_LEN 32

PX_CHECK enum px_status px_sha256(struct px_str bytes, unsigned char out[PX_SHA256_LEN]);

PX_CHECK enum px_status px_hmac_sha256(struct px_str key, struct px_str bytes,
                                       unsigned char out[PX_SHA256_LEN]);

/// Fills `out` with random bytes fit for keys.
PX_CHECK enum px_status px_random(void *out, size_t len);

/// Compares in a time that depends on the length of `a` alone. Use it for keys.
bool px_same_secret(struct px_str a, struct px_str b);

/// Appends base64, with padding.
PX_CHECK enum px_status px_base64_encode(struct px_str bytes, struct px_buf *out);

/// Appends what base64 stands for. White space is skipped, padding may be missing, and the URL-safe
/// alphabet is read too. PX_EINVAL for other bytes; `out` is then as it was.
PX_CHECK enum px_status px_base64_decode(struct px_str text, struct px_buf *out);
