// How connections end.

#include "net_test.h"

#include <netinet/tcp.h>

#include "conn.h"
#include "net.h"

static void reset_socket(int fd)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void send_and_reset(struct client *client, int fd)
{
    char answer[2];
    client->good = send_all(fd, "x", 1) && recv_all(fd, answer, 1) == 1;
    reset_socket(fd);
}

static void answer_byte(struct side *side)
{
    assert_int_equal(px_conn_write(side->conn, PX_STR("y")), PX_OK);
}

static void test_a_reset_ends_in_failure_once(void **state)
{
    (void)state;
    struct side side = { .heard = answer_byte };
    struct client client = { .run = send_and_reset };
    serve(&side, NULL, &client);
    assert_true(client.good);
    assert_int_equal(side.ends, 1);
    assert_int_equal(side.status, PX_EIO);
}

// A stream that goes on although its reader is gone.

struct stream {
    struct side *side;
    struct px_timer timer;
    struct px_block *block;
    enum px_status st;
};

static void stream_more(void *user)
{
    struct stream *stream = user;
    stream->st =
        px_conn_write_block(stream->side->conn, stream->block, px_block_str(stream->block));
    if (stream->st) {
        side_close(stream->side, false);
    } else {
        assert_int_equal(px_timer_start(stream->side->loop, &stream->timer, 1), PX_OK);
    }
}

static void start_stream(struct side *side)
{
    struct stream *stream = side->user;
    stream->side = side;
    stream->timer = (struct px_timer){ .fn = stream_more, .user = stream };
    stream_more(stream);
}

static void keep_streaming(struct side *side)
{
    assert_non_null(side->conn);
}

static void read_a_bit_and_leave(struct client *client, int fd)
{
    char part[100];
    client->got = recv_all(fd, part, sizeof(part));
}

static void test_a_reader_that_leaves_is_noticed_and_writing_fails_from_then_on(void **state)
{
    (void)state;
    struct stream stream = { .block = px_block_new(100000) };
    memset(stream.block->ptr, 'x', 100000);
    stream.block->len = 100000;
    struct side side = { .opened = start_stream, .over = keep_streaming, .user = &stream };
    struct client client = { .run = read_a_bit_and_leave };
    serve(&side, NULL, &client);
    assert_int_equal(side.ends, 1);
    assert_int_equal(stream.st, PX_EIO);
    assert_int_equal(stream.block->refs, 1);
    px_block_drop(stream.block);
}

// A client that ended its side properly, and resets while the answer is on its way.

static void fill_and_stay(struct side *side)
{
    static char part[100000];
    while (!px_conn_full(side->conn)) {
        assert_int_equal(px_conn_write(side->conn, (struct px_str){ part, sizeof(part) }), PX_OK);
    }
}

static void write_into_it(struct side *side)
{
    if (px_conn_write(side->conn, PX_STR("more"))) {
        side_close(side, false);
    } else {
        fill_and_stay(side);
    }
}

static void tell_client(struct side *side)
{
    send_all(((int *)side->user)[1], "x", 1);
}

static void half_close_and_reset(struct client *client, int fd)
{
    char byte;
    shutdown(fd, SHUT_WR);
    client->good = recv_all(((int *)client->user)[0], &byte, 1) == 1;  // It has seen the end.
    reset_socket(fd);
}

static void test_who_waits_for_room_hears_of_a_reset_after_a_proper_end(void **state)
{
    (void)state;
    int told[2];
    assert_int_equal(pipe(told), 0);
    struct side side = {
        .opened = fill_and_stay, .over = tell_client, .room = write_into_it, .user = told
    };
    struct client client = { .run = half_close_and_reset, .user = told };
    serve(&side, NULL, &client);
    close(told[0]);
    close(told[1]);
    assert_true(client.good);
    assert_int_equal(side.status, PX_OK);
    assert_int_equal(side.ends, 1);
    assert_true(side.drains >= 1);
}

// Closing with `drain`.

#define BIG (4 << 20)

static void answer_and_close(struct side *side)
{
    char *big = malloc(BIG);
    for (size_t i = 0; i < BIG; i++) {
        big[i] = pattern(i);
    }
    assert_int_equal(px_conn_write(side->conn, (struct px_str){ big, BIG }), PX_OK);
    free(big);
    side_close(side, true);
}

static void send_much_then_read(struct client *client, int fd)
{
    char part[30000] = "";
    client->good = send_all(fd, part, sizeof(part)) && send_all(fd, part, sizeof(part));
    for (size_t len; (len = recv_all(fd, part, sizeof(part)));) {
        for (size_t i = 0; i < len; i++) {
            client->good = client->good && part[i] == pattern(client->got + i);
        }
        client->got += len;
    }
}

static void test_closing_with_drain_delivers_all_though_the_peer_was_not_read(void **state)
{
    (void)state;
    struct side side = { .opened = answer_and_close };
    struct client client = { .run = send_much_then_read };
    serve(&side, NULL, &client);
    assert_int_equal(client.got, BIG);
    assert_true(client.good);
    assert_int_equal(side.ends, 0);
}

static void cut(struct side *side)
{
    assert_int_equal(px_conn_write(side->conn, PX_STR("never sent")), PX_OK);
    side_close(side, false);
}

static void test_closing_without_drain_cuts(void **state)
{
    (void)state;
    struct side side = { .opened = cut };
    struct client client = { .run = read_a_bit_and_leave };
    serve(&side, NULL, &client);
    assert_int_equal(client.got, 0);
}

