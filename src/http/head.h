#pragma once

#include "px/http.h"

/// What the headers seen so far say, before they are weighed against each other.
struct px_http_meaning {
    unsigned hosts, lengths, codings, encodings;
    bool close, stay, upgrade;   ///< Tokens of Connection.
    bool websocket, odd_expect;  ///< Upgrade and Expect.
};

/// Refuses the head: `status` is to be answered, `words` are for the log. Returns PX_ETOOBIG for
/// 431, else PX_EINVAL.
PX_CHECK enum px_status px_http_refuse(struct px_http_head *head, struct px_error *err, int status,
                                       const char *words);

/// Takes note of one header.
PX_CHECK enum px_status px_http_note(struct px_http_head *head, struct px_http_meaning *meaning,
                                     const struct px_http_header *header, struct px_error *err);

/// Weighs the headers when all of them are known.
PX_CHECK enum px_status px_http_weigh(struct px_http_head *head,
                                      const struct px_http_meaning *meaning, struct px_error *err);
