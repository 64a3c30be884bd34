// An upstream's answer on its way to a client. The upstream is a thread with a blocking socket that
// does what its script says.

#pragma once

#include "../fetch/fake.h"
#include "px/reply.h"
#include "site.h"

/// What the upstream sends.
struct script {
    const char *head;
    const char *body;
    size_t len;   ///< 0: all of the text.
    size_t step;  ///< Bytes at once; 0: all.
    bool cut;     ///< Ends in the middle of a chunked or counted body.
    bool hold;    ///< Before the end it waits for `fake.flag`.
};

SITE void serve_script(struct peer *peer)
{
    const struct script *script = peer->fake->user;
    if (!fake_read(peer)) {
        return;
    }
    size_t len = script->len ? script->len : strlen(script->body);
    size_t step = script->step ? script->step : len;
    fake_say(peer, "HTTP/1.1 200 OK\r\n");
    fake_say(peer, script->head);
    fake_say(peer, "\r\n");
    for (size_t at = 0; at < len; at += step) {
        if (!fake_send(peer, script->body + at, len - at < step ? len - at : step)) {
            return;
        }
        if (script->step) {
            struct timespec moment = { 0, 300000 };
            nanosleep(&moment, NULL);
        }
    }
    while (script->hold && !atomic_load(&peer->fake->flag)) {
        struct timespec moment = { 0, 1000000 };
        nanosleep(&moment, NULL);
    }
    if (script->cut) {
        fake_reset(peer);
    }
}

/// One request of a client to /hold, and the upstream's reply to it.
struct visit {
    struct site site;
    struct fake fake;
    struct px_fetcher *fetcher;
    struct px_reply *reply;
    int fd;
    int wakes;
};

SITE void on_wake(void *user)
{
    ((struct visit *)user)->wakes++;
}

SITE void wait_for(struct visit *visit, enum px_reply_what what)
{
    visit->wakes = 0;
    if (!px_reply_wait(visit->reply, what)) {
        site_wait(&visit->site, visit->wakes == 1);
    }
}

SITE struct visit *visit_open(const struct script *script)
{
    struct visit *visit = calloc(1, sizeof(*visit));
    site_open(&visit->site, NULL);
    visit->fake.user = (void *)(uintptr_t)script;
    fake_start(&visit->fake, serve_script);
    visit->fetcher = px_fetcher_new(visit->site.loop, 4);
    visit->fd = dial(&visit->site);
    say(visit->fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    held(&visit->site, 0);
    char url[100];
    struct px_fetch_request request = { .url = str_of(url_of(&visit->fake, url)) };
    struct px_error err = { PX_OK, "" };
    assert_int_equal(px_reply_new(visit->site.loop, visit->fetcher, &request, on_wake, visit,
                                  &visit->reply, &err),
                     PX_OK);
    wait_for(visit, PX_REPLY_HEAD);
    return visit;
}

SITE void visit_close(struct visit *visit)
{
    atomic_store(&visit->fake.flag, true);
    px_reply_free(visit->reply);
    close(visit->fd);
    if (visit->site.held[0]) {
        end_held(&visit->site, 0);
    }
    site_wait(&visit->site, px_fetcher_transfers(visit->fetcher) == 0);
    px_listener_close(visit->site.listener);
    visit->site.listener = NULL;
    px_fetcher_free(visit->fetcher);
    fake_stop(&visit->fake);
    site_close(&visit->site);
    free(visit);
}

SITE const char *const taps[] = { "usage", "model" };

SITE struct px_relay_conf conf_of(bool events)
{
    return (struct px_relay_conf){
        .status = 200,
        .headers = &plain,
        .count = 1,
        .framing = events ? PX_FRAMING_SSE : PX_FRAMING_NONE,
        .tap = taps,
        .taps = 2,
    };
}

/// Relays to the end and finishes; what the client got is in site.text.
SITE enum px_fetch_failure relay(struct visit *visit, const struct px_relay_conf *conf)
{
    px_reply_relay(visit->reply, visit->site.held[0], conf);
    wait_for(visit, PX_REPLY_END);
    enum px_fetch_failure failure = px_reply_failure(visit->reply, NULL);
    if (failure) {
        px_exchange_abort(visit->site.held[0]);
    } else {
        px_exchange_finish(visit->site.held[0]);
    }
    end_held(&visit->site, 0);
    return failure;
}

/// Takes the chunks' framing off site.text's body.
SITE const char *unchunk(struct site *site)
{
    char *from = strstr(site->text, "\r\n\r\n");
    assert_non_null(from);
    from += 4;
    char *const body = from, *to = from;
    for (;;) {
        char *end;
        size_t len = strtoul(from, &end, 16);
        if (end == from || strncmp(end, "\r\n", 2) != 0 || !len) {
            break;
        }
        memmove(to, end + 2, len);
        to += len;
        from = end + 2 + len + 2;
    }
    *to = '\0';
    return body;
}

#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CLOSE "Connection: close\r\n"

SITE const char STREAM[] =
    ": hi\r\n\r\nevent: a\ndata: {\"usage\":null,\"x\":\"\xc3\xa4\"}\n\n"
    "data: {\"model\" : \"m\"}\r\n\r\n\n\ndata:{\"t\":\"\\\"usage\\\":1\"}\n\n"
    "data: {\"usage\": {\"n\":1}}\n\ndata: [DONE]\n\n";
