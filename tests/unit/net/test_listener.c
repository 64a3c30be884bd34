#include "net_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "net.h"
#include "px/clock.h"
#include "px/log.h"

static void read_end(struct client *client, int fd)
{
    char part[64];
    client->got = recv_all(fd, part, sizeof(part));
    client->good = client->got == 2 && memcmp(part, "hi", 2) == 0;
}

static void say_hi(struct side *side)
{
    assert_int_equal(px_conn_write(side->conn, PX_STR("hi")), PX_OK);
    side_close(side, true);
}

static void test_a_port_in_use_is_found_by_the_probe(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    struct px_listener *listener = listen_any(loop, NULL, side_accept, NULL);
    struct px_listen_conf conf = { "127.0.0.1", px_listener_port(listener), -1 };
    struct px_error err = { 0 };
    assert_int_equal(px_listener_probe(&conf, &err), PX_EIO);
    char says[200];
    snprintf(says, sizeof(says),
             "listen 127.0.0.1:%d: the port is in use by another process; stop it or choose "
             "another with --port",
             conf.port);
    assert_string_equal(err.text, says);

    // A second worker shares the port all the same.
    struct px_listener *second = NULL;
    assert_int_equal(px_listener_new(loop, &conf, NULL, side_accept, NULL, &second, &err), PX_OK);
    assert_int_equal(px_listener_port(second), conf.port);
    px_listener_close(second);
    px_listener_close(listener);
    px_loop_run(loop);
    assert_int_equal(px_listener_probe(&conf, &err), PX_OK);
    px_loop_free(loop);
}

static void test_bad_addresses_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        struct px_listen_conf conf;
        const char *says;
    } cases[] = {
        { { "localhost", 3000, -1 }, "numeric" },
        { { "", 3000, -1 }, "numeric" },
        { { "300.0.0.1", 3000, -1 }, "numeric" },
        { { "127.0.0.1", 65536, -1 }, "65535" },
        { { "127.0.0.1", -1, -1 }, "65535" },
        { { "192.0.2.1", 3000, -1 }, "does not have the address" },
        { { "127.0.0.1", 3000, 999 }, "descriptor 999" },
        { { "127.0.0.1", 3000, 0 }, "descriptor 0" },
    };
    struct px_loop *loop = px_loop_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_listener *listener = NULL;
        struct px_error err = { 0 };
        assert_int_not_equal(
            px_listener_new(loop, &cases[i].conf, NULL, side_accept, NULL, &listener, &err), PX_OK);
        assert_null(listener);
        if (!strstr(err.text, cases[i].says)) {
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
        }
    }
    px_loop_free(loop);
}

static void test_ipv6_listens_for_itself_alone(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    struct px_listen_conf conf = { "::", 0, -1 };
    struct px_listener *six = NULL, *four = NULL;
    struct px_error err = { 0 };
    if (px_listener_new(loop, &conf, NULL, side_accept, NULL, &six, &err)) {
        px_loop_free(loop);
        skip();  // No IPv6 here.
    }
    conf = (struct px_listen_conf){ "0.0.0.0", px_listener_port(six), -1 };
    assert_int_equal(px_listener_probe(&conf, &err), PX_OK);
    assert_int_equal(px_listener_new(loop, &conf, NULL, side_accept, NULL, &four, &err), PX_OK);
    conf.address = "::";
    assert_int_equal(px_listener_probe(&conf, &err), PX_EIO);
    assert_non_null(strstr(err.text, "listen [::]:"));
    px_listener_close(six);
    px_listener_close(four);
    px_loop_free(loop);
}

static void note_peer(struct side *side)
{
    snprintf(side->got, sizeof(side->got), "%s", px_conn_peer(side->conn));
    say_hi(side);
}

static void test_a_peer_of_ipv6_is_named_in_brackets(void **state)
{
    (void)state;
    struct side side = { .loop = px_loop_new(), .opened = note_peer };
    struct px_listen_conf conf = { "::1", 0, -1 };
    struct px_error err = { 0 };
    if (px_listener_new(side.loop, &conf, NULL, side_accept, &side, &side.listener, &err)) {
        px_loop_free(side.loop);
        skip();  // No IPv6 here.
    }
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 addr = { .sin6_family = AF_INET6,
                                 .sin6_port = htons((uint16_t)px_listener_port(side.listener)),
                                 .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    shutdown(fd, SHUT_WR);
    run_loop(side.loop);
    socklen_t len = sizeof(addr);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    char name[64];
    snprintf(name, sizeof(name), "[::1]:%u", ntohs(addr.sin6_port));
    assert_string_equal(side.got, name);
    close(fd);
    px_loop_free(side.loop);
}

static void test_an_inherited_socket_is_served_and_left_open(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = { .sin_family = AF_INET };
    inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 16), 0);

    struct side side = { .loop = px_loop_new(), .opened = say_hi };
    struct px_listen_conf conf = { "127.0.0.1", 1, fd };
    struct px_error err = { 0 };
    assert_int_equal(px_listener_probe(&conf, &err), PX_OK);
    assert_int_equal(
        px_listener_new(side.loop, &conf, NULL, side_accept, &side, &side.listener, &err), PX_OK);
    struct client client = { .port = px_listener_port(side.listener), .run = read_end };
    pthread_create(&client.thread, NULL, run_client, &client);
    run_loop(side.loop);
    pthread_join(client.thread, NULL);
    assert_true(client.good);
    px_loop_free(side.loop);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

