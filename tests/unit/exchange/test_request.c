// Requests as they come in: framing, order, limits, waiting, leaving.

#include "site.h"

#include <zlib.h>

#define HEAD "POST /echo HTTP/1.1\r\nHost: x\r\n"

static void test_a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    for (int i = 0; i < 3; i++) {
        forget(&site);
        say(fd, HEAD "Content-Length: 5\r\n\r\nhello");
        hear(&site, fd, "\r\n\r\nhello");
        assert_has(&site, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: ");
        assert_has(&site, "\r\ncontent-length: 5\r\n\r\nhello");
        assert_has_not(&site, "connection:");
    }
    assert_int_equal(site.begun, 3);
    assert_int_equal(site.stats.connections, 1);
    close(fd);
    site_close(&site);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /path?second HTTP/1.1\r\nHost: x\r\n\r\n" HEAD
            "Transfer-Encoding: chunked\r\n\r\n5\r\nthird\r\n0\r\n\r\n"
            "GET /path?fourth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            "GET /path?never HTTP/1.1\r\nHost: x\r\n\r\n");
    held(&site, 0);
    site_turn(&site, 5);
    assert_int_equal(site.begun, 1);
    assert_true(!hear_some(&site, fd) || site.len == 0);
    px_exchange_answer(site.held[0], 200, NULL, 0, NULL, PX_STR("first"));
    end_held(&site, 0);
    hear_end(&site, fd);
    const char *at = site.text;
    static const char *const bodies[] = { "first", "second", "third", "fourth" };
    for (size_t i = 0; i < 4; i++) {
        at = strstr(at, bodies[i]);
        assert_non_null(at);
    }
    assert_has_not(&site, "never");
    assert_int_equal(count_of(site.text, "connection: close"), 1);
    site_close(&site);
}

