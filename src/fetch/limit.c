// The four limits of a transfer share one timer.
//
// Data that comes only notes the time. The timer stays where it is; when it fires too early for
// the limit that runs by then, it is armed anew. Only a limit that comes to run earlier than the
// timer moves it.

#include "inner.h"

static void consider(uint64_t since, uint32_t ms, enum fetch_limit limit, uint64_t *at,
                     enum fetch_limit *which)
{
    if (ms && since + ms < *at) {
        *at = since + ms;
        *which = limit;
    }
}

/// When the earliest running limit passes; UINT64_MAX if none runs.
static uint64_t next_limit(const struct px_fetch *fetch, enum fetch_limit *which)
{
    uint64_t at = UINT64_MAX;
    const struct px_fetch_times *times = &fetch->times;
    consider(fetch->started, times->total, LIMIT_TOTAL, &at, which);
    if (fetch->phase == FETCH_CONNECTING) {
        consider(fetch->started, times->connect, LIMIT_CONNECT, &at, which);
    } else if (fetch->phase == FETCH_SENDING && !px_upload_is_dry(fetch)) {
        consider(fetch->active, times->first_byte, LIMIT_FIRST_BYTE, &at, which);
    } else if (fetch->phase == FETCH_ANSWERING && !fetch->paused) {
        consider(fetch->active, times->idle, LIMIT_IDLE, &at, which);
    }
    return at;
}

void px_limit_arm(struct px_fetch *fetch)
{
    struct px_loop *loop = fetch->fetcher->loop;
    enum fetch_limit which = LIMIT_NONE;
    uint64_t at = next_limit(fetch, &which);
    if (fetch->over || at == UINT64_MAX || (fetch->timer.slot && fetch->timer.at <= at)) {
        return;
    }
    uint64_t now = px_loop_now(loop);
    if (px_timer_start(loop, &fetch->timer, at > now ? at - now : 0)) {
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "no memory for a timer");
    }
}

void px_limit_stop(struct px_fetch *fetch)
{
    px_timer_stop(fetch->fetcher->loop, &fetch->timer);
}

void px_limit_on_timer(void *user)
{
    struct px_fetch *fetch = user;
    enum fetch_limit which = LIMIT_NONE;
    if (next_limit(fetch, &which) > px_loop_now(fetch->fetcher->loop)) {
        px_limit_arm(fetch);
    } else if (!fetch->over) {
        fetch->limit = which;
        px_fetch_fail(fetch, PX_FETCH_TIMEOUT, NULL);
    }
}
