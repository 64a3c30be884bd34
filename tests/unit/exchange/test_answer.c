// Answers as they go out.

#include "site.h"

static void test_head_requests_get_the_head_alone(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "HEAD /path?body HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&site, fd, "content-length: 4\r\n\r\n");
    say(fd, "HEAD /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    px_exchange_start(held(&site, 0), 200, NULL, 0, -1);
    px_exchange_write(site.held[0], PX_STR("piece"));
    px_exchange_finish(site.held[0]);
    end_held(&site, 0);
    say(fd, "GET /path?next HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&site, fd, "\r\n\r\nnext");
    assert_has_not(&site, "body");
    assert_has_not(&site, "piece");
    assert_int_equal(count_of(site.text, "HTTP/1.1 200 OK"), 3);
    close(fd);
    site_close(&site);
}

static void test_no_content_has_neither_length_nor_body(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /none HTTP/1.1\r\nHost: x\r\n\r\nGET /path?next HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&site, fd, "\r\n\r\nnext");
    assert_has(&site, "HTTP/1.1 204 No Content\r\n");
    assert_has_not(&site, "not sent");
    assert_int_equal(count_of(site.text, "content-length"), 1);
    close(fd);
    site_close(&site);
}

static void test_pieces_go_out_in_chunks_or_to_a_length(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    struct px_exchange *ex = held(&site, 0);
    assert_false(px_exchange_started(ex));
    px_exchange_start(ex, 200, NULL, 0, -1);
    assert_true(px_exchange_started(ex));
    px_exchange_write(ex, PX_STR("hello, "));
    px_exchange_write(ex, PX_STR(""));
    px_exchange_start(ex, 500, NULL, 0, -1);  // Too late: no effect.
    px_exchange_answer(ex, 500, NULL, 0, NULL, PX_STR("no"));
    struct px_block *block = px_block_copy(PX_STR("a whole block"));
    px_exchange_write_block(ex, block, (struct px_str){ block->ptr + 2, 5 });
    px_block_drop(block);
    assert_int_equal(px_exchange_sent(ex), 12);
    px_exchange_finish(ex);
    px_exchange_finish(ex);
    end_held(&site, 0);
    hear(&site, fd, "transfer-encoding: chunked\r\n\r\n7\r\nhello, \r\n5\r\nwhole\r\n0\r\n\r\n");

    ex = held(&site, 1);
    px_exchange_start(ex, 201, NULL, 0, 6);
    px_exchange_write(ex, PX_STR("abc"));
    px_exchange_write(ex, PX_STR("def"));
    px_exchange_finish(ex);
    end_held(&site, 1);
    hear(&site, fd, "content-length: 6\r\n\r\nabcdef");
    assert_int_equal(count_of(site.text, "HTTP/1.1 "), 2);
    close(fd);
    site_close(&site);
}

static void test_head_and_first_piece_leave_in_one_segment(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    px_exchange_start(held(&site, 0), 200, NULL, 0, -1);
    px_exchange_write(site.held[0], PX_STR("data: first\n\n"));
    char text[4096];
    ssize_t len = 0;
    for (int i = 0; i < 1000 && len <= 0; i++) {
        site_turn(&site, 1);
        len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    }
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "data: first\n\n\r\n"));
    close(fd);
    site_close(&site);
}

static void test_headers_that_may_not_be_sent_are_left_out(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    const struct px_http_header headers[] = {
        { PX_STR("X-Good"), PX_STR("yes") },
        { PX_STR("X-Bad"), PX_STR("a\r\nSet-Cookie: stolen=1") },
        { PX_STR("X Bad"), PX_STR("name") },
        { PX_STR(""), PX_STR("nameless") },
        { PX_STR("Content-Length"), PX_STR("999") },
        { PX_STR("Transfer-Encoding"), PX_STR("gzip") },
        { PX_STR("Connection"), PX_STR("upgrade") },
        { PX_STR("Keep-Alive"), PX_STR("timeout=999") },
    };
    px_exchange_answer(held(&site, 0), 200, headers, 8, NULL, PX_STR("body"));
    end_held(&site, 0);
    hear(&site, fd, "\r\ncontent-length: 4\r\n\r\nbody");
    assert_has(&site, "X-Good: yes\r\n");
    static const char *const absent[] = { "stolen", "X-Bad", "X Bad",   "nameless",
                                          "999",    "gzip",  "upgrade", "Keep-Alive" };
    for (size_t i = 0; i < 8; i++) {
        assert_has_not(&site, absent[i]);
    }
    close(fd);
    site_close(&site);
}

static void test_an_aborted_answer_is_cut(void **state)
{
    (void)state;
    // How an answer can end without being complete.
    for (int way = 0; way < 4; way++) {
        struct site site;
        site_open(&site, NULL);
        int fd = dial(&site);
        say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        struct px_exchange *ex = held(&site, 0);
        px_exchange_start(ex, 200, NULL, 0, way < 2 ? -1 : 100);
        px_exchange_write(ex, PX_STR("what came"));
        if (way == 0 || way == 2) {
            px_exchange_abort(ex);
            assert_true(px_exchange_gone(ex));
        } else if (way == 3) {
            px_exchange_finish(ex);  // It owes 91 bytes.
        }
        end_held(&site, 0);
        hear_end(&site, fd);
        assert_has(&site, "what came");
        assert_has_not(&site, "\r\n0\r\n\r\n");
        assert_int_equal(site.gone, 0);
        site_close(&site);
    }
}

static void run_end(struct site *site, struct px_exchange *ex)
{
    (void)site;
    px_exchange_end(ex);
}

