// TLS on a connection. Ciphertext is decrypted out of the loop's input buffer into the loop's plain
// buffer, one record at a time, so that an owner who turns reading off gets nothing more. Plain
// text waits in `out` and becomes records only when the socket is about to take them.

#include <openssl/err.h>

#include "conn.h"
#include "px/log.h"

#define CIPHER_AHEAD (64 * 1024)

enum px_status px_conn_shake(struct px_conn *conn, SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    BIO *bio = ssl ? px_conn_bio(conn) : NULL;
    if (!bio) {
        SSL_free(ssl);
        ERR_clear_error();
        return PX_ENOMEM;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    enum px_status st = px_timer_start(conn->loop, &conn->timer, px_net_limits.handshake_ms);
    if (st) {
        SSL_free(ssl);
        return st;
    }
    conn->ssl = ssl;
    conn->phase = PX_CONN_SHAKING;
    conn->released = true;
    px_conn_update_reading(conn);
    return PX_OK;
}

/// Text of the latest error of OpenSSL, which is cleared.
static const char *why(int error)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : error == SSL_ERROR_SYSCALL ? "the peer left" : "unknown";
}

/// One step of the handshake. True: it is done.
static bool shake(struct px_conn *conn)
{
    int rc = SSL_do_handshake(conn->ssl);
    if (rc == 1) {
        px_listener_hand_over(conn);
        return true;
    }
    int error = SSL_get_error(conn->ssl, rc);
    if (error == SSL_ERROR_WANT_READ) {
        return false;
    }
    px_log(PX_LOG_DEBUG, "tls", "%s: handshake failed: %s", conn->peer, why(error));
    conn->said_bye = true;  // The alert is queued already, if there is one.
    conn->span.len = 0;
    px_conn_drain(conn);
    return false;
}

/// Reads one record. False: there is no more to read now.
static bool read_record(struct px_conn *conn)
{
    if (conn->phase != PX_CONN_OPEN || conn->ended || !conn->fns || !conn->reading) {
        return false;
    }
    size_t len;
    int rc = SSL_read_ex(conn->ssl, conn->net->plain, sizeof(conn->net->plain), &len);
    if (rc == 1) {
        px_conn_deliver(conn, (struct px_str){ conn->net->plain, len });
        return true;
    }
    int error = SSL_get_error(conn->ssl, rc);
    if (error == SSL_ERROR_ZERO_RETURN) {
        px_conn_ended(conn, PX_OK);
    } else if (error != SSL_ERROR_WANT_READ) {
        px_log(PX_LOG_DEBUG, "tls", "%s: %s", conn->peer, why(error));
        px_conn_break(conn, PX_EIO);
    }
    return false;
}

static void read_span(struct px_conn *conn)
{
    ERR_clear_error();
    bool more = true;
    while (more) {
        more = conn->phase == PX_CONN_SHAKING ? shake(conn) : read_record(conn);
    }
    if (conn->phase != PX_CONN_OPEN || conn->ended) {
        conn->span.len = 0;
    }
    if (conn->cipher.bytes) {
        px_net_mark(conn);
    }
}

void px_conn_decrypt(struct px_conn *conn, struct px_str bytes)
{
    conn->span = bytes;
    read_span(conn);
    if (conn->span.len) {
        conn->rest = px_block_copy(conn->span);
        conn->rest_at = 0;
        conn->span.len = 0;
        if (!conn->rest) {
            px_conn_break(conn, PX_ENOMEM);
            return;
        }
        px_conn_update_reading(conn);
    }
}

void px_conn_decrypt_rest(struct px_conn *conn)
{
    struct px_block *rest = px_block_hold(conn->rest);
    conn->span.ptr = rest->ptr + conn->rest_at;
    conn->span.len = rest->len - conn->rest_at;
    read_span(conn);
    if (conn->rest && !conn->span.len) {
        px_block_drop(conn->rest);
        conn->rest = NULL;
        px_conn_update_reading(conn);
    }
    conn->rest_at = rest->len - conn->span.len;
    conn->span.len = 0;
    px_block_drop(rest);
}

void px_conn_encrypt(struct px_conn *conn)
{
    while (conn->out.bytes && conn->cipher.bytes < CIPHER_AHEAD) {
        uv_buf_t buf;
        size_t len = PX_RECORD_SIZE, done;
        px_queue_peek(&conn->out, &buf, 1, &len);
        if (len < PX_RECORD_SIZE && len < conn->out.bytes) {
            len = px_queue_copy(&conn->out, conn->net->gather, PX_RECORD_SIZE);
            buf.base = conn->net->gather;
        }
        ERR_clear_error();
        if (SSL_write_ex(conn->ssl, buf.base, len, &done) != 1) {
            ERR_clear_error();
            px_conn_break(conn, PX_EIO);
            return;
        }
        px_queue_drop(&conn->out, &conn->net->pool, done);
    }
}

void px_conn_bye(struct px_conn *conn)
{
    conn->said_bye = true;
    ERR_clear_error();
    SSL_shutdown(conn->ssl);
    ERR_clear_error();
}
