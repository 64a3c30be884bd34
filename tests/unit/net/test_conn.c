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

struct client {
    pthread_t thread;
    int port;
    size_t size;
    bool good;
};

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

static void *run_echo_client(void *user)
{
    struct client *client = user;
    struct duplex duplex = { dial(client->port), client->size };
    pthread_t sender;
    pthread_create(&sender, NULL, send_pattern, &duplex);
    char part[30000];
    size_t at = 0, len;
    client->good = true;
    while ((len = recv_all(duplex.fd, part, sizeof(part)))) {
        for (size_t i = 0; i < len; i++) {
            client->good = client->good && part[i] == pattern(at + i);
        }
        at += len;
    }
    client->good = client->good && at == client->size;
    pthread_join(sender, NULL);
    close(duplex.fd);
    return NULL;
}

static void echo(size_t size, int clients, struct server *server)
{
    *server = (struct server){ .loop = px_loop_new(), .left = clients };
    server->listener = listen_any(server->loop, NULL, echo_accept, server);
    struct client list[8];
    for (int i = 0; i < clients; i++) {
        list[i] = (struct client){ .port = px_listener_port(server->listener), .size = size };
        pthread_create(&list[i].thread, NULL, run_echo_client, &list[i]);
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

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_in_goes_out_and_a_half_closed_client_gets_it_all),
        cmocka_unit_test(test_64_mib_go_through_under_the_marks),
    };
    return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
