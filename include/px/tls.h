#pragma once

#include <stdbool.h>

#include "px/status.h"

/// Server side TLS settings: certificate, key, TLS 1.2 or newer, ALPN `http/1.1` alone.
/// Reference-counted across threads: listeners of several workers share one.
struct px_tls;

struct px_tls_conf {
    const char *cert_file;  ///< PEM, the chain after the certificate.
    const char *key_file;   ///< PEM, without a passphrase.
};

/// Version of the library below, for people.
const char *px_tls_library(void);

/// Reads certificate and key. The caller holds the result. Errors name the file and what to do.
PX_CHECK enum px_status px_tls_new(const struct px_tls_conf *conf, struct px_tls **out,
                                   struct px_error *err);

struct px_tls *px_tls_hold(struct px_tls *tls);

/// NULL is allowed. Connections made with it go on: they hold it themselves.
void px_tls_drop(struct px_tls *tls);

/// Whether the other side of a connection has said that it ends.
struct px_tls_end {
    unsigned refs;
    bool seen;
};

/// Watches somebody else's OpenSSL connection (an `SSL *` of libcurl's) for the other side's
/// close_notify: libcurl takes a connection that merely breaks off for an end. The caller holds the
/// result, which may outlive `ssl`. NULL if out of memory. One watcher for a connection; the last
/// one counts.
struct px_tls_end *px_tls_watch_end(void *ssl);

/// Ends the watch. NULL is allowed.
void px_tls_end_drop(struct px_tls_end *end);
