#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/status.h"
#include "px/str.h"

/// The head of an HTTP/1.1 request, read strictly: what could be understood in two ways is refused.
///
/// The connection collects bytes in one buffer, asks px_http_head_find() whether the head is
/// complete, and hands the complete head to px_http_head_parse(). Nothing is allocated or copied:
/// every span points into the buffer and lives as long as it.

/// A longer head is refused with 431. A connection that holds this many bytes without a complete
/// head answers 431 itself.
#define PX_HTTP_HEAD_MAX 65536

/// As many header slots as a connection should offer. More headers than slots are a 431.
#define PX_HTTP_HEADERS_MAX 100

/// One header line. The value has no white space around it and may be empty.
struct px_http_header {
    struct px_str name;  ///< As it was sent, in any case.
    struct px_str value;
};

/// What a head says.
struct px_http_head {
    /// On failure the status to answer with: 400, 415, 417, 431, 501 or 505. 0 on success.
    int status;
    int minor;             ///< HTTP/1.`minor`: 0 or 1.
    struct px_str method;  ///< GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.
    /// Path and query. An absolute-form target has lost scheme and authority. "*" only in OPTIONS.
    struct px_str target;
    struct px_str host;  ///< Of the absolute-form target if there was one, else of the Host header.
    const struct px_http_header *headers;  ///< In the order they were sent; the caller's slots.
    size_t count;
    int64_t content_length;  ///< -1 if absent.
    bool chunked;
    bool keep_alive;         ///< The connection may serve another request after this one.
    bool expect_continue;    ///< The client waits for "100 Continue". Never set in HTTP/1.0.
    bool upgrade_websocket;  ///< Upgrade: websocket, named by Connection too.
    struct px_str content_encoding;  ///< Of the body; empty if there is none.
};

/// Looks for the end of the head at the start of `bytes`.
///
/// @param scanned 0 for a new head; where to go on, so that no byte is looked at twice when the
///        same buffer comes again with more bytes (it may have moved).
/// @return Length of the head with its blank line, or 0 while it is incomplete. A blank line that
///         ends in a bare LF ends a head too: the parser then refuses it at once, instead of the
///         connection waiting for an end that never comes.
size_t px_http_head_find(struct px_str bytes, size_t *scanned);

/// Parses a head that px_http_head_find() found. One empty line (CRLF) before the request line is
/// skipped, as RFC 9112 §2.2 asks.
///
/// Refused are, beside what the grammar forbids: bare CR or LF, control bytes, folded lines, white
/// space before the colon, any number of Hosts but one (in HTTP/1.0 too), Content-Length beside
/// Transfer-Encoding, a second Content-Length or a list, a transfer coding other than exactly
/// `chunked`, white space behind either of them, Transfer-Encoding in HTTP/1.0, other methods
/// (CONNECT too) and versions, bytes outside ASCII and fragments in the target, a second
/// Content-Encoding.
///
/// @param slots Holds the headers; borrowed as long as `out` is used.
/// @param out On failure only its `status` is set.
/// @return PX_EINVAL, or PX_ETOOBIG when the head or the number of its headers is over the limit.
///         After any failure the connection can only be answered and closed.
PX_CHECK enum px_status px_http_head_parse(struct px_str head, struct px_http_header *slots,
                                           size_t max, struct px_http_head *out,
                                           struct px_error *err);

/// Finds a header by name, in any case. NULL if there is none; else the first one.
const struct px_http_header *px_http_header_find(const struct px_http_head *head,
                                                 struct px_str name);

/// Finds the next header with the name of `last`, which is one of `head`'s. NULL at the end.
const struct px_http_header *px_http_header_next(const struct px_http_head *head,
                                                 const struct px_http_header *last);

/// Value of the first header with this name; an empty span with a NULL `ptr` if there is none.
struct px_str px_http_header_get(const struct px_http_head *head, struct px_str name);

/// True if `name` is a header between two neighbours only, never to be passed on: Connection,
/// Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade; with `head` (which may be NULL)
/// also what its Connection headers name.
bool px_http_header_is_hop(const struct px_http_head *head, struct px_str name);

/// True if the comma-separated list `value` holds `token`, in any case.
bool px_http_has_token(struct px_str value, struct px_str token);

/// True if `a` and `b` are the same but for the case of ASCII letters.
bool px_http_same(struct px_str a, struct px_str b);

/// True if `name` is a non-empty token, as names of headers must be.
bool px_http_is_name(struct px_str name);

/// True if `value` may be sent as a header's value: no control bytes but tabs. Empty is allowed.
bool px_http_is_value(struct px_str value);
