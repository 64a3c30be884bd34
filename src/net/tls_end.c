#include <openssl/ssl.h>
#include <pthread.h>

#include "px/tls.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int slot = -1;

static void make_slot(void)
{
    slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static void on_info(const SSL *ssl, int where, int value)
{
    bool *ended = SSL_get_ex_data(ssl, slot);
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xff) == SSL_AD_CLOSE_NOTIFY) {
        *ended = true;
    }
}

enum px_status px_tls_watch_end(void *ssl, bool *ended)
{
    pthread_once(&once, make_slot);
    if (slot < 0 || SSL_set_ex_data(ssl, slot, ended) != 1) {
        return PX_ENOMEM;
    }
    SSL_set_info_callback(ssl, on_info);
    return PX_OK;
}