struct pause {
    struct side *side;
    struct px_timer timer;
    int opens;
};

static void resume(void *user)
{
    struct pause *pause = user;
    pause->opens = pause->side->opens;
    px_listener_accept(pause->side->listener, true);
}

static void test_a_paused_listener_lets_clients_wait(void **state)
{
    (void)state;
    struct side side = { .loop = px_loop_new(), .opened = say_hi };
    struct pause pause = { .side = &side, .timer = { .fn = resume, .user = &pause }, .opens = -1 };
    side.listener = listen_any(side.loop, NULL, side_accept, &side);
    px_listener_accept(side.listener, false);
    px_listener_accept(side.listener, false);
    assert_int_equal(px_timer_start(side.loop, &pause.timer, 50), PX_OK);
    struct client client = { .port = px_listener_port(side.listener), .run = read_end };
    pthread_create(&client.thread, NULL, run_client, &client);
    run_loop(side.loop);
    pthread_join(client.thread, NULL);
    assert_int_equal(pause.opens, 0);
    assert_true(client.good);
    px_loop_free(side.loop);
}

// Descriptors run out.

struct shortage {
    struct side *side;
    struct px_timer timer;
    int log[2];
    struct rlimit limit;
    uint64_t cpu;
    uint64_t beats;
};

static void end_shortage(void *user)
{
    struct shortage *shortage = user;
    shortage->cpu = px_clock_cpu_ns() - shortage->cpu;
    shortage->beats = px_loop_beats(shortage->side->loop) - shortage->beats;
    setrlimit(RLIMIT_NOFILE, &shortage->limit);
}

static void test_a_shortage_of_descriptors_is_waited_out_in_peace(void **state)
{
    (void)state;
    struct side side = { .loop = px_loop_new(), .opened = say_hi };
    struct shortage shortage = { .side = &side };
    shortage.timer = (struct px_timer){ .fn = end_shortage, .user = &shortage };
    assert_int_equal(pipe(shortage.log), 0);
    struct px_error err = { 0 };
    assert_int_equal(px_log_start(shortage.log[1], &err), PX_OK);
    side.listener = listen_any(side.loop, NULL, side_accept, &side);

    // The client connects while there are descriptors; the server then has none left to accept.
    int fd = dial(px_listener_port(side.listener));
    assert_true(fd >= 0);
    getrlimit(RLIMIT_NOFILE, &shortage.limit);
    int lowest = dup(fd);
    close(lowest);
    struct rlimit none = { (rlim_t)lowest, shortage.limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    shortage.cpu = px_clock_cpu_ns();
    shortage.beats = px_loop_beats(side.loop);
    assert_int_equal(px_timer_start(side.loop, &shortage.timer, 350), PX_OK);

    px_net_limits.linger_ms = 1;  // The client is this thread and reads only afterwards.
    run_loop(side.loop);
    px_net_limits.linger_ms = 2000;
    char answer[3] = "";
    assert_int_equal(recv_all(fd, answer, 2), 2);
    close(fd);
    assert_true(shortage.beats < 50);
    assert_true(shortage.cpu < 50 * 1000000ull);
    px_log_stop();
    close(shortage.log[1]);
    char text[1000] = "";
    size_t len = recv_all(shortage.log[0], text, sizeof(text) - 1);
    close(shortage.log[0]);
    assert_non_null(strstr(text, "cannot accept connections for now: Too many open files"));
    assert_ptr_equal(memchr(text, '\n', len), text + len - 1);  // Said once.
    px_loop_free(side.loop);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_port_in_use_is_found_by_the_probe),
        cmocka_unit_test(test_bad_addresses_are_refused_with_a_reason),
        cmocka_unit_test(test_ipv6_listens_for_itself_alone),
        cmocka_unit_test(test_a_peer_of_ipv6_is_named_in_brackets),
        cmocka_unit_test(test_an_inherited_socket_is_served_and_left_open),
        cmocka_unit_test(test_a_paused_listener_lets_clients_wait),
        cmocka_unit_test(test_a_shortage_of_descriptors_is_waited_out_in_peace),
    };
    return cmocka_run_group_tests_name("net/listener", tests, NULL, NULL);
}
