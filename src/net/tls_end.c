#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

#include "px/tls.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int slot = -1;

/// OpenSSL frees a connection: its hold on the watch goes, too.
static void on_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long number,
                    void *user)
{
    (void)parent, (void)data, (void)index, (void)number, (void)user;
    px_tls_end_drop(ptr);
}

static void make_slot(void)
{
    slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_free);
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct px_tls_end *end = SSL_get_ex_data(ssl, slot);
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xff) == SSL_AD_CLOSE_NOTIFY) {
        end->seen = true;
    }
}

struct px_tls_end *px_tls_watch_end(void *ssl)
{
    pthread_once(&once, make_slot);
    struct px_tls_end *end = slot < 0 ? NULL : calloc(1, sizeof(*end));
    struct px_tls_end *last = end ? SSL_get_ex_data(ssl, slot) : NULL;
    if (!end || SSL_set_ex_data(ssl, slot, end) != 1) {
        free(end);
        return NULL;
    }
    px_tls_end_drop(last);
    end->refs = 2;
    SSL_set_info_callback(ssl, on_info);
    return end;
}

void px_tls_end_drop(struct px_tls_end *end)
{
    if (end && --end->refs == 0) {
        free(end);
    }
}
