// From every allocation of ours on memory is short: the transfer may fail, nothing may leak, and
// the next one works. The server's threads and the libraries keep their memory (libcurl 7.88 itself
// does not survive a failure everywhere). And how much of it an open stream needs.

#include "fake.h"

#include <malloc.h>

static _Thread_local long left = -1;  ///< Allocations that still succeed; below 0 all do.
static _Thread_local size_t held;     ///< Bytes that this thread holds.

static bool fails(void)
{
    if (left > 0) {
        left--;
    }
    return left == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void __real_free(void *ptr);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void __wrap_free(void *ptr);

static void *hold(void *ptr)
{
    held += malloc_usable_size(ptr);
    return ptr;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : hold(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : hold(__real_calloc(count, size));
}

void *__wrap_realloc(void *ptr, size_t size)
{
    if (fails()) {
        return NULL;
    }
    held -= malloc_usable_size(ptr);
    return hold(__real_realloc(ptr, size));
}

void __wrap_free(void *ptr)
{
    held -= malloc_usable_size(ptr);
    __real_free(ptr);
}

static void serve_hello(struct peer *peer)
{
    while (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n");
        fake_say(peer, "5\r\nhello\r\n0\r\n\r\n");
    }
}

struct result {
    struct px_loop *loop;
    int status;
    size_t len;
    bool ended;
    enum px_fetch_failure failure;
};

static void on_head(void *user, const struct px_fetch_head *head)
{
    ((struct result *)user)->status = head->status;
}

static void on_data(void *user, struct px_str bytes)
{
    ((struct result *)user)->len += bytes.len;
}

static void on_end(void *user, enum px_fetch_failure failure, const char *text)
{
    struct result *result = user;
    assert_int_equal(failure == PX_FETCH_NONE, *text == '\0');
    result->ended = true;
    result->failure = failure;
    px_loop_stop(result->loop);
}

static const struct px_fetch_fns fns = { on_head, on_data, on_end };

static void on_hang(void *user)
{
    (void)user;
    fail_msg("the transfer hangs");
}

/// Makes one transfer. True if it ended well.
static bool transfer(struct px_loop *loop, struct px_fetcher *fetcher, const char *url,
                     struct px_block *body)
{
    struct result result = { .loop = loop };
    struct px_fetch *fetch = NULL;
    struct px_timer timer = { .fn = on_hang };
    const struct px_fetch_header header = { PX_STR("X-Header"), PX_STR("value") };
    struct px_fetch_request request = { .url = str_of(url),
                                        .headers = &header,
                                        .header_count = 1,
                                        .body = body,
                                        .times = { 5000, 5000, 5000, 5000 } };
    enum px_status st = px_fetch_start(fetcher, &request, &fns, &result, &fetch, NULL);
    if (!st) {
        if (!px_timer_start(loop, &timer, 10000)) {
            px_loop_run(loop);
            px_timer_stop(loop, &timer);
        }
        assert_true(result.ended);
    } else {
        assert_int_equal(st, PX_ENOMEM);
    }
    assert_int_equal(px_fetcher_transfers(fetcher), 0);
    assert_int_equal(body->refs, 1);
    bool good = !st && result.failure == PX_FETCH_NONE;
    assert_true(!good || (result.status == 200 && result.len == 5));
    return good;
}

static void fail_each(size_t size)
{
    char url[128];
    struct fake fake = { 0 };
    struct px_block *body = px_block_new(size);
    memset(body->ptr, 'x', size);
    body->len = size;
    fake_start(&fake, serve_hello);
    url_of(&fake, url);
    bool reached = true;
    long failed = 0;
    for (long n = 1; reached; n++) {
        struct px_loop *loop = px_loop_new();
        left = n;
        struct px_fetcher *fetcher = px_fetcher_new(loop, 4);
        if (fetcher) {
            struct px_timer warm = { .fn = on_hang };  // The loop's own table is not the matter.
            bool armed = px_timer_start(loop, &warm, 10000) == PX_OK;
            px_timer_stop(loop, &warm);
            failed += armed && !transfer(loop, fetcher, url, body);
        }
        reached = left == 0;
        left = -1;
        if (fetcher) {
            assert_true(transfer(loop, fetcher, url, body));
        }
        px_fetcher_free(fetcher);
        px_loop_free(loop);
    }
    assert_true(failed > 3);
    px_block_drop(body);
    fake_stop(&fake);
}

static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    fail_each(100);
    fail_each(100000);
}

/// Begins to answer, and goes on when the flag says so.
static void serve_stream(struct peer *peer)
{
    if (fake_read(peer)) {
        fake_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        while (!atomic_load(&peer->fake->flag)) {
            usleep(5000);
        }
        fake_say(peer, "0\r\n\r\n");
    }
}

#define STREAMS 300

static struct result streams[STREAMS];

static bool all_have_begun(struct client *client)
{
    (void)client;
    size_t count = 0;
    for (int i = 0; i < STREAMS; i++) {
        count += streams[i].len > 0;
    }
    return count == STREAMS;
}

static bool all_have_ended(struct client *client)
{
    return px_fetcher_transfers(client->fetcher) == 0;
}

static void on_stream_end(void *user, enum px_fetch_failure failure, const char *text)
{
    (void)user;
    assert_int_equal(failure, PX_FETCH_NONE);
    assert_string_equal(text, "");
}

static void test_an_open_stream_needs_less_than_4_kib(void **state)
{
    (void)state;
    static const struct px_fetch_fns stream_fns = { on_head, on_data, on_stream_end };
    struct fake fake = { 0 };
    struct client client = { 0 };
    struct px_fetch *fetch;
    char url[128], secret[600];
    memset(secret, 's', sizeof(secret));
    const struct px_fetch_header header = { PX_STR("Authorization"), { secret, sizeof(secret) } };
    fake_start(&fake, serve_stream);
    client_open(&client, STREAMS);
    const struct px_fetch_request request = { .url = str_of(url_of(&fake, url)),
                                              .headers = &header,
                                              .header_count = 1,
                                              .streamed = true,
                                              .times = { 9000, 9000, 9000, 9000 } };
    memset(streams, 0, sizeof(streams));
    size_t before = held;
    for (int i = 0; i < STREAMS; i++) {
        assert_int_equal(
            px_fetch_start(client.fetcher, &request, &stream_fns, &streams[i], &fetch, NULL),
            PX_OK);
    }
    client_run(&client, all_have_begun, NULL);
    assert_true(held - before < STREAMS * 4096 + (px_lane_off ? 0 : PX_LANE_READ));
    atomic_store(&fake.flag, true);
    client_run(&client, all_have_ended, NULL);
    client_close(&client);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_allocation_may_fail),
        cmocka_unit_test(test_an_open_stream_needs_less_than_4_kib),
    };
    return cmocka_run_group_tests_name("memory", tests, fetch_setup, fetch_teardown);
}
