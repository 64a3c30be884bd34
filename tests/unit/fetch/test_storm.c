// Hundreds of transfers that are paused, resumed, given up and cancelled at random moments. The
// order is random but the same in every run; what must hold is that nothing is lost or called
// twice.

#include "fake.h"

#define TOTAL 600
#define WIDTH 40

static unsigned seed;

static unsigned dice(unsigned sides)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % sides;
}

/// Streams chunks; what the request's body begins with says how it ends.
static void serve_stream(struct peer *peer)
{
    char chunk[2100];
    while (fake_read(peer)) {
        char kind = peer->body[0];
        fake_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        memset(chunk, 'c', sizeof(chunk));
        memcpy(chunk, "7d0\r\n", 5);
        memcpy(chunk + 5 + 2000, "\r\n", 2);
        for (int i = 0; i < 20; i++) {
            if (!fake_send(peer, chunk, 2007)) {
                return;
            }
            if (i % 4 == 0) {
                usleep(500);
            }
        }
        if (kind == 'r') {
            fake_reset(peer);
            return;
        }
        if (kind == 'c') {
            return;
        }
        fake_say(peer, "0\r\n\r\n");
    }
}

struct storm {
    struct client client;
    struct fake fake;
    struct heard heard[TOTAL];
    char kinds[TOTAL];
    bool cancelled[TOTAL];
    struct px_block *bodies[6];
    int started;
};

static struct storm storm;

static bool over(int i)
{
    return storm.heard[i].ended || storm.cancelled[i];
}

static void cancel(int i)
{
    storm.cancelled[i] = true;
    px_fetch_cancel(storm.heard[i].fetch);
}

static void on_piece(struct heard *heard)
{
    int i = (int)(heard - storm.heard);
    assert_false(storm.cancelled[i]);
    switch (dice(60)) {
    case 0: cancel(i); break;
    case 1:
    case 2: px_fetch_pause(heard->fetch); break;
    default: break;
    }
}

/// Starts what is missing, shakes what runs.
static bool on_storm_tick(struct client *client)
{
    char url[128];
    int running = 0;
    for (int i = 0; i < storm.started; i++) {
        if (over(i)) {
            continue;
        }
        running++;
        switch (dice(20)) {
        case 0: cancel(i); break;
        case 1: px_fetch_pause(storm.heard[i].fetch); break;
        case 2: px_fetch_drop_body(storm.heard[i].fetch); break;
        default: px_fetch_resume(storm.heard[i].fetch); break;
        }
    }
    while (running < WIDTH && storm.started < TOTAL) {
        struct heard *heard = &storm.heard[storm.started];
        unsigned kind = dice(6);
        heard->on_data = heard->on_head = on_piece;
        storm.kinds[storm.started++] = storm.bodies[kind]->ptr[0];
        start(client,
              &(struct px_fetch_request){ .url = str_of(url_of(&storm.fake, url)),
                                          .body = storm.bodies[kind],
                                          .streamed = dice(2),
                                          .times = { 9000, 9000, 9000, 9000 } },
              heard);
        running++;
    }
    return running == 0;
}

static void test_a_storm_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char kinds[] = "wwwwrc";
    seed = 4711;
    memset(&storm, 0, sizeof(storm));
    for (size_t i = 0; i < 6; i++) {
        size_t size = i % 2 ? 200000 : 200;
        storm.bodies[i] = px_block_new(size);
        memset(storm.bodies[i]->ptr, 'x', size);
        storm.bodies[i]->ptr[0] = kinds[i];
        storm.bodies[i]->len = size;
    }
    fake_start(&storm.fake, serve_stream);
    client_open(&storm.client, 4);
    client_run(&storm.client, on_storm_tick, NULL);
    assert_int_equal(px_fetcher_transfers(storm.client.fetcher), 0);
    int whole = 0, cut = 0;
    for (int i = 0; i < TOTAL; i++) {
        const struct heard *heard = &storm.heard[i];
        assert_true(storm.cancelled[i] != heard->ended);
        if (heard->ended && storm.kinds[i] == 'w') {
            assert_int_equal(heard->failure, PX_FETCH_NONE);
            assert_int_equal(heard->data_len, 40000);
            whole++;
        } else if (heard->ended) {
            assert_int_equal(heard->failure, PX_FETCH_CUT);
            cut++;
        }
        heard_free(&storm.heard[i]);
    }
    assert_true(whole > 20);
    assert_true(cut > 5);
    client_close(&storm.client);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(storm.bodies[i]->refs, 1);
        px_block_drop(storm.bodies[i]);
    }
    fake_stop(&storm.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_storm_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("storm", tests, fetch_setup, fetch_teardown);
}
