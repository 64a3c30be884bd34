// What idle connections cost. The clients live in a process of their own, so that only the server's
// side is counted.

#include "tls_test.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define COUNT 1000
#define ANSWER_SIZE 64000

struct crowd {
    struct px_loop *loop;
    struct px_listener *listener;
    struct px_conn *conns[COUNT];
    int opened, answered;
    size_t before, after;
};

static size_t read_rss(void)
{
    char line[200];
    size_t kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof(line), status)) {
        if (sscanf(line, "RssAnon: %zu", &kib) == 1) {
            break;
        }
    }
    fclose(status);
    return kib * 1024;
}

static void end_crowd(void *user)
{
    struct crowd *crowd = user;
    crowd->after = read_rss();
    for (int i = 0; i < crowd->opened; i++) {
        assert_int_equal(px_conn_queued(crowd->conns[i]), 0);
        px_conn_close(crowd->conns[i], false);
    }
    px_listener_close(crowd->listener);
}

struct guest {
    struct crowd *crowd;
    struct px_conn *conn;
};

static void guest_data(void *user, struct px_str bytes)
{
    static char answer[ANSWER_SIZE];
    struct guest *guest = user;
    // The client sends one byte to ask and one to say that it has the answer.
    if (bytes.ptr[0] == '?') {
        assert_int_equal(px_conn_write(guest->conn, (struct px_str){ answer, sizeof(answer) }),
                         PX_OK);
    } else if (++guest->crowd->answered == COUNT) {
        end_crowd(guest->crowd);
    }
}

static void guest_end(void *user, enum px_status status)
{
    (void)user, (void)status;
    fail_msg("a client left");
}

static void guest_drain(void *user)
{
    (void)user;
}

static struct guest guests[COUNT];

static void guest_accept(void *user, struct px_conn *conn)
{
    static const struct px_conn_fns fns = { guest_data, guest_end, guest_drain };
    struct crowd *crowd = user;
    if (!crowd->opened) {
        crowd->before = read_rss();
    }
    struct guest *guest = &guests[crowd->opened];
    *guest = (struct guest){ crowd, conn };
    crowd->conns[crowd->opened++] = conn;
    px_conn_attach(conn, &fns, guest);
}

static void run_clients(int port, bool secure)
{
    static char answer[ANSWER_SIZE];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    for (int i = 0; i < COUNT; i++) {
        int fd = dial(port);
        if (secure) {
            SSL *ssl = tls_client(ctx, fd);
            if (SSL_connect(ssl) != 1 || SSL_write(ssl, "?", 1) != 1) {
                _exit(1);
            }
            for (int got = 0, part; got < ANSWER_SIZE; got += part) {
                part = SSL_read(ssl, answer, ANSWER_SIZE - got);
                if (part <= 0) {
                    _exit(1);
                }
            }
            SSL_write(ssl, "!", 1);
        } else if (!send_all(fd, "?", 1) || recv_all(fd, answer, ANSWER_SIZE) != ANSWER_SIZE ||
                   !send_all(fd, "!", 1)) {
            _exit(1);
        }
    }
    pause();
}

/// Bytes of memory for one idle connection that has answered once.
static size_t cost(bool secure)
{
    struct px_tls *tls = secure ? make_tls("a") : NULL;
    struct crowd crowd = { .loop = px_loop_new() };
    crowd.listener = listen_any(crowd.loop, tls, guest_accept, &crowd);
    int port = px_listener_port(crowd.listener);
    pid_t child = fork();
    if (child == 0) {
        run_clients(port, secure);
        _exit(0);
    }
    run_loop(crowd.loop);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(crowd.opened, COUNT);
    px_loop_free(crowd.loop);
    px_tls_drop(tls);
    return (crowd.after - crowd.before) / COUNT;
}

static void test_an_idle_connection_holds_no_buffers(void **state)
{
    (void)state;
    size_t plain = cost(false);
    size_t secure = cost(true);
    print_message("idle: %zu bytes plain, %zu bytes TLS\n", plain, secure);
#ifdef PX_SANITIZED
    skip();  // Sanitizers keep what is freed.
#endif
    assert_true(plain < 4 * 1024);
    assert_true(secure < 24 * 1024);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_connection_holds_no_buffers),
    };
    return cmocka_run_group_tests_name("net/idle", tests, NULL, NULL);
}
