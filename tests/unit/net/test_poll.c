// Polls, signals and watches: what the loop offers to others.

#include "net_test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "px/poll.h"
#include "px/signal.h"
#include "px/watch.h"

struct polled {
    struct px_loop *loop;
    struct px_poll *poll;
    int fds[2];
    int calls, events;
    int then;  ///< What to want after the first call; -1 ends.
};

static void open_pair(struct polled *polled)
{
    polled->loop = px_loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, polled->fds), 0);
}

static void close_pair(struct polled *polled)
{
    px_poll_free(polled->poll);
    close(polled->fds[0]);
    close(polled->fds[1]);
    px_loop_free(polled->loop);
}

static void on_poll(void *user, int events)
{
    struct polled *polled = user;
    polled->calls++;
    polled->events |= events;
    if (polled->then < 0) {
        px_poll_free(polled->poll);
        polled->poll = NULL;
    } else {
        assert_int_equal(px_poll_want(polled->poll, polled->then), PX_OK);
    }
}

static void test_a_poll_tells_what_is_wanted_and_nothing_else(void **state)
{
    (void)state;
    static const int wants[] = { PX_POLL_READ, PX_POLL_WRITE, PX_POLL_READ | PX_POLL_WRITE };
    for (int i = 0; i < 3; i++) {
        struct polled polled = { .then = 0 };
        open_pair(&polled);
        polled.poll = px_poll_new(polled.loop, polled.fds[0], on_poll, &polled);
        assert_non_null(polled.poll);
        send_all(polled.fds[1], "x", 1);
        assert_int_equal(px_poll_want(polled.poll, wants[i]), PX_OK);
        run_loop(polled.loop);  // Ends, since a poll that wants nothing keeps no loop alive.
        assert_int_equal(polled.calls, 1);
        assert_int_equal(polled.events, wants[i]);
        close_pair(&polled);
    }
}

static void test_a_wish_can_shrink_and_grow_while_it_is_armed(void **state)
{
    (void)state;
    struct polled polled = { .then = PX_POLL_READ };
    open_pair(&polled);
    polled.poll = px_poll_new(polled.loop, polled.fds[0], on_poll, &polled);
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_READ | PX_POLL_WRITE), PX_OK);
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_READ), PX_OK);
    struct px_timer stop = { .fn = stop_loop, .user = polled.loop };
    assert_int_equal(px_timer_start(polled.loop, &stop, 20), PX_OK);
    uint64_t before = px_loop_beats(polled.loop);
    run_loop(polled.loop);
    assert_int_equal(polled.calls, 0);
    assert_true(px_loop_beats(polled.loop) - before < 10);  // It does not spin either.

    polled.then = 0;
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_READ | PX_POLL_WRITE), PX_OK);
    run_loop(polled.loop);
    assert_int_equal(polled.events, PX_POLL_WRITE);

    // Armed for more than is wanted, and the event that nobody wants comes.
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_READ | PX_POLL_WRITE), PX_OK);
    assert_int_equal(px_poll_want(polled.poll, 0), PX_OK);
    assert_int_equal(px_timer_start(polled.loop, &stop, 20), PX_OK);
    polled.calls = 0;
    before = px_loop_beats(polled.loop);
    run_loop(polled.loop);
    assert_int_equal(polled.calls, 0);
    assert_true(px_loop_beats(polled.loop) - before < 10);
    close_pair(&polled);
}

static void test_a_poll_can_be_freed_in_its_callback(void **state)
{
    (void)state;
    struct polled polled = { .then = -1 };
    open_pair(&polled);
    polled.poll = px_poll_new(polled.loop, polled.fds[0], on_poll, &polled);
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_WRITE), PX_OK);
    run_loop(polled.loop);
    assert_int_equal(polled.calls, 1);
    close_pair(&polled);
}

static void test_a_descriptor_may_be_closed_and_come_back_after_the_poll_is_freed(void **state)
{
    (void)state;
    struct polled polled = { .then = -1 };
    open_pair(&polled);
    polled.poll = px_poll_new(polled.loop, polled.fds[0], on_poll, &polled);
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_READ), PX_OK);
    px_poll_free(polled.poll);
    int old = polled.fds[0];
    close(polled.fds[0]);
    close(polled.fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, polled.fds), 0);
    assert_int_equal(polled.fds[0], old);
    polled.poll = px_poll_new(polled.loop, polled.fds[0], on_poll, &polled);
    assert_non_null(polled.poll);
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_WRITE), PX_OK);
    run_loop(polled.loop);
    assert_int_equal(polled.calls, 1);
    close_pair(&polled);
}

