#pragma once

// A certificate made on the spot, and a TLS client on a blocking socket.

#include "net_test.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct cert_files {
    char cert[64], key[64];
};

/// Makes a self-signed certificate for `name` in temporary files.
static inline struct cert_files make_cert(const char *name)
{
    struct cert_files files = { "/tmp/px_cert_XXXXXX", "/tmp/px_key_XXXXXX" };
    FILE *cert_file = fdopen(mkstemp(files.cert), "w");
    FILE *key_file = fdopen(mkstemp(files.key), "w");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    assert_int_not_equal(X509_sign(cert, key, EVP_sha256()), 0);
    assert_int_equal(PEM_write_X509(cert_file, cert), 1);
    assert_int_equal(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(cert_file);
    fclose(key_file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return files;
}

static inline void remove_cert(const struct cert_files *files)
{
    unlink(files->cert);
    unlink(files->key);
}

/// Server settings with a fresh certificate for `name`.
static inline struct px_tls *make_tls(const char *name)
{
    struct cert_files files = make_cert(name);
    struct px_tls_conf conf = { files.cert, files.key };
    struct px_tls *tls = NULL;
    struct px_error err = { 0 };
    if (px_tls_new(&conf, &tls, &err)) {
        fail_msg("%s", err.text);
    }
    remove_cert(&files);
    return tls;
}

/// A client's connection; the handshake is not done yet.
static inline SSL *tls_client(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    return ssl;
}

/// The common name of the server's certificate.
static inline void server_name(SSL *ssl, char *out, int size)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, size);
    X509_free(cert);
}
