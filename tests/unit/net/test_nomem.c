// Every allocation of ours fails once: nothing crashes, nothing leaks, and the loop ends.

#include "tls_test.h"

#include "net.h"

static _Thread_local long until_failure = -1;  // Allocations of this thread that still succeed.
static _Thread_local bool failed;

static bool fails(void)
{
    if (until_failure < 0 || until_failure-- > 0) {
        return false;
    }
    failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __real_realloc(ptr, size);
}

struct visit {
    struct side *side;
    struct px_block *block;
    bool secure;
    SSL_CTX *ctx;
};

static void answer(struct side *side)
{
    struct visit *visit = side->user;
    char long_text[9000];
    memset(long_text, 'x', sizeof(long_text));
    px_conn_read(side->conn, false);
    if (px_conn_write(side->conn, (struct px_str){ long_text, sizeof(long_text) }) ||
        px_conn_write_block(side->conn, visit->block, px_block_str(visit->block))) {
        px_conn_close(side->conn, false);
        side->conn = NULL;
        return;
    }
    px_conn_flush(side->conn);
    px_conn_read(side->conn, true);
}

static void forget(struct side *side)
{
    px_conn_close(side->conn, true);
    side->conn = NULL;
}

static void close_listener(void *user)
{
    side_close(user, false);
}

static void talk(struct client *client, int fd)
{
    struct visit *visit = client->user;
    char part[4096] = "hello";
    if (visit->secure) {
        SSL *ssl = tls_client(visit->ctx, fd);
        if (SSL_connect(ssl) == 1 && SSL_write(ssl, part, 5) == 5) {
            SSL_shutdown(ssl);
            while (SSL_read(ssl, part, sizeof(part)) > 0) {
            }
        }
        ERR_clear_error();
        SSL_free(ssl);
    } else if (send_all(fd, part, 5)) {
        shutdown(fd, SHUT_WR);
        while (recv_all(fd, part, sizeof(part))) {
        }
    }
    assert_int_equal(px_post_sure(visit->side->loop, close_listener, visit->side), PX_OK);
}

/// One visit of a client, during which the allocation number `n` fails. False: there was none.
static bool survive(long n, struct px_tls *tls, SSL_CTX *ctx)
{
    failed = false;
    until_failure = n;
    struct side side = { .loop = px_loop_new(), .heard = answer, .over = forget };
    if (!side.loop) {
        until_failure = -1;
        return failed;
    }
    long left = until_failure;
    until_failure = -1;
    struct visit visit = { &side, px_block_new(3000), tls, ctx };
    memset(visit.block->ptr, 'y', 3000);
    visit.block->len = 3000;
    side.user = &visit;
    until_failure = left;
    struct px_listen_conf conf = { "127.0.0.1", 0, -1 };
    struct px_error err = { 0 };
    if (px_listener_new(side.loop, &conf, tls, side_accept, &side, &side.listener, &err)) {
        assert_int_equal(err.status, PX_ENOMEM);
    } else {
        struct client client = { .port = px_listener_port(side.listener),
                                 .run = talk,
                                 .user = &visit };
        pthread_create(&client.thread, NULL, run_client, &client);
        px_loop_keep(side.loop, true);
        alarm(60);
        while (side.listener || px_listener_connections(side.loop)) {
            struct px_timer turn = { .fn = stop_loop, .user = side.loop };
            left = until_failure;
            until_failure = -1;
            assert_int_equal(px_timer_start(side.loop, &turn, 5), PX_OK);
            until_failure = left;
            px_loop_run(side.loop);
            px_timer_stop(side.loop, &turn);
        }
        alarm(0);
        until_failure = -1;
        pthread_join(client.thread, NULL);
    }
    until_failure = -1;
    px_loop_free(side.loop);
    assert_int_equal(visit.block->refs, 1);
    px_block_drop(visit.block);
    return failed;
}

static void test_plain_connections_survive_each_failing_allocation(void **state)
{
    (void)state;
    long n = 0;
    while (survive(n, NULL, NULL)) {
        n++;
    }
    assert_true(n >= 6);
}

static void test_tls_connections_survive_each_failing_allocation(void **state)
{
    (void)state;
    struct px_tls *tls = make_tls("a");
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    long n = 0;
    while (survive(n, tls, ctx)) {
        n++;
    }
    assert_true(n >= 10);
    SSL_CTX_free(ctx);
    px_tls_drop(tls);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_connections_survive_each_failing_allocation),
        cmocka_unit_test(test_tls_connections_survive_each_failing_allocation),
    };
    return cmocka_run_group_tests_name("net/nomem", tests, NULL, NULL);
}
