#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct px_tls {
    atomic_uint refs;
    SSL_CTX *ctx;
};

static const unsigned char HTTP11[] = "http/1.1";
#define HTTP11_LEN (sizeof(HTTP11) - 1)

/// Chooses http/1.1, wherever it stands in the client's list, and nothing else.
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *list, unsigned len, void *user)
{
    (void)ssl, (void)user;
    for (unsigned at = 0; at < len; at += 1U + list[at]) {
        if (list[at] == HTTP11_LEN && len - at > HTTP11_LEN &&
            memcmp(list + at + 1, HTTP11, HTTP11_LEN) == 0) {
            *out = list + at + 1;
            *out_len = HTTP11_LEN;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// A server has nobody to ask.
static int no_passphrase(char *buf, int size, int writing, void *user)
{
    (void)buf, (void)size, (void)writing;
    *(bool *)user = true;
    return 0;
}

static enum px_status fail_ssl(struct px_error *err, const char *what, const char *hint)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    enum px_status st =
        px_fail(err, PX_EINVAL, "tls: %s: %s; %s", what, reason ? reason : strerror(errno), hint);
    ERR_clear_error();
    return st;
}

static enum px_status load(struct px_tls *tls, const struct px_tls_conf *conf, struct px_error *err)
{
    char what[160];
    bool asked = false;
    SSL_CTX_set_default_passwd_cb(tls->ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(tls->ctx, &asked);

    errno = 0;
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, conf->cert_file) != 1) {
        snprintf(what, sizeof(what), "certificate %s", conf->cert_file);
        return fail_ssl(err, what, "give a readable PEM file, the chain after the certificate");
    }
    if (SSL_CTX_use_PrivateKey_file(tls->ctx, conf->key_file, SSL_FILETYPE_PEM) != 1) {
        bool other = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
        snprintf(what, sizeof(what), "key %s", conf->key_file);
        return fail_ssl(err, what,
                        asked   ? "it has a passphrase: store it without one"
                        : other ? "it does not belong to the certificate"
                                : "give a readable PEM file with the certificate's private key");
    }
    SSL_CTX_set_default_passwd_cb_userdata(tls->ctx, NULL);
    return PX_OK;
}

enum px_status px_tls_new(const struct px_tls_conf *conf, struct px_tls **out, struct px_error *err)
{
    enum px_status st;
    ERR_clear_error();
    struct px_tls *tls = calloc(1, sizeof(*tls));
    if (!tls) {
        return px_fail(err, PX_ENOMEM, "tls: out of memory");
    }
    tls->refs = 1;
    tls->ctx = SSL_CTX_new(TLS_server_method());
    if (!tls->ctx) {
        st = fail_ssl(err, "OpenSSL", "is it installed properly?");
        goto fail;
    }
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);  // Tickets need no cache.
    SSL_CTX_set_num_tickets(tls->ctx, 1);
    SSL_CTX_set_alpn_select_cb(tls->ctx, select_alpn, NULL);
    st = load(tls, conf, err);
    if (st) {
        goto fail;
    }
    *out = tls;
    return PX_OK;

fail:
    px_tls_drop(tls);
    return st;
}

SSL_CTX *px_tls_ctx(struct px_tls *tls)
{
    return tls->ctx;
}

struct px_tls *px_tls_hold(struct px_tls *tls)
{
    atomic_fetch_add(&tls->refs, 1);
    return tls;
}

void px_tls_drop(struct px_tls *tls)
{
    if (tls && atomic_fetch_sub(&tls->refs, 1) == 1) {
        SSL_CTX_free(tls->ctx);
        free(tls);
    }
}

const char *px_tls_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}