static void test_an_exchange_without_an_answer_becomes_a_500(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    site.run = run_end;
    int fd = dial(&site);
    say(fd, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&site, fd, "\"message\":\"The gateway failed.\"}}");
    assert_has(&site, "HTTP/1.1 500 ");
    forget(&site);
    say(fd, "GET /path?on HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&site, fd, "\r\n\r\non");
    close(fd);
    site_close(&site);
}

static void fill(struct site *site, struct px_exchange *ex)
{
    static char piece[65536];
    for (int i = 0; i < 1000 && !px_exchange_full(ex); i++) {
        px_exchange_write(ex, (struct px_str){ piece, sizeof(piece) });
        site_turn(site, 0);
    }
    assert_true(px_exchange_full(ex));
}

static void test_a_client_that_reads_again_drains_the_queue(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    px_exchange_start(held(&site, 0), 200, NULL, 0, -1);
    fill(&site, site.held[0]);
    assert_int_equal(site.drains, 0);
    char rest[65536];
    for (uint64_t until = px_clock_ms() + 10000; !site.drains && px_clock_ms() < until;) {
        while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) {
        }
        site_turn(&site, 1);
    }
    assert_int_equal(site.drains, 1);
    assert_false(px_exchange_full(site.held[0]));
    close(fd);
    site_close(&site);
}

static void test_a_client_that_takes_nothing_is_cut(void **state)
{
    (void)state;
    struct px_host_conf conf = site_conf;
    conf.stall_ms = 100;
    struct site site;
    site_open(&site, &conf);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    px_exchange_start(held(&site, 0), 200, NULL, 0, -1);
    fill(&site, site.held[0]);
    site_wait(&site, site.gone == 1);
    assert_int_equal(site.stats.connections, 1);  // Its exchange is still there.
    end_held(&site, 0);
    site_wait(&site, site.stats.connections == 0);
    close(fd);
    site_close(&site);
}

static void test_what_a_client_did_not_take_before_its_next_request_is_cut_too(void **state)
{
    (void)state;
    struct px_host_conf conf = site_conf;
    conf.stall_ms = conf.keep_alive_ms = 100;
    struct site site;
    site_open(&site, &conf);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    px_exchange_start(held(&site, 0), 200, NULL, 0, -1);
    fill(&site, site.held[0]);
    px_exchange_finish(site.held[0]);
    end_held(&site, 0);
    site_wait(&site, site.stats.connections == 0);
    close(fd);
    site_close(&site);
}

static void test_a_client_that_is_not_read_is_still_seen_to_leave(void **state)
{
    (void)state;
    struct px_host_conf conf = site_conf;
    conf.stall_ms = 100;  // Also how often it is looked at.
    struct site site;
    site_open(&site, &conf);
    int fd = dial(&site);
    static char more[100 << 10];
    memset(more, 'x', sizeof(more));
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    held(&site, 0);
    for (size_t at = 0; at < sizeof(more);) {  // Pipelined: more than is kept.
        ssize_t sent = send(fd, more + at, sizeof(more) - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += sent > 0 ? (size_t)sent : 0;
        site_turn(&site, 1);
    }
    assert_int_equal(site.gone, 0);
    close(fd);
    site_wait(&site, site.gone == 1);
    end_held(&site, 0);
    site_wait(&site, site.stats.connections == 0);
    site_close(&site);
}

static void test_a_client_that_leaves_with_its_whole_answer_has_not_left_early(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    px_exchange_answer(held(&site, 0), 200, &plain, 1, NULL, PX_STR("all"));
    site_wait(&site, px_exchange_complete(site.held[0]));
    close(fd);
    site_wait(&site, px_exchange_gone(site.held[0]));
    assert_int_equal(site.gone, 0);
    assert_true(px_exchange_complete(site.held[0]));
    end_held(&site, 0);
    site_wait(&site, site.stats.connections == 0);
    site_close(&site);
}

static void test_a_cut_host_tells_its_drivers(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int one = dial(&site), two = dial(&site);
    say(one, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    say(two, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    held(&site, 1);
    px_host_cut(site.host);
    assert_int_equal(site.gone, 2);
    assert_int_equal(px_host_connections(site.host), 2);
    end_held(&site, 0);
    end_held(&site, 1);
    assert_int_equal(px_host_connections(site.host), 0);
    close(one);
    close(two);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_requests_get_the_head_alone),
        cmocka_unit_test(test_no_content_has_neither_length_nor_body),
        cmocka_unit_test(test_pieces_go_out_in_chunks_or_to_a_length),
        cmocka_unit_test(test_head_and_first_piece_leave_in_one_segment),
        cmocka_unit_test(test_headers_that_may_not_be_sent_are_left_out),
        cmocka_unit_test(test_an_aborted_answer_is_cut),
        cmocka_unit_test(test_an_exchange_without_an_answer_becomes_a_500),
        cmocka_unit_test(test_a_client_that_reads_again_drains_the_queue),
        cmocka_unit_test(test_a_client_that_takes_nothing_is_cut),
        cmocka_unit_test(test_what_a_client_did_not_take_before_its_next_request_is_cut_too),
        cmocka_unit_test(test_a_client_that_is_not_read_is_still_seen_to_leave),
        cmocka_unit_test(test_a_client_that_leaves_with_its_whole_answer_has_not_left_early),
        cmocka_unit_test(test_a_cut_host_tells_its_drivers),
    };
    return cmocka_run_group_tests_name("exchange/answer", tests, NULL, NULL);
}
