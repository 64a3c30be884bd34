#pragma once

#include <stdbool.h>

#include "px/status.h"
#include "px/str.h"

/// Where a URL leads.
struct px_target {
    struct px_str scheme;
    struct px_str host;  ///< Without the brackets of an IPv6 address. Empty: no target.
    unsigned port;       ///< As written, or the scheme's.
    bool numeric;        ///< The host is an address: nothing to look up.
    bool secure;         ///< https.
    bool local;          ///< A proxy that lets us look up the target's name (socks5).
};

/// Splits an http or https URL. Spans are borrowed from `url`. Refuses what is not absolute, names
/// a user, or holds bytes a URL must not hold. Errors do not repeat the URL.
PX_CHECK enum px_status px_target_parse(struct px_str url, struct px_target *target,
                                        struct px_error *err);

/// The same for a proxy: http, https, socks5, socks5h; a user is allowed and ignored.
PX_CHECK enum px_status px_target_parse_proxy(struct px_str url, struct px_target *target,
                                              struct px_error *err);
