// Much data over TLS, reading turned off between records, and certificates changed underneath.

#include "tls_test.h"

// Sixteen clients read a long answer each.

#define PARALLEL 16
#define ANSWER_SIZE (4 << 20)

struct answer {
    struct px_conn *conn;
    struct parallel *all;
    size_t sent;
};

struct parallel {
    struct px_loop *loop;
    struct px_listener *listener;
    struct px_block *block;
    int left;
    size_t highest;
};

static void answer_gone(struct answer *answer, bool drain)
{
    px_conn_close(answer->conn, drain);
    if (--answer->all->left == 0) {
        px_listener_close(answer->all->listener);
    }
    free(answer);
}

static void answer_more(void *user)
{
    struct answer *answer = user;
    struct px_str all = px_block_str(answer->all->block);
    while (!px_conn_full(answer->conn)) {
        size_t left = all.len - answer->sent;
        if (!left) {
            answer_gone(answer, true);
            return;
        }
        // Odd sizes, small ones copied and large ones referred to.
        struct px_str part = { all.ptr + answer->sent, 1 + answer->sent % 20011 };
        part.len = part.len < left ? part.len : left;
        assert_int_equal(px_conn_write_block(answer->conn, answer->all->block, part), PX_OK);
        answer->sent += part.len;
        size_t queued = px_conn_queued(answer->conn);
        answer->all->highest = queued > answer->all->highest ? queued : answer->all->highest;
    }
}

static void answer_data(void *user, struct px_str bytes)
{
    (void)user, (void)bytes;
}

static void answer_end(void *user, enum px_status status)
{
    (void)status;
    answer_gone(user, false);
}

static void answer_accept(void *user, struct px_conn *conn)
{
    static const struct px_conn_fns fns = { answer_data, answer_end, answer_more };
    struct answer *answer = calloc(1, sizeof(*answer));
    answer->all = user;
    answer->conn = conn;
    px_conn_attach(conn, &fns, answer);
    answer_more(answer);
}