static void wait_without_reading(struct client *client, int fd)
{
    // The server's end is the only way for this to go on: writing fails after the cut.
    char byte = 0;
    while (send_all(fd, &byte, 1)) {
        usleep(1000);
    }
    client->good = true;
}

static void test_a_peer_that_does_not_read_does_not_hold_a_drain_for_long(void **state)
{
    (void)state;
    px_net_limits.drain_ms = 50;
    struct side side = { .opened = answer_and_close };
    struct client client = { .run = wait_without_reading };
    serve(&side, NULL, &client);
    px_net_limits.drain_ms = 10000;
    assert_true(client.good);
}

static void bye(struct side *side)
{
    assert_int_equal(px_conn_write(side->conn, PX_STR("bye")), PX_OK);
    side_close(side, true);
}

static void test_a_peer_that_stays_does_not_linger_for_long(void **state)
{
    (void)state;
    px_net_limits.linger_ms = 30;
    struct side side = { .opened = bye };
    struct client client = { .run = wait_without_reading };
    serve(&side, NULL, &client);
    px_net_limits.linger_ms = 2000;
    assert_true(client.good);
}

static void pour(struct client *client, int fd)
{
    char part[50000] = "";
    client->good = recv_all(fd, part, 3) == 3;
    while (send_all(fd, part, sizeof(part))) {
        client->got += sizeof(part);
    }
}

static void test_a_peer_that_pours_is_cut_while_lingering(void **state)
{
    (void)state;
    px_net_limits.linger_ms = 60000;
    px_net_limits.drain_ms = 60000;
    struct side side = { .opened = bye };
    struct client client = { .run = pour };
    serve(&side, NULL, &client);
    px_net_limits.linger_ms = 2000;
    px_net_limits.drain_ms = 10000;
    assert_true(client.good);
}

// Closing from inside each callback.

static void close_in_callback(struct side *side)
{
    side_close(side, false);
}

static void send_and_leave(struct client *client, int fd)
{
    client->good = send_all(fd, "abc", 3);
}

static void send_and_wait(struct client *client, int fd)
{
    client->good = send_all(fd, "abc", 3);
    char byte;
    recv_all(fd, &byte, 1);
}

static void fill_up(struct side *side)
{
    while (!px_conn_full(side->conn)) {
        assert_int_equal(px_conn_write(side->conn, PX_STR("0123456789")), PX_OK);
    }
}

static void read_everything(struct client *client, int fd)
{
    char part[10000];
    for (size_t len; (len = recv_all(fd, part, sizeof(part)));) {
        client->got += len;
    }
}

static void test_a_connection_can_be_closed_inside_each_callback(void **state)
{
    (void)state;
    struct side heard = { .heard = close_in_callback };
    struct client client = { .run = send_and_wait };
    serve(&heard, NULL, &client);

    struct side over = { .over = close_in_callback };
    client = (struct client){ .run = send_and_leave };
    serve(&over, NULL, &client);

    struct side room = { .opened = fill_up, .room = close_in_callback };
    client = (struct client){ .run = read_everything };
    serve(&room, NULL, &client);
    assert_int_equal(room.drains, 1);
}

static void check_nodelay(struct side *side)
{
    int on = 0;
    socklen_t len = sizeof(on);
    uv_os_fd_t fd;
    assert_int_equal(uv_fileno((uv_handle_t *)&side->conn->tcp, &fd), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on);
    side_close(side, true);
}

static void test_accepted_sockets_do_not_delay(void **state)
{
    (void)state;
    struct side side = { .opened = check_nodelay };
    struct client client = { .run = read_everything };
    serve(&side, NULL, &client);
}

static void drain_and_stop(struct side *side)
{
    px_conn_close(side->conn, true);
    side->conn = NULL;
    px_loop_stop(side->loop);
}

static void test_a_loop_can_be_freed_while_connections_drain(void **state)
{
    (void)state;
    struct side side = { .loop = px_loop_new(), .opened = drain_and_stop };
    side.listener = listen_any(side.loop, NULL, side_accept, &side);
    struct client client = { .port = px_listener_port(side.listener), .run = read_everything };
    pthread_create(&client.thread, NULL, run_client, &client);
    run_loop(side.loop);
    assert_int_equal(px_listener_connections(side.loop), 1);
    px_listener_close(side.listener);
    px_loop_free(side.loop);
    pthread_join(client.thread, NULL);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_ends_in_failure_once),
        cmocka_unit_test(test_a_reader_that_leaves_is_noticed_and_writing_fails_from_then_on),
        cmocka_unit_test(test_who_waits_for_room_hears_of_a_reset_after_a_proper_end),
        cmocka_unit_test(test_closing_with_drain_delivers_all_though_the_peer_was_not_read),
        cmocka_unit_test(test_closing_without_drain_cuts),
        cmocka_unit_test(test_a_peer_that_does_not_read_does_not_hold_a_drain_for_long),
        cmocka_unit_test(test_a_peer_that_stays_does_not_linger_for_long),
        cmocka_unit_test(test_a_peer_that_pours_is_cut_while_lingering),
        cmocka_unit_test(test_a_connection_can_be_closed_inside_each_callback),
        cmocka_unit_test(test_accepted_sockets_do_not_delay),
        cmocka_unit_test(test_a_loop_can_be_freed_while_connections_drain),
    };
    return cmocka_run_group_tests_name("net/conn_close", tests, NULL, NULL);
}