static void test_http_1_0_closes_unless_asked_not_to(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /path?a HTTP/1.0\r\nHost: x\r\n\r\n");
    hear_end(&site, fd);
    assert_has(&site, "connection: close\r\n\r\na");
    fd = dial(&site);
    say(fd, "GET /path?a HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
    hear(&site, fd, "connection: keep-alive\r\n\r\na");
    say(fd, "GET /hold HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
    forget(&site);
    px_exchange_start(held(&site, 0), 200, NULL, 0, -1);  // No chunks in HTTP/1.0.
    px_exchange_write(site.held[0], PX_STR("until the end"));
    px_exchange_finish(site.held[0]);
    end_held(&site, 0);
    hear_end(&site, fd);
    assert_has_not(&site, "transfer-encoding");
    assert_has(&site, "connection: close\r\n\r\nuntil the end");
    site_close(&site);
}

static void test_bodies_may_be_split_at_each_byte(void **state)
{
    (void)state;
    static const char *const requests[] = {
        HEAD "Content-Length: 6\r\n\r\nabcdef",
        HEAD "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n4\r\ncdef\r\n0\r\nT: u\r\n\r\n",
    };
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(requests[i]);
        for (size_t cut = 1; cut < len; cut++) {
            forget(&site);
            say_bytes(fd, requests[i], cut);
            site_turn(&site, 0);
            site_turn(&site, 0);
            say_bytes(fd, requests[i] + cut, len - cut);
            hear(&site, fd, "\r\n\r\nabcdef");
        }
        forget(&site);
        for (size_t at = 0; at < len; at++) {
            say_bytes(fd, requests[i] + at, 1);
            site_turn(&site, 0);
        }
        hear(&site, fd, "\r\n\r\nabcdef");
    }
    close(fd);
    site_close(&site);
}

static void test_broken_requests_are_refused_and_closed(void **state)
{
    (void)state;
    static const struct {
        const char *request, *answer;
    } cases[] = {
        { "nonsense\r\n\r\n", "HTTP/1.1 400 " },
        { "GET / HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 " },
        { "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
        { "GET / HTTP/3.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 " },
        { "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 501 " },
        { HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 " },
        { HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 400 " },
        { HEAD "Content-Encoding: br\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 415 " },
        { HEAD "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 400 " },
        { HEAD "Content-Length: 1048577\r\n\r\n", "HTTP/1.1 413 " },
        { "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
          "HTTP/1.1 426 " },
    };
    struct site site;
    site_open(&site, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int fd = dial(&site);
        say(fd, cases[i].request);
        hear_end(&site, fd);
        assert_int_equal(strncmp(site.text, cases[i].answer, strlen(cases[i].answer)), 0);
        assert_has(&site, "connection: close\r\n");
        assert_has(&site, "{\"type\":\"error\",\"error\":{");
    }
    site_close(&site);
}

static void test_a_head_over_64_kib_is_refused(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    char piece[8192];
    memset(piece, 'a', sizeof(piece));
    for (int i = 0; i < 8; i++) {
        say_bytes(fd, piece, sizeof(piece));
        site_turn(&site, 1);
    }
    hear_end(&site, fd);
    assert_has(&site, "HTTP/1.1 431 ");
    site_close(&site);
}

/// Sends a body of `len` bytes in pieces while the loop runs; false if the connection ended.
static bool pour(struct site *site, int fd, size_t len, bool chunked)
{
    static char piece[16384];
    memset(piece, 'b', sizeof(piece));
    while (len) {
        size_t part = len < sizeof(piece) ? len : sizeof(piece);
        char line[32];
        int size = snprintf(line, sizeof(line), "%zx\r\n", part);
        if (chunked && send(fd, line, (size_t)size, MSG_NOSIGNAL) < 0) {
            return false;
        }
        for (size_t at = 0; at < part;) {
            ssize_t sent = send(fd, piece + at, part - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno != EAGAIN) {
                return false;
            }
            at += sent > 0 ? (size_t)sent : 0;
            site_turn(site, 0);
        }
        if (chunked && send(fd, "\r\n", 2, MSG_NOSIGNAL) < 0) {
            return false;
        }
        len -= part;
    }
    return !chunked || send(fd, "0\r\n\r\n", 5, MSG_NOSIGNAL) == 5;
}

static void test_a_body_may_reach_its_limit_and_no_byte_more(void **state)
{
    (void)state;
    struct px_host_conf conf = site_conf;
    conf.body_limit = 100000;
    struct site site;
    site_open(&site, &conf);
    int fd = dial(&site);
    say(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n");
    assert_true(pour(&site, fd, 100000, true));
    hear(&site, fd, "content-length: 100000\r\n");
    close(fd);
    fd = dial(&site);
    say(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n");
    pour(&site, fd, 100001, true);
    hear(&site, fd, "HTTP/1.1 413 ");
    close(fd);
    site_close(&site);
}

static size_t gzip(const char *bytes, size_t len, char *out, size_t size)
{
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)bytes;
    z.avail_in = (unsigned)len;
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return size - z.avail_out;
}

static void test_coded_bodies_are_undone_and_bombs_refused(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    static char bomb[4 << 20], coded[16384];
    for (int big = 0; big < 2; big++) {
        size_t len =
            gzip(big ? bomb : "{\"coded\":1}", big ? sizeof(bomb) : 11, coded, sizeof(coded));
        int fd = dial(&site);
        char head[200];
        snprintf(head, sizeof(head), HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                 len);
        say(fd, head);
        for (size_t at = 0; at < len; at += 7) {
            send(fd, coded + at, len - at < 7 ? len - at : 7, MSG_NOSIGNAL);
            if (!big) {
                site_turn(&site, 0);
            }
        }
        hear(&site, fd, big ? "HTTP/1.1 413 " : "\r\n\r\n{\"coded\":1}");
        close(fd);
    }
    site_close(&site);
}

static void test_expect_is_answered_before_the_body(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, HEAD "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    hear(&site, fd, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "hello");
    hear(&site, fd, "\r\n\r\nhello");
    close(fd);
    fd = dial(&site);
    say(fd, HEAD "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n");
    hear_end(&site, fd);
    assert_has_not(&site, "100 Continue");
    assert_has(&site, "HTTP/1.1 413 ");
    site_close(&site);
}

static void test_what_comes_too_slowly_is_ended(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *answer;
    } cases[] = {
        { "", "" },
        { "GET / HT", "HTTP/1.1 408 " },
        { HEAD "Content-Length: 5\r\n\r\nhe", "HTTP/1.1 408 " },
        { HEAD "Content-Length: 5\r\n\r\nhello", "\r\n\r\nhello" },
    };
    struct px_host_conf conf = site_conf;
    conf.head_ms = conf.keep_alive_ms = conf.body_ms = 60;
    struct site site;
    site_open(&site, &conf);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int fd = dial(&site);
        uint64_t start = px_clock_ms();
        say(fd, cases[i].bytes);
        hear_end(&site, fd);
        assert_has(&site, cases[i].answer);
        assert_true(*cases[i].answer || site.len == 0);
        assert_true(px_clock_ms() - start >= 50);
    }
    site_close(&site);
}

static void test_a_head_that_drips_is_ended_too(void **state)
{
    (void)state;
    struct px_host_conf conf = site_conf;
    conf.head_ms = 80;
    struct site site;
    site_open(&site, &conf);
    int fd = dial(&site);
    say(fd, "GET / HTTP/1.1\r\nX: ");
    uint64_t start = px_clock_ms();
    while (px_clock_ms() - start < 2000 && hear_some(&site, fd) && !site.len) {
        send(fd, "a", 1, MSG_NOSIGNAL);
        site_turn(&site, 5);
    }
    assert_has(&site, "HTTP/1.1 408 ");
    assert_true(px_clock_ms() - start < 1500);
    close(fd);
    site_close(&site);
}

static void test_bodies_wait_for_room_and_go_on(void **state)
{
    (void)state;
    struct px_host_conf conf = site_conf;
    conf.bodies_limit = 100000;
    struct site site;
    site_open(&site, &conf);
    int first = dial(&site);
    say(first, "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\n");
    assert_true(pour(&site, first, 80000, false));
    held(&site, 0);
    assert_int_equal(site.stats.body_bytes, 80000);
    int second = dial(&site);
    say(second, HEAD "Content-Length: 60000\r\n\r\n");
    assert_true(pour(&site, second, 60000, false));
    site_turn(&site, 20);
    assert_true(site.stats.body_bytes <= 100000);
    assert_int_equal(site.ended, 0);
    px_exchange_drop_body(site.held[0]);  // Room comes.
    hear(&site, second, "content-length: 60000\r\n");
    px_exchange_answer(site.held[0], 200, NULL, 0, NULL, PX_STR(""));
    end_held(&site, 0);
    close(first);
    close(second);
    site_close(&site);
}

static void test_a_body_that_waits_too_long_for_room_is_refused(void **state)
{
    (void)state;
    struct px_host_conf conf = site_conf;
    conf.bodies_limit = 100000;
    conf.room_ms = 60;
    struct site site;
    site_open(&site, &conf);
    int first = dial(&site);
    say(first, "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\n");
    assert_true(pour(&site, first, 80000, false));
    held(&site, 0);
    int second = dial(&site);
    say(second, HEAD "Content-Length: 60000\r\n\r\n");
    pour(&site, second, 60000, false);
    hear(&site, second, "HTTP/1.1 503 ");
    assert_has(&site, "Too many request bodies are in flight");
    assert_int_equal(site.stats.body_bytes, 80000);
    close(second);
    end_held(&site, 0);
    assert_int_equal(site.stats.body_bytes, 0);
    close(first);
    site_close(&site);
}

static void test_a_client_may_leave_in_every_state(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "",
        "GET / HTTP",
        HEAD "Content-Length: 50\r\n\r\nhello",
        HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    };
    for (int reset = 0; reset < 2; reset++) {
        struct site site;
        site_open(&site, NULL);
        for (size_t i = 0; i < 4; i++) {
            int fd = dial(&site);
            say(fd, beginnings[i]);
            site_wait(&site, site.stats.connections == 1);
            site_turn(&site, 2);
            struct linger linger = { reset, 0 };
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
            close(fd);
            site_wait(&site, site.stats.connections == 0);
            assert_int_equal(site.begun, site.ended);
        }
        assert_int_equal(site.gone, 0);
        site_close(&site);
    }
}

static void test_the_driver_is_told_that_its_client_left(void **state)
{
    (void)state;
    for (int streaming = 0; streaming < 2; streaming++) {
        struct site site;
        site_open(&site, NULL);
        int fd = dial(&site);
        say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /path?kept HTTP/1.1\r\n");
        struct px_exchange *ex = held(&site, 0);
        if (streaming) {
            px_exchange_start(ex, 200, NULL, 0, -1);
            px_exchange_write(ex, PX_STR("piece"));
            hear(&site, fd, "piece");
        }
        assert_false(px_exchange_gone(ex));
        close(fd);
        site_wait(&site, site.gone == 1);
        assert_true(px_exchange_gone(ex));
        assert_string_equal(px_exchange_peer(ex), "");
        assert_int_equal(site.ended, 0);
        px_exchange_start(ex, 200, NULL, 0, -1);
        px_exchange_write(ex, PX_STR("into the void"));
        px_exchange_finish(ex);
        end_held(&site, 0);
        assert_int_equal(site.ended, 1);
        assert_int_equal(site.stats.connections, 0);
        site_close(&site);
    }
}

static void test_a_stopped_host_closes_idle_connections_and_ends_the_others_politely(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int idle = dial(&site), busy = dial(&site);
    say(idle, "GET /path?a HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&site, idle, "\r\n\r\na");
    say(busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    held(&site, 0);
    px_host_stop(site.host);
    hear_end(&site, idle);
    forget(&site);
    px_exchange_answer(site.held[0], 200, NULL, 0, NULL, PX_STR("last"));
    end_held(&site, 0);
    hear_end(&site, busy);
    assert_has(&site, "connection: close\r\n\r\nlast");
    int late = dial(&site);
    hear_end(&site, late);
    assert_int_equal(site.len, 0);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_serves_one_request_after_the_other),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_http_1_0_closes_unless_asked_not_to),
        cmocka_unit_test(test_bodies_may_be_split_at_each_byte),
        cmocka_unit_test(test_broken_requests_are_refused_and_closed),
        cmocka_unit_test(test_a_head_over_64_kib_is_refused),
        cmocka_unit_test(test_a_body_may_reach_its_limit_and_no_byte_more),
        cmocka_unit_test(test_coded_bodies_are_undone_and_bombs_refused),
        cmocka_unit_test(test_expect_is_answered_before_the_body),
        cmocka_unit_test(test_what_comes_too_slowly_is_ended),
        cmocka_unit_test(test_a_head_that_drips_is_ended_too),
        cmocka_unit_test(test_bodies_wait_for_room_and_go_on),
        cmocka_unit_test(test_a_body_that_waits_too_long_for_room_is_refused),
        cmocka_unit_test(test_a_client_may_leave_in_every_state),
        cmocka_unit_test(test_the_driver_is_told_that_its_client_left),
        cmocka_unit_test(test_a_stopped_host_closes_idle_connections_and_ends_the_others_politely),
    };
    return cmocka_run_group_tests_name("exchange/request", tests, NULL, NULL);
}
