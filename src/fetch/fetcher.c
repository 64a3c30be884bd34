// A fetcher drives one multi handle from its loop. (The lean lane, lane.h, is driven by its
// sockets; what it has for the top of the loop comes through the same queue.)
//
// The library's callbacks only mark transfers and queue them. run() works at the top of the loop:
// it opens, resumes and ends transfers, and gives the library the time it asks for. A timer of the
// library's that is due at once (it sets one for every transfer) is run there too, without a real
// timer. Transfers that the library reports as done after each of its turns are queued like others.

#include <assert.h>
#include <stdlib.h>

#include "inner.h"

/// Turns of the library that run() takes before it lets the loop look at sockets.
#define MAX_TURNS 16

/// Piece of an answer that is handed over at most. Each open transfer keeps a buffer of that size.
#define BUFFER_STREAMED 2048L
#define BUFFER_WHOLE 16384L

static struct px_fetch *fetch_of(struct px_gate_pass *pass)
{
    return (struct px_fetch *)((char *)pass - offsetof(struct px_fetch, pass));
}

static void on_gate_open(struct px_gate_pass *pass)
{
    struct px_fetch *fetch = fetch_of(pass);
    fetch->admitted = true;
    px_fetcher_queue(fetch);
}

static void on_gate_refuse(struct px_gate_pass *pass)
{
    struct px_fetch *fetch = fetch_of(pass);
    px_fetch_end(fetch,
                 fetch->proxy.host.len ? CURLE_COULDNT_RESOLVE_PROXY : CURLE_COULDNT_RESOLVE_HOST);
}

void px_fetcher_queue(struct px_fetch *fetch)
{
    struct px_fetcher *fetcher = fetch->fetcher;
    if (!fetch->queued) {
        fetch->queued = true;
        fetch->queue_next = NULL;
        *fetcher->queue_last = fetch;
        fetcher->queue_last = &fetch->queue_next;
        px_loop_defer(fetcher->loop, &fetcher->work);
    }
}

static void settle_queued(struct px_fetcher *fetcher)
{
    struct px_fetch *fetch = fetcher->queue_first;
    fetcher->queue_first = NULL;
    fetcher->queue_last = &fetcher->queue_first;
    while (fetch) {
        struct px_fetch *next = fetch->queue_next;
        fetch->queued = false;
        px_fetch_settle(fetch);
        fetch = next;
    }
}

/// Lets the library work on a socket or its timer, and queues what it has finished.
static void turn(struct px_fetcher *fetcher, curl_socket_t fd, int mask)
{
    int running, left;
    curl_multi_socket_action(fetcher->multi, fd, mask, &running);
    for (CURLMsg *msg; (msg = curl_multi_info_read(fetcher->multi, &left));) {
        struct px_fetch *fetch = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &fetch);
        if (msg->msg == CURLMSG_DONE && fetch) {
            px_fetch_end(fetch, msg->data.result);
        }
    }
}

static void run(void *user)
{
    struct px_fetcher *fetcher = user;
    for (int turns = 0; turns < MAX_TURNS; turns++) {
        settle_queued(fetcher);
        if (fetcher->kick) {
            fetcher->kick = false;
            turn(fetcher, CURL_SOCKET_TIMEOUT, 0);
        } else if (!fetcher->queue_first) {
            return;
        }
    }
    px_loop_defer(fetcher->loop, &fetcher->work);
}

static void kick(struct px_fetcher *fetcher)
{
    fetcher->kick = true;
    px_loop_defer(fetcher->loop, &fetcher->work);
}

void px_fetcher_ready(struct px_fetcher *fetcher, curl_socket_t fd, int events)
{
    int mask = (events & PX_POLL_READ ? CURL_CSELECT_IN : 0) |
               (events & PX_POLL_WRITE ? CURL_CSELECT_OUT : 0) |
               (events & PX_POLL_ERROR ? CURL_CSELECT_ERR : 0);
    turn(fetcher, fd, mask);
}

static void on_timer(void *user)
{
    kick(user);
}

static int on_multi_timer(CURLM *multi, long ms, void *user)
{
    (void)multi;
    struct px_fetcher *fetcher = user;
    fetcher->kick = false;
    if (ms < 0) {
        px_timer_stop(fetcher->loop, &fetcher->timer);
    } else if (ms == 0 || px_timer_start(fetcher->loop, &fetcher->timer, (uint64_t)ms)) {
        // Without memory for a timer the library is asked each round: slow, but alive.
        px_timer_stop(fetcher->loop, &fetcher->timer);
        kick(fetcher);
    }
    return 0;
}

struct px_fetcher *px_fetcher_new(struct px_loop *loop, size_t max_idle)
{
    struct px_fetcher *fetcher = calloc(1, sizeof(*fetcher));
    if (!fetcher) {
        return NULL;
    }
    *fetcher = (struct px_fetcher){ .loop = loop, .max_idle = max_idle };
    fetcher->queue_last = &fetcher->queue_first;
    fetcher->work = (struct px_defer){ .fn = run, .user = fetcher };
    fetcher->timer = (struct px_timer){ .fn = on_timer, .user = fetcher };
    fetcher->gate.on_open = on_gate_open;
    fetcher->gate.on_refuse = on_gate_refuse;
    fetcher->multi = curl_multi_init();
    if (!fetcher->multi) {
        free(fetcher);
        return NULL;
    }
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, px_on_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_multi_timer);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    return fetcher;
}

void px_fetcher_free(struct px_fetcher *fetcher)
{
    if (!fetcher) {
        return;
    }
    assert(fetcher->live == 0);
    while (fetcher->queue_first) {
        settle_queued(fetcher);  // Cancelled ones that have not gone yet.
    }
    for (size_t i = 0; i < 2; i++) {
        while (fetcher->pools[i].count) {
            curl_easy_cleanup(fetcher->pools[i].handles[--fetcher->pools[i].count]);
        }
    }
    px_lane_deinit(&fetcher->lane);
    curl_multi_cleanup(fetcher->multi);
    px_socks_free(fetcher);
    px_timer_stop(fetcher->loop, &fetcher->timer);
    px_loop_undefer(fetcher->loop, &fetcher->work);
    px_gate_deinit(&fetcher->gate);
    free(fetcher);
}

size_t px_fetcher_transfers(const struct px_fetcher *fetcher)
{
    return fetcher->live;
}

// An easy handle that has failed early may keep its buffer, and then it takes no other size for it,
// while a reset makes it believe that the buffer is of the usual one. Such a handle is not used
// again. The two pools keep the sizes apart for the same reason.

static bool set_buffer(CURL *easy, bool streamed)
{
    return curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, streamed ? BUFFER_STREAMED : BUFFER_WHOLE) ==
           CURLE_OK;
}

CURL *px_fetcher_take_easy(struct px_fetcher *fetcher, bool streamed)
{
    struct easy_pool *pool = &fetcher->pools[streamed];
    if (pool->count) {
        return pool->handles[--pool->count];
    }
    CURL *easy = curl_easy_init();
    if (easy && !set_buffer(easy, streamed)) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

void px_fetcher_give_easy(struct px_fetcher *fetcher, CURL *easy, bool streamed)
{
    struct easy_pool *pool = &fetcher->pools[streamed];
    curl_easy_reset(easy);
    if (pool->count < sizeof(pool->handles) / sizeof(*pool->handles) &&
        set_buffer(easy, streamed)) {
        pool->handles[pool->count++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}
