// Connections that are opened and then only held, for measuring what one of them costs.

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "load.h"
#include "sock.h"

struct held {
    int fd;
    SSL *ssl;
};

static void start_tls(struct held *held, SSL_CTX *ctx)
{
    held->ssl = SSL_new(ctx);
    if (!held->ssl || !SSL_set_fd(held->ssl, held->fd) || SSL_connect(held->ssl) != 1) {
        bench_die("no TLS connection");
    }
}

static void send_all(struct held *held, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = held->ssl ? SSL_write(held->ssl, bytes, (int)len)
                              : send(held->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            bench_die("cannot send: %s", strerror(errno));
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static bool exchange(struct held *held, const struct bench_load *load, bool open)
{
    static char scratch[64 * 1024];
    static struct bench_reply reply;
    bench_reply_start(&reply);
    send_all(held, load->request, load->request_len);
    while (reply.state != BENCH_DONE && reply.state != BENCH_BAD && !(open && reply.marks)) {
        ssize_t n = held->ssl ? SSL_read(held->ssl, scratch, sizeof(scratch))
                              : recv(held->fd, scratch, sizeof(scratch), 0);
        if (n <= 0) {
            bench_die("no answer: %s", strerror(errno));
        }
        bench_reply_feed(&reply, scratch, (size_t)n);
    }
    if (open ? reply.status == 200 && reply.marks == 1 && reply.state != BENCH_DONE
             : bench_reply_right(&reply, load->marks, load->end)) {
        return true;
    }
    bench_complain(&reply, load);
    return false;
}

long bench_hold(const struct bench_load *load, bool open)
{
    long wrong = 0;
    struct held *all = calloc((size_t)load->connections, sizeof(*all));
    SSL_CTX *ctx = load->tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (!all || (load->tls && !ctx)) {
        bench_die("no memory");
    }
    for (long i = 0; i < load->connections; i++) {
        struct timeval patience = { .tv_sec = 20 };
        all[i].fd = bench_connect(load->ports[0], true);
        setsockopt(all[i].fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (load->tls) {
            start_tls(&all[i], ctx);
        }
        wrong += !exchange(&all[i], load, open);
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    for (long i = 0; i < load->connections; i++) {
        SSL_free(all[i].ssl);
        close(all[i].fd);
    }
    SSL_CTX_free(ctx);
    free(all);
    return wrong;
}
