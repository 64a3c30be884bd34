#include "net_test.h"

// A server that echoes, on the loop of the test; clients block on threads of their own.

struct server;

struct peer {
    struct server *server;
    struct px_conn *conn;
};

struct server {
    struct px_loop *loop;
    struct px_listener *listener;
    int left;  ///< Connections until the loop is stopped.
    enum px_status end;
    size_t got;
    int drains;
    bool close_when_ended;
};

static void gone(struct peer *peer, bool drain)
{
    struct server *server = peer->server;
    px_conn_close(peer->conn, drain);
    free(peer);
    if (--server->left == 0) {
        px_listener_close(server->listener);
        server->listener = NULL;
    }
}

static void echo_data(void *user, struct px_str bytes)
{
    struct peer *peer = user;
    peer->server->got += bytes.len;
    assert_int_equal(px_conn_write(peer->conn, bytes), PX_OK);
    if (px_conn_full(peer->conn)) {
        px_conn_read(peer->conn, false);
    }
}

static void echo_end(void *user, enum px_status status)
{
    struct peer *peer = user;
    peer->server->end = status;
    gone(peer, status == PX_OK);
}

static void echo_drain(void *user)
{
    struct peer *peer = user;
    peer->server->drains++;
    assert_false(px_conn_full(peer->conn));
    assert_true(px_conn_queued(peer->conn) < 64 * 1024);
    px_conn_read(peer->conn, true);
}

static const struct px_conn_fns echo_fns = { echo_data, echo_end, echo_drain };

static void echo_accept(void *user, struct px_conn *conn)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    peer->server = user;
    peer->conn = conn;
    assert_memory_equal(px_conn_peer(conn), "127.0.0.1:", 10);
    px_conn_attach(conn, &echo_fns, peer);
}

struct duplex {
    int fd;
    size_t size;
};

static void *send_pattern(void *user)
{
    struct duplex *duplex = user;
    char part[50000];
    for (size_t at = 0; at < duplex->size;) {
        size_t len = duplex->size - at < sizeof(part) ? duplex->size - at : sizeof(part);
        for (size_t i = 0; i < len; i++) {
            part[i] = pattern(at + i);
        }
        if (!send_all(duplex->fd, part, len)) {
            break;
        }
        at += len;
    }
    shutdown(duplex->fd, SHUT_WR);
    return NULL;
}

/// Sends a pattern of `client->user` bytes and checks that all of it comes back.
static void run_echo(struct client *client, int fd)
{
    size_t size = *(size_t *)client->user;
    struct duplex duplex = { fd, size };
    pthread_t sender;
    pthread_create(&sender, NULL, send_pattern, &duplex);
    char part[30000];
    size_t at = 0, len;
    client->good = true;
    while ((len = recv_all(fd, part, sizeof(part)))) {
        for (size_t i = 0; i < len; i++) {
            client->good = client->good && part[i] == pattern(at + i);
        }
        at += len;
    }
    client->good = client->good && at == size;
    pthread_join(sender, NULL);
}

static void echo(size_t size, int clients, struct server *server)
{
    *server = (struct server){ .loop = px_loop_new(), .left = clients };
    server->listener = listen_any(server->loop, NULL, echo_accept, server);
    struct client list[8];
    for (int i = 0; i < clients; i++) {
        list[i] = (struct client){ .port = px_listener_port(server->listener),
                                   .run = run_echo,
                                   .user = &size };
        pthread_create(&list[i].thread, NULL, run_client, &list[i]);
    }
    run_loop(server->loop);
    for (int i = 0; i < clients; i++) {
        pthread_join(list[i].thread, NULL);
        assert_true(list[i].good);
    }
    assert_int_equal(px_listener_connections(server->loop), 0);
    px_loop_free(server->loop);
}

static void test_what_comes_in_goes_out_and_a_half_closed_client_gets_it_all(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 4063, 4096, 65536, 1000003 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct server server;
        echo(sizes[i], 3, &server);
        assert_int_equal(server.end, PX_OK);
        assert_int_equal(server.got, 3 * sizes[i]);
    }
}

static void test_64_mib_go_through_under_the_marks(void **state)
{
    (void)state;
    struct server server;
    echo(64 << 20, 1, &server);
    assert_int_equal(server.end, PX_OK);
    assert_int_equal(server.got, 64 << 20);
}

// A producer that obeys the marks, and a client that begins to read when the queue is full.

struct producer {
    struct px_block *block;
    size_t left, highest;
    int pipe[2];
    bool told;
};

static void produce(struct side *side)
{
    struct producer *producer = side->user;
    struct px_str part = px_block_str(producer->block);
    while (producer->left && !px_conn_full(side->conn)) {
        assert_int_equal(px_conn_write_block(side->conn, producer->block, part), PX_OK);
        producer->left -= part.len;
        if (px_conn_queued(side->conn) > producer->highest) {
            producer->highest = px_conn_queued(side->conn);
        }
    }
    if (!producer->left) {
        side_close(side, true);
    } else if (!producer->told) {
        px_conn_flush(side->conn);
        producer->told = px_conn_full(side->conn);  // The socket takes no more.
        send_all(producer->pipe[1], "x", producer->told);
    }
}

