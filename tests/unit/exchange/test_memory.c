// The n-th allocation fails: no crash, no leak, and never an answer that looks complete without
// being it.

#include "failing.h"
#include "site.h"

#define REST                                                                                       \
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"                                      \
    "GET /path?next HTTP/1.1\r\nHost: x\r\n\r\n"

static const char *const requests[] = {
    "POST /hold HTTP/1.1\r\nHost: x\r\n" REST,
    "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n" REST,
};

static void answer(struct site *site)
{
    struct px_exchange *ex = site->held[0];
    static char piece[20000];
    memset(piece, 'p', sizeof(piece));
    px_exchange_start(ex, 200, &plain, 1, -1);
    px_exchange_write(ex, (struct px_str){ piece, sizeof(piece) });
    site_turn(site, 0);
    px_exchange_write(ex, (struct px_str){ piece, sizeof(piece) });
    px_exchange_finish(ex);
    end_held(site, 0);
}

/// One visit during which the n-th allocation fails. False: there was none.
static bool survive(size_t n, const char *request)
{
    struct site site;
    site_open(&site, NULL);
    int fd = dial(&site);
    send(fd, request, strlen(request), MSG_NOSIGNAL);
    failing_start(n);
    bool open = true;
    for (uint64_t until = px_clock_ms() + 10000; open && !strstr(site.text, "next");) {
        assert_true(px_clock_ms() < until);
        size_t keep = failing_at;
        failing_at = 0;
        assert_int_equal(px_timer_start(site.loop, &site.timer, 1), PX_OK);
        failing_at = keep;
        px_loop_run(site.loop);
        px_timer_stop(site.loop, &site.timer);
        if (site.held_count && site.held[0]) {
            answer(&site);
        }
        open = hear_some(&site, fd);
    }
    bool failed = failing_stop();
    const char *whole = strstr(site.text, "0\r\n\r\n");
    if (whole) {
        size_t pieces = 0;
        for (const char *at = site.text; at < whole; at++) {
            pieces += *at == 'p' && at[1] == 'p';
        }
        assert_int_equal(pieces, 2 * 19999);
    }
    if (!failed) {
        assert_has(&site, "\r\n\r\nnext");
    }
    close(fd);
    site_close(&site);
    return failed;
}

static void test_each_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t n = 1;
        while (survive(n, requests[i])) {
            n++;
        }
        assert_true(n > 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests_name("exchange/memory", tests, NULL, NULL);
}
