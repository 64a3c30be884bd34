// What the library calls while it works on a transfer. Everything here only notes and hands on.

#include <stdlib.h>
#include <string.h>

#include "inner.h"
#include "px/http.h"

static uint64_t now_of(const struct px_fetch *fetch)
{
    return px_loop_now(fetch->fetcher->loop);
}

int px_on_request(void *user, char *ip, char *local_ip, int port, int local_port)
{
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    struct px_fetch *fetch = user;
    struct px_gate *gate = &fetch->fetcher->gate;
    if (fetch->over) {
        return CURL_PREREQFUNC_ABORT;
    }
    if (fetch->dialled) {
        px_gate_found(gate, &fetch->pass, now_of(fetch));
    } else {
        px_gate_leave(gate, &fetch->pass);
    }
    fetch->phase = FETCH_SENDING;
    fetch->active = now_of(fetch);
    px_limit_arm(fetch);
    return fetch->over ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

size_t px_on_read(char *to, size_t size, size_t count, void *user)
{
    struct px_fetch *fetch = user;
    if (fetch->source && !fetch->over) {
        return px_upload_read(fetch, to, size * count);
    }
    if (fetch->over || !fetch->body) {
        return CURL_READFUNC_ABORT;
    }
    size_t left = fetch->body_len - fetch->body_at;
    size_t len = left < size * count ? left : size * count;
    memcpy(to, fetch->body->ptr + fetch->body_at, len);
    fetch->body_at += len;
    fetch->active = now_of(fetch);
    return len;
}

int px_on_seek(void *user, curl_off_t offset, int origin)
{
    struct px_fetch *fetch = user;
    if (fetch->source) {
        bool first = origin == SEEK_SET && offset == 0;
        return first && px_source_rewind(fetch->source) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
    }
    if (!fetch->body || origin != SEEK_SET || offset < 0 || (size_t)offset > fetch->body_len) {
        return CURL_SEEKFUNC_FAIL;
    }
    fetch->body_at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/// The library sends a request again only while it has seen nothing of the answer, so with the
/// final head here the body is of use only as far as it has not been taken.
void px_fetch_shed_body(struct px_fetch *fetch)
{
    if (fetch->unwanted && fetch->answer.done) {
        px_upload_shed(fetch);
    }
    if (!fetch->body || !fetch->unwanted || !fetch->answer.done) {
        return;
    }
    if (fetch->lean) {
        if (px_lane_has_sent(fetch)) {
            px_block_drop(fetch->body);
            fetch->body = NULL;
        }
        return;
    }
    curl_off_t sent = 0;
    if (curl_easy_getinfo(fetch->easy, CURLINFO_SIZE_UPLOAD_T, &sent) ||
        sent < (curl_off_t)fetch->body_len) {
        return;
    }
    if (!fetch->http2) {
        // Said anew, the size makes the library free the buffer that it has sent from.
        curl_easy_setopt(fetch->easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
    }
    if (fetch->posted) {
        // Should the library ever look again, it finds on_read(), which refuses.
        curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDS, NULL);
    }
    px_block_drop(fetch->body);
    fetch->body = NULL;
}

/// An answer without a length over TLS ends with the connection. The library does not care whether
/// the connection was ended or cut, so this is watched for.
static bool watch_end(struct px_fetch *fetch, const struct px_fetch_head *head)
{
    bool by_close = fetch->target.secure && !fetch->head_only && head->content_length < 0 &&
                    head->status != 204 && head->status != 304 &&
                    memcmp(fetch->answer.text.ptr, "HTTP/1", 6) == 0;
    for (size_t i = 0; by_close && i < head->header_count; i++) {
        by_close = !px_http_same(head->headers[i].name, PX_STR("transfer-encoding")) &&
                   !px_http_same(head->headers[i].name, PX_STR("content-length"));
    }
    struct curl_tlssessioninfo *tls = NULL;
    if (!by_close || curl_easy_getinfo(fetch->easy, CURLINFO_TLS_SSL_PTR, &tls) || !tls ||
        !tls->internals) {
        return true;
    }
    fetch->end = px_tls_watch_end(tls->internals);
    return fetch->end != NULL;
}

static bool hand_over_head(struct px_fetch *fetch)
{
    struct px_fetch_head head;
    if (px_answer_read(&fetch->answer, &head)) {
        return false;
    }
    bool watched = watch_end(fetch, &head);
    if (head.status >= 300 && fetch->starved) {
        fetch->refused = true;  // It does not want the rest, and ends once the library goes on.
        px_fetcher_queue(fetch);
    }
    if (watched) {
        fetch->fns.on_head(fetch->user, &head);
    }
    free((void *)head.headers);
    px_answer_deinit(&fetch->answer);
    return watched;
}

static void refuse_head(struct px_fetch *fetch, enum px_answer_line verdict)
{
    if (verdict == PX_ANSWER_TOO_LARGE) {
        px_fetch_fail(fetch, PX_FETCH_PROTOCOL, PX_ANSWER_TOO_LARGE_TEXT);
    } else if (verdict == PX_ANSWER_BAD) {
        px_fetch_fail(fetch, PX_FETCH_PROTOCOL, PX_ANSWER_BAD_TEXT);
    } else {
        px_fetch_fail(fetch, PX_FETCH_INTERNAL, "no memory for the head of the answer");
    }
}

size_t px_on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct px_fetch *fetch = user;
    size_t len = size * count;
    if (fetch->over) {
        return 0;
    }
    enum px_answer_line verdict = px_answer_add(&fetch->answer, (struct px_str){ bytes, len });
    if (verdict == PX_ANSWER_BEGUN) {
        fetch->phase = FETCH_ANSWERING;
        fetch->active = now_of(fetch);
        px_limit_arm(fetch);
    } else if (verdict == PX_ANSWER_MORE) {
        fetch->active = fetch->phase == FETCH_ANSWERING ? now_of(fetch) : fetch->active;
    } else if (verdict != PX_ANSWER_HEAD) {
        refuse_head(fetch, verdict);
    } else if (!hand_over_head(fetch)) {
        refuse_head(fetch, PX_ANSWER_NO_MEMORY);
    }
    return fetch->over ? 0 : len;
}

size_t px_on_write(char *bytes, size_t size, size_t count, void *user)
{
    struct px_fetch *fetch = user;
    size_t len = size * count;
    if (fetch->over) {
        return 0;
    }
    if (fetch->paused) {
        fetch->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    fetch->active = now_of(fetch);
    px_fetch_shed_body(fetch);
    if (len) {
        fetch->fns.on_data(fetch->user, (struct px_str){ bytes, len });
    }
    return fetch->over ? 0 : len;
}