static void test_what_cannot_be_polled_is_refused(void **state)
{
    (void)state;
    struct polled polled = { .loop = px_loop_new() };
    assert_null(px_poll_new(polled.loop, 12345, on_poll, &polled));
    px_poll_free(NULL);
    px_loop_free(polled.loop);
}

static void test_an_error_of_a_socket_is_told(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    struct px_listener *listener = listen_any(loop, NULL, side_accept, NULL);
    int port = px_listener_port(listener);
    px_listener_close(listener);
    struct polled polled = { .loop = loop, .then = -1 };
    polled.fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
    polled.poll = px_poll_new(loop, polled.fds[0], on_poll, &polled);
    assert_int_equal(connect(polled.fds[0], (struct sockaddr *)&addr, sizeof(addr)), -1);
    assert_int_equal(px_poll_want(polled.poll, PX_POLL_WRITE), PX_OK);
    run_loop(loop);
    assert_int_equal(polled.calls, 1);
    assert_true(polled.events & (PX_POLL_ERROR | PX_POLL_WRITE));
    close(polled.fds[0]);
    px_loop_free(loop);
}

struct caught {
    struct px_signal *signal;
    struct px_watch *watch;
    int calls;
};

static void on_signal(void *user)
{
    struct caught *caught = user;
    caught->calls++;
    px_signal_free(caught->signal);
}

static void test_a_signal_reaches_the_loop(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    struct caught caught = { 0 };
    caught.signal = px_signal_new(loop, SIGHUP, on_signal, &caught);
    assert_non_null(caught.signal);
    raise(SIGHUP);
    run_loop(loop);
    assert_int_equal(caught.calls, 1);
    px_loop_free(loop);
}

static void on_change(void *user)
{
    struct caught *caught = user;
    caught->calls++;
    px_watch_free(caught->watch);
}

static void test_a_signal_that_cannot_be_caught_is_refused(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    assert_null(px_signal_new(loop, SIGKILL, on_signal, NULL));
    px_signal_free(NULL);
    px_watch_free(NULL);
    px_loop_free(loop);
}

static void test_changes_in_a_directory_are_told_together(void **state)
{
    (void)state;
    char dir[] = "/tmp/px_watch_XXXXXX", file[64];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/rule.lua", dir);
    struct px_loop *loop = px_loop_new();
    struct caught caught = { 0 };
    struct px_error err = { 0 };
    caught.watch = px_watch_new(loop, dir, on_change, &caught, &err);
    assert_non_null(caught.watch);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    send_all(fd, "x", 1);
    close(fd);
    run_loop(loop);
    assert_int_equal(caught.calls, 1);
    px_loop_free(loop);
    unlink(file);
    rmdir(dir);
}

static void test_a_directory_that_is_missing_is_named(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    struct px_error err = { 0 };
    assert_null(px_watch_new(loop, "/nonexistent/rules", on_change, NULL, &err));
    assert_non_null(strstr(err.text, "/nonexistent/rules"));
    px_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_poll_tells_what_is_wanted_and_nothing_else),
        cmocka_unit_test(test_a_wish_can_shrink_and_grow_while_it_is_armed),
        cmocka_unit_test(test_a_poll_can_be_freed_in_its_callback),
        cmocka_unit_test(test_a_descriptor_may_be_closed_and_come_back_after_the_poll_is_freed),
        cmocka_unit_test(test_what_cannot_be_polled_is_refused),
        cmocka_unit_test(test_an_error_of_a_socket_is_told),
        cmocka_unit_test(test_a_signal_reaches_the_loop),
        cmocka_unit_test(test_a_signal_that_cannot_be_caught_is_refused),
        cmocka_unit_test(test_changes_in_a_directory_are_told_together),
        cmocka_unit_test(test_a_directory_that_is_missing_is_named),
    };
    return cmocka_run_group_tests_name("net/poll", tests, NULL, NULL);
}
