// Uploads: what the driver is given, and what becomes of the rest while it answers.

#include "site.h"

#include <zlib.h>

#define TYPE "Host: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
#define HOLD "POST /hold HTTP/1.1\r\n" TYPE

static char piece[16384];

/// Sends `len` bytes of a body as far as they are taken; gives how many.
static size_t pour(struct site *site, int fd, size_t len)
{
    memset(piece, 'u', sizeof(piece));
    size_t at = 0;
    for (uint64_t quiet = px_clock_ms() + 200; at < len && px_clock_ms() < quiet;) {
        size_t part = len - at < sizeof(piece) ? len - at : sizeof(piece);
        ssize_t sent = send(fd, piece, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += (size_t)sent;
            quiet = px_clock_ms() + 200;
        }
        site_turn(site, 0);
    }
    return at;
}

static void take_all(struct px_source *source, size_t *taken)
{
    size_t waits = px_source_peek(source).len;
    px_source_take(source, waits);
    *taken += waits;
}

/// Takes until the source has ended.
static size_t drain(struct site *site, int fd, struct px_source *source, size_t owed)
{
    size_t taken = 0;
    uint64_t until = px_clock_ms() + 10000;
    while (px_source_state(source) == PX_SOURCE_OPEN) {
        assert_true(px_clock_ms() < until);
        take_all(source, &taken);
        size_t part = owed < sizeof(piece) ? owed : sizeof(piece);
        ssize_t sent = part ? send(fd, piece, part, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        owed -= sent > 0 ? (size_t)sent : 0;
        site_turn(site, 0);
    }
    take_all(source, &taken);
    return taken;
}

static void test_a_small_upload_is_there_whole(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    say(fd, HOLD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /path?n HTTP/1.1\r\n"
                 "Host: x\r\n\r\n");
    struct px_exchange *ex = held(&site, 0);
    struct px_source *source = px_exchange_upload(ex);
    assert_null(px_exchange_body(ex));
    assert_int_equal(px_source_state(source), PX_SOURCE_WHOLE);
    assert_int_equal(px_source_length(source), 3);
    assert_true(px_str_eq(px_source_peek(source), PX_STR("abc")));
    px_exchange_answer(ex, 200, &plain, 1, NULL, PX_STR("first"));
    end_held(&site, 0);
    hear(&site, fd, "\r\n\r\nfirstHTTP/1.1 200 OK");
    hear(&site, fd, "\r\n\r\nn");
    close(fd);
    site_close(&site);
}

static void test_a_large_one_stops_its_client_until_it_is_taken(void **state)
{
    (void)state;
    const size_t size = (4 << 20) - 1000;
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    int small = 65536;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    char head[300];
    snprintf(head, sizeof(head), HOLD "Content-Length: %zu\r\n\r\n", size);
    say(fd, head);
    size_t sent = pour(&site, fd, size);
    struct px_source *source = px_exchange_upload(held(&site, 0));
    size_t waits = px_source_peek(source).len;
    assert_true(px_source_full(source) && px_source_state(source) == PX_SOURCE_OPEN);
    assert_true(waits >= PX_SOURCE_AHEAD && waits < PX_SOURCE_AHEAD + 65536);
    assert_true(site.stats.body_bytes < PX_SOURCE_AHEAD + 65536);
    assert_int_equal(drain(&site, fd, source, size - sent), size);
    assert_int_equal(px_source_state(source), PX_SOURCE_WHOLE);
    px_exchange_answer(site.held[0], 200, &plain, 1, NULL, PX_STR("ok"));
    end_held(&site, 0);
    hear(&site, fd, "\r\n\r\nok");
    assert_has_not(&site, "connection: close");
    say(fd, "GET /path?again HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&site, fd, "again");
    close(fd);
    site_close(&site);
}

/// Begins an upload in chunks that is long enough to be given to the driver; what is behind it
/// follows in `then`.
static int begin(struct site *site, const char *then)
{
    int fd = dial(site);
    say(fd, HOLD "Transfer-Encoding: chunked\r\n\r\n50000\r\n");
    assert_int_equal(pour(site, fd, 0x50000), 0x50000);
    held(site, 0);
    say(fd, then);
    return fd;
}

static void test_what_goes_wrong_in_the_rest_breaks_the_source(void **state)
{
    (void)state;
    static const struct {
        const char *then;
        int status;
        bool leaves;
    } cases[] = {
        { "\r\nnonsense\r\n", 400, false },
        { "", 408, false },
        { "", 400, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_host_conf conf = site_conf;
        conf.body_ms = 100;
        struct site site;
        site_open(&site, &conf);
        int fd = begin(&site, cases[i].then);
        struct px_source *source = px_source_hold(px_exchange_upload(site.held[0]));
        if (cases[i].leaves) {
            close(fd);
        }
        drain(&site, fd, source, 0);
        const char *text;
        assert_int_equal(px_source_broken(source, &text), cases[i].status);
        assert_true(strlen(text) > 10);
        site_wait(&site, site.gone == cases[i].leaves);
        px_source_drop(source);
        px_exchange_answer(site.held[0], cases[i].status, &plain, 1, NULL, PX_STR("told"));
        end_held(&site, 0);
        if (!cases[i].leaves) {
            hear_end(&site, fd);
            assert_has(&site, "connection: close");
            assert_has(&site, "\r\n\r\ntold");
        }
        site_close(&site);
    }
}

static void test_an_upload_may_reach_its_limit_and_no_byte_more(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct px_host_conf conf = site_conf;
        conf.upload_limit = 0x50000 + 3;
        struct site site;
        site_open(&site, &conf);
        int fd = begin(&site, over ? "\r\n4\r\nabcd\r\n0\r\n\r\n" : "\r\n3\r\nabc\r\n0\r\n\r\n");
        struct px_source *source = px_exchange_upload(site.held[0]);
        drain(&site, fd, source, 0);
        assert_int_equal(px_source_broken(source, NULL), over ? 413 : 0);
        end_held(&site, 0);
        close(fd);
        fd = dial(&site);
        char head[300];
        snprintf(head, sizeof(head), HOLD "Content-Length: %zu\r\n\r\n", conf.upload_limit + over);
        say(fd, head);
        if (over) {
            hear(&site, fd, "HTTP/1.1 413 ");
        }
        close(fd);
        site_close(&site);
    }
}

static void test_an_answer_before_the_end_closes_after_it_was_heard(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, NULL);
    int fd = begin(&site, "");
    px_exchange_answer(site.held[0], 400, &plain, 1, NULL, PX_STR("enough"));
    end_held(&site, 0);
    pour(&site, fd, 500000);
    shutdown(fd, SHUT_WR);
    hear_end(&site, fd);
    assert_has(&site, "HTTP/1.1 400 ");
    assert_has(&site, "\r\n\r\nenough");
    site_close(&site);
}

static void test_a_coded_upload_is_undone_under_the_bodies_limit(void **state)
{
    (void)state;
    static char text[2 << 20], coded[16384];
    for (int big = 0; big < 2; big++) {
        struct site site;
        site_open(&site, NULL);
        uLongf len = sizeof(coded);
        uLong size = big ? sizeof(text) : 600000;
        assert_int_equal(compress((Bytef *)coded, &len, (Bytef *)text, size), Z_OK);
        int fd = dial(&site);
        char head[300];
        snprintf(head, sizeof(head),
                 HOLD "Content-Encoding: deflate\r\nContent-Length: %lu\r\n\r\n",
                 (unsigned long)len);
        say(fd, head);
        say_bytes(fd, coded, len);
        if (big) {
            hear(&site, fd, "HTTP/1.1 413 ");
        } else {
            struct px_source *source = px_exchange_upload(held(&site, 0));
            assert_int_equal(px_source_state(source), PX_SOURCE_WHOLE);
            assert_int_equal(px_source_length(source), size);
            end_held(&site, 0);
        }
        close(fd);
        site_close(&site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_upload_is_there_whole),
        cmocka_unit_test(test_a_large_one_stops_its_client_until_it_is_taken),
        cmocka_unit_test(test_what_goes_wrong_in_the_rest_breaks_the_source),
        cmocka_unit_test(test_an_upload_may_reach_its_limit_and_no_byte_more),
        cmocka_unit_test(test_an_answer_before_the_end_closes_after_it_was_heard),
        cmocka_unit_test(test_a_coded_upload_is_undone_under_the_bodies_limit),
    };
    return cmocka_run_group_tests_name("exchange/upload", tests, NULL, NULL);
}
