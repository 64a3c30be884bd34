// OpenSSL's view of a connection: it reads the ciphertext that just arrived and writes into the
// queue. Nothing is stored in between; OpenSSL itself keeps a record that is not complete.

#include <openssl/bio.h>
#include <pthread.h>

#include "conn.h"

static BIO_METHOD *method;

static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct px_conn *conn = BIO_get_data(bio);
    struct px_str part = { bytes, (size_t)len };
    BIO_clear_retry_flags(bio);
    return px_queue_add(&conn->cipher, &conn->net->pool, part) ? -1 : len;
}

static int bio_read(BIO *bio, char *out, int max)
{
    struct px_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!conn->span.len) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = conn->span.len < (size_t)max ? conn->span.len : (size_t)max;
    memcpy(out, conn->span.ptr, len);
    conn->span.ptr += len;
    conn->span.len -= len;
    return (int)len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    if (made) {
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_ctrl(made, bio_ctrl);
    }
    method = made;
}

BIO *px_conn_bio(struct px_conn *conn)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (bio) {
        BIO_set_data(bio, conn);
        BIO_set_init(bio, 1);
    }
    return bio;
}