static void read_pattern(struct client *client, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = tls_client(ctx, fd);
    client->good = SSL_connect(ssl) == 1;
    char part[20000];
    for (int len; (len = SSL_read(ssl, part, sizeof(part))) > 0;) {
        for (int i = 0; i < len; i++) {
            client->good = client->good && part[i] == pattern(client->got + (size_t)i);
        }
        client->got += (size_t)len;
    }
    client->good = client->good && SSL_get_shutdown(ssl) == SSL_RECEIVED_SHUTDOWN;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void test_sixteen_clients_get_long_answers_at_once(void **state)
{
    (void)state;
    struct px_tls *tls = make_tls("a");
    struct parallel all = { .loop = px_loop_new(), .block = px_block_new(ANSWER_SIZE) };
    all.block->len = ANSWER_SIZE;
    for (size_t i = 0; i < ANSWER_SIZE; i++) {
        all.block->ptr[i] = pattern(i);
    }
    all.left = PARALLEL;
    all.listener = listen_any(all.loop, tls, answer_accept, &all);
    px_tls_drop(tls);
    struct client clients[PARALLEL];
    for (int i = 0; i < PARALLEL; i++) {
        clients[i] = (struct client){ .port = px_listener_port(all.listener), .run = read_pattern };
        pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
    }
    run_loop(all.loop);
    for (int i = 0; i < PARALLEL; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_true(clients[i].good);
        assert_int_equal(clients[i].got, ANSWER_SIZE);
    }
    assert_true(all.highest < 256 * 1024 + 20011 + 1024);
    assert_int_equal(all.block->refs, 1);
    px_block_drop(all.block);
    px_loop_free(all.loop);
}

// Reading is turned off after each piece, while more records wait decrypted by nobody.

struct sipper {
    struct side *side;
    struct px_timer timer;
    int sips;
    bool off;
};

static void sip_again(void *user)
{
    struct sipper *sipper = user;
    sipper->off = false;
    px_conn_read(sipper->side->conn, true);
}

static void sip(struct side *side)
{
    struct sipper *sipper = side->user;
    assert_false(sipper->off);
    sipper->side = side;
    sipper->sips++;
    sipper->off = true;
    px_conn_read(side->conn, false);
    sipper->timer = (struct px_timer){ .fn = sip_again, .user = sipper };
    assert_int_equal(px_timer_start(side->loop, &sipper->timer, 1), PX_OK);
}

static void send_records(struct client *client, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = tls_client(ctx, fd);
    char part[12];
    client->good = SSL_connect(ssl) == 1;
    for (int i = 0; i < 50; i++) {
        snprintf(part, sizeof(part), "%03d", i);
        client->good = client->good && SSL_write(ssl, part, 3) == 3;
    }
    SSL_shutdown(ssl);
    SSL_read(ssl, part, 1);  // Until the server has it all: closing now could make a reset.
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void test_reading_can_be_turned_off_between_records(void **state)
{
    (void)state;
    struct px_tls *tls = make_tls("a");
    struct sipper sipper = { 0 };
    struct side side = { .heard = sip, .user = &sipper };
    struct client client = { .run = send_records };
    serve(&side, tls, &client);
    px_tls_drop(tls);
    assert_true(client.good);
    assert_int_equal(sipper.sips, 50);
    assert_int_equal(side.len, 150);
    for (int i = 0; i < 50; i++) {
        char part[12];
        snprintf(part, sizeof(part), "%03d", i);
        assert_memory_equal(side.got + (ptrdiff_t)i * 3, part, 3);
    }
    assert_int_equal(side.status, PX_OK);
}

// A new certificate for new connections, while an old one goes on.

struct renewal {
    char first[8], second[8];
};

static void renew(struct side *side)
{
    if (side->opens == 1 && side->listener) {
        struct px_tls *tls = make_tls("second");
        px_listener_set_tls(side->listener, tls);
        px_tls_drop(tls);
        assert_int_equal(px_conn_write(side->conn, PX_STR("renewed")), PX_OK);
    }
}

static void connect_twice(struct client *client, int fd)
{
    struct renewal *renewal = client->user;
    char byte[8];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = tls_client(ctx, fd);
    client->good =
        SSL_connect(ssl) == 1 && SSL_write(ssl, "x", 1) == 1 && SSL_read(ssl, byte, 7) == 7;
    server_name(ssl, renewal->first, sizeof(renewal->first));

    int other_fd = dial(client->port);
    SSL *other = tls_client(ctx, other_fd);
    client->good = client->good && SSL_connect(other) == 1;
    server_name(other, renewal->second, sizeof(renewal->second));
    SSL_shutdown(other);
    SSL_free(other);
    close(other_fd);

    client->good = client->good && SSL_write(ssl, "y", 1) == 1;
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void keep_first(void *user, struct px_conn *conn)
{
    struct side *side = user;
    if (!side->opens) {
        side_accept(side, conn);
    } else {
        px_conn_close(conn, true);
    }
}

static void test_a_new_certificate_serves_new_connections_and_old_ones_go_on(void **state)
{
    (void)state;
    struct px_tls *tls = make_tls("first");
    struct renewal renewal = { 0 };
    struct side side = { .loop = px_loop_new(), .heard = renew, .user = &renewal };
    side.listener = listen_any(side.loop, tls, keep_first, &side);
    px_tls_drop(tls);
    struct client client = { .port = px_listener_port(side.listener),
                             .run = connect_twice,
                             .user = &renewal };
    pthread_create(&client.thread, NULL, run_client, &client);
    run_loop(side.loop);
    pthread_join(client.thread, NULL);
    px_loop_free(side.loop);
    assert_true(client.good);
    assert_string_equal(renewal.first, "first");
    assert_string_equal(renewal.second, "second");
    assert_int_equal(side.len, 2);
    assert_int_equal(side.status, PX_OK);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sixteen_clients_get_long_answers_at_once),
        cmocka_unit_test(test_reading_can_be_turned_off_between_records),
        cmocka_unit_test(test_a_new_certificate_serves_new_connections_and_old_ones_go_on),
    };
    return cmocka_run_group_tests_name("net/tls_stream", tests, NULL, NULL);
}