static void read_when_told(struct client *client, int fd)
{
    struct producer *producer = client->user;
    char part[40000];
    recv_all(producer->pipe[0], part, 1);
    for (size_t len; (len = recv_all(fd, part, sizeof(part)));) {
        client->got += len;
    }
}

static void test_a_producer_that_obeys_the_marks_fills_no_memory(void **state)
{
    (void)state;
    struct producer producer = { .block = px_block_new(32 * 1024), .left = 64 << 20 };
    memset(producer.block->ptr, 'x', 32 * 1024);
    producer.block->len = 32 * 1024;
    assert_int_equal(pipe(producer.pipe), 0);
    struct side side = { .opened = produce, .room = produce, .user = &producer };
    struct client client = { .run = read_when_told, .user = &producer };
    serve(&side, NULL, &client);
    assert_int_equal(client.got, 64 << 20);
    assert_true(side.drains > 1);
    assert_true(producer.highest < (256 + 32) * 1024);
    assert_int_equal(producer.block->refs, 1);
    px_block_drop(producer.block);
    close(producer.pipe[0]);
    close(producer.pipe[1]);
}

static void write_twice(struct side *side)
{
    assert_int_equal(px_conn_write(side->conn, PX_STR("head ")), PX_OK);
    assert_int_equal(px_conn_write(side->conn, PX_STR("event")), PX_OK);
    assert_int_equal(px_conn_queued(side->conn), 10);
    px_conn_flush(side->conn);
    assert_int_equal(px_conn_queued(side->conn), 0);
    assert_int_equal(px_conn_write(side->conn, PX_STR(".")), PX_OK);
}

static void read_answer(struct client *client, int fd)
{
    char answer[64];
    client->got = recv_all(fd, answer, 11);
    client->good = memcmp(answer, "head event.", 11) == 0;
}

static void test_bytes_wait_for_the_top_of_the_loop_or_a_flush(void **state)
{
    (void)state;
    struct side side = { .opened = write_twice };
    struct client client = { .run = read_answer };
    serve(&side, NULL, &client);
    assert_int_equal(client.got, 11);
    assert_true(client.good);
    assert_int_equal(side.status, PX_OK);
}

static void write_much(struct side *side)
{
    struct px_block *block = side->user;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(px_conn_write_block(side->conn, block, px_block_str(block)), PX_OK);
        px_conn_flush(side->conn);
        assert_true(px_conn_queued(side->conn) >= (size_t)(i + 1) * (2 << 20));
    }
    side_close(side, true);
}

static void count_bytes(struct client *client, int fd)
{
    char part[40000];
    for (size_t len; (len = recv_all(fd, part, sizeof(part)));) {
        client->got += len;
    }
}

static void test_a_connection_sends_a_mebibyte_and_then_others_have_their_turn(void **state)
{
    (void)state;
    struct px_block *block = px_block_new(3 << 20);
    memset(block->ptr, 'x', 3 << 20);
    block->len = 3 << 20;
    struct side side = { .opened = write_much, .user = block };
    struct client client = { .run = count_bytes };
    serve(&side, NULL, &client);
    assert_int_equal(client.got, 9 << 20);
    px_block_drop(block);
}

struct pauser {
    struct side *side;
    struct px_timer timer;
    size_t before;
};

static void read_again(void *user)
{
    struct pauser *pauser = user;
    pauser->before = pauser->side->len;
    px_conn_read(pauser->side->conn, true);
}

static void pause_reading(struct side *side)
{
    struct pauser *pauser = side->user;
    pauser->side = side;
    pauser->timer = (struct px_timer){ .fn = read_again, .user = pauser };
    px_conn_read(side->conn, false);
    assert_int_equal(px_timer_start(side->loop, &pauser->timer, 50), PX_OK);
}

static void send_hello(struct client *client, int fd)
{
    client->good = send_all(fd, "hello", 5);
}

static void test_nothing_comes_while_reading_is_off(void **state)
{
    (void)state;
    struct pauser pauser = { 0 };
    struct side side = { .opened = pause_reading, .user = &pauser };
    struct client client = { .run = send_hello };
    serve(&side, NULL, &client);
    assert_int_equal(pauser.before, 0);
    assert_int_equal(side.len, 5);
    assert_memory_equal(side.got, "hello", 5);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_in_goes_out_and_a_half_closed_client_gets_it_all),
        cmocka_unit_test(test_64_mib_go_through_under_the_marks),
        cmocka_unit_test(test_a_producer_that_obeys_the_marks_fills_no_memory),
        cmocka_unit_test(test_bytes_wait_for_the_top_of_the_loop_or_a_flush),
        cmocka_unit_test(test_a_connection_sends_a_mebibyte_and_then_others_have_their_turn),
        cmocka_unit_test(test_nothing_comes_while_reading_is_off),
    };
    return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
