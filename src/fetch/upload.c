// A request's body that comes while it is sent: the transfer takes from a source what there is, and
// waits for more at the top of the loop. While it waits, no limit of the upstream's runs.

#include <string.h>

#include "inner.h"

/// The source has more, or came to its end.
static void on_more(void *user)
{
    struct px_fetch *fetch = user;
    if (!fetch->over && fetch->fetcher) {
        px_fetcher_queue(fetch);
    }
}

void px_upload_begin(struct px_fetch *fetch, struct px_source *source)
{
    fetch->source = px_source_hold(source);
    fetch->upload.chunked = px_source_length(source) < 0;
    px_source_on_more(source, on_more, fetch);
}

void px_upload_end(struct px_fetch *fetch)
{
    if (fetch->source) {
        px_source_on_more(fetch->source, NULL, NULL);
        px_source_drop(fetch->source);
        fetch->source = NULL;
    }
}

bool px_upload_is_once(const struct px_fetch *fetch)
{
    int64_t length = fetch->source ? px_source_length(fetch->source) : 0;
    return length < 0 || length > (int64_t)PX_SOURCE_AHEAD;
}

bool px_upload_is_dry(const struct px_fetch *fetch)
{
    return fetch->source && px_source_state(fetch->source) == PX_SOURCE_OPEN &&
           !px_source_peek(fetch->source).len;
}

bool px_upload_broke(struct px_fetch *fetch)
{
    bool broke = fetch->source && px_source_state(fetch->source) == PX_SOURCE_BROKEN;
    if (broke) {
        px_fetch_fail(fetch, PX_FETCH_UPLOAD, "the client's body broke off");
    }
    return broke;
}

size_t px_upload_read(struct px_fetch *fetch, char *to, size_t size)
{
    struct px_source *source = fetch->source;
    struct px_str bytes = px_source_peek(source);
    if (px_upload_broke(fetch)) {
        return CURL_READFUNC_ABORT;
    }
    if (px_upload_is_dry(fetch)) {
        fetch->starved = true;
        return CURL_READFUNC_PAUSE;
    }
    size_t len = bytes.len < size ? bytes.len : size;
    if (len) {
        memcpy(to, bytes.ptr, len);
    }
    px_source_take(source, len);
    fetch->active = px_loop_now(fetch->fetcher->loop);
    px_limit_arm(fetch);
    return fetch->over ? CURL_READFUNC_ABORT : len;
}

bool px_upload_goes_on(const struct px_fetch *fetch)
{
    return fetch->starved && (fetch->refused || !px_upload_is_dry(fetch));
}

void px_upload_shed(struct px_fetch *fetch)
{
    struct px_source *source = fetch->source;
    if (source && px_source_state(source) == PX_SOURCE_WHOLE && !px_source_peek(source).len &&
        (!fetch->lean || px_lane_has_sent(fetch))) {
        px_upload_end(fetch);
    }
}
