#pragma once

#include "fake.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

// Certificates made for the test, and fake servers that speak TLS.

/// A CA, and a key with a certificate of that CA.
struct pki {
    EVP_PKEY *ca_key, *key;
    X509 *ca, *cert;
    char ca_file[64];
};

FAKE void pki_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

/// Makes a certificate that was valid `days` long, ending in an hour, or an hour ago if negative.
FAKE X509 *pki_cert(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                    const char *alt, int days)
{
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -100 * 24 * 3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), days * 24 * 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    if (issuer) {
        pki_extend(cert, issuer, NID_subject_alt_name, alt);
    } else {
        pki_extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
        pki_extend(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

/// Makes a CA and a certificate for the names `alt` ("IP:127.0.0.1,DNS:localhost").
FAKE void pki_make(struct pki *pki, const char *alt, int days)
{
    pki->ca_key = EVP_EC_gen("P-256");
    pki->key = EVP_EC_gen("P-256");
    pki->ca = pki_cert("test CA", pki->ca_key, NULL, pki->ca_key, NULL, 10);
    pki->cert = pki_cert("test server", pki->key, pki->ca, pki->ca_key, alt, days);
    strcpy(pki->ca_file, "/tmp/px_ca_XXXXXX");
    int fd = mkstemp(pki->ca_file);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    PEM_write_X509(file, pki->ca);
    fclose(file);
}

FAKE void pki_free(struct pki *pki)
{
    unlink(pki->ca_file);
    X509_free(pki->ca);
    X509_free(pki->cert);
    EVP_PKEY_free(pki->ca_key);
    EVP_PKEY_free(pki->key);
}

/// How a TLS server is set up; `fake->user` points to one.
struct tls_server {
    SSL_CTX *ctx;
    void *user;
};

FAKE bool tls_shake(struct peer *peer)
{
    struct tls_server *server = peer->fake->user;
    SSL *ssl = SSL_new(server->ctx);
    SSL_set_fd(ssl, peer->fd);
    if (SSL_accept(ssl) != 1) {
        ERR_clear_error();
        SSL_free(ssl);
        return false;
    }
    peer->tls = ssl;
    return true;
}

FAKE ssize_t tls_recv(struct peer *peer, void *to, size_t len)
{
    int n = SSL_read(peer->tls, to, (int)len);
    ERR_clear_error();
    return n;
}

FAKE ssize_t tls_send(struct peer *peer, const void *from, size_t len)
{
    int n = SSL_write(peer->tls, from, (int)(len < 16384 ? len : 16384));
    ERR_clear_error();
    return n;
}

FAKE void tls_end(struct peer *peer, bool notify)
{
    if (notify) {
        SSL_shutdown(peer->tls);
    }
    SSL_free(peer->tls);
    peer->tls = NULL;
}

FAKE void fake_start_tls(struct fake *fake, struct tls_server *server, const struct pki *pki,
                         void (*serve)(struct peer *))
{
    signal(SIGPIPE, SIG_IGN);
    server->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server->ctx, pki->cert);
    SSL_CTX_use_PrivateKey(server->ctx, pki->key);
    fake->user = server;
    fake->shake = tls_shake;
    fake->recv = tls_recv;
    fake->send = tls_send;
    fake_start(fake, serve);
}

FAKE void fake_stop_tls(struct fake *fake, struct tls_server *server)
{
    fake_stop(fake);
    SSL_CTX_free(server->ctx);
}
