#pragma once

#include <openssl/ssl.h>

#include "px/tls.h"

/// Borrowed.
SSL_CTX *px_tls_ctx(struct px_tls *tls);
