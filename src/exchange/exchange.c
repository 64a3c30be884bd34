// An exchange: one request and its answer's state.

#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "px/http_url.h"

/// The same span in the copied head.
static struct px_str moved(struct px_str span, const char *from, const char *to)
{
    return span.ptr ? (struct px_str){ to + (span.ptr - from), span.len } : span;
}

struct px_exchange *exchange_new(struct client *client, const struct px_http_head *head,
                                 struct px_str bytes)
{
    struct px_host *host = client->host;
    size_t headers = head->count * sizeof(struct px_http_header);
    struct px_exchange *ex = calloc(1, sizeof(*ex) + headers + bytes.len);
    if (!ex) {
        return NULL;
    }
    char *copy = (char *)ex + sizeof(*ex) + headers;
    memcpy(copy, bytes.ptr, bytes.len);
    for (size_t i = 0; i < head->count; i++) {
        ex->headers[i].name = moved(head->headers[i].name, bytes.ptr, copy);
        ex->headers[i].value = moved(head->headers[i].value, bytes.ptr, copy);
    }
    ex->head = *head;
    ex->head.headers = ex->headers;
    ex->head.method = moved(head->method, bytes.ptr, copy);
    ex->head.target = moved(head->target, bytes.ptr, copy);
    ex->head.host = moved(head->host, bytes.ptr, copy);
    ex->head.content_encoding = moved(head->content_encoding, bytes.ptr, copy);
    ex->client = client;
    ex->host = host;
    ex->limit = host->conf.body_limit;
    ex->keep_alive = head->keep_alive;
    ex->head_only = px_str_eq(head->method, PX_STR("HEAD"));
    ex->held = host->hooks->begin(host->user);
    host->stats->requests++;
    return ex;
}

/// Nobody adds to the source any more.
static void let_go_source(struct px_exchange *ex)
{
    if (ex->source) {
        px_source_break(ex->source, 503, "The request is over.");
        px_source_on_room(ex->source, NULL, NULL);
        px_source_drop(ex->source);
        ex->source = NULL;
    }
}

void exchange_free(struct px_exchange *ex)
{
    let_go_source(ex);
    px_exchange_drop_body(ex);
    px_http_coding_free(ex->coding);
    ex->host->hooks->end(ex->host->user, ex->held);
    ex->host->stats->requests--;
    free(ex);
}

void px_exchange_drop_body(struct px_exchange *ex)
{
    if (ex->source && !ex->whole) {
        return;
    }
    let_go_source(ex);
    px_block_drop(ex->body);
    ex->body = NULL;
    if (ex->host->first == ex) {
        ex->host->first = NULL;
        px_loop_defer(ex->host->loop, &ex->host->room);
    }
    if (ex->charged) {
        ex->host->bodies -= ex->charged;
        ex->host->whole_bodies -= ex->settled ? ex->charged : 0;
        ex->host->stats->body_bytes -= ex->charged;
        ex->charged = 0;
        px_loop_defer(ex->host->loop, &ex->host->room);
    }
}

void px_exchange_drive(struct px_exchange *ex, const struct px_exchange_fns *fns, void *user)
{
    ex->fns = fns;
    ex->user = user;
}

const struct px_http_head *px_exchange_head(const struct px_exchange *ex)
{
    return &ex->head;
}

struct px_str px_exchange_path(const struct px_exchange *ex)
{
    struct px_str path;
    px_http_url_split(ex->head.target, &path, NULL);
    return path;
}

struct px_str px_exchange_query(const struct px_exchange *ex)
{
    struct px_str query;
    px_http_url_split(ex->head.target, NULL, &query);
    return query;
}

void *px_exchange_held(const struct px_exchange *ex)
{
    return ex->held;
}

struct px_loop *px_exchange_loop(const struct px_exchange *ex)
{
    return ex->host->loop;
}

const char *px_exchange_peer(const struct px_exchange *ex)
{
    return ex->client->conn ? px_conn_peer(ex->client->conn) : "";
}

struct px_block *px_exchange_body(const struct px_exchange *ex)
{
    return ex->body;
}

struct px_source *px_exchange_upload(const struct px_exchange *ex)
{
    return ex->source;
}

bool px_exchange_gone(const struct px_exchange *ex)
{
    return ex->client->state == CLIENT_GONE;
}

bool px_exchange_full(const struct px_exchange *ex)
{
    return !px_exchange_gone(ex) && px_conn_full(ex->client->conn);
}

bool px_exchange_started(const struct px_exchange *ex)
{
    return ex->answer != ANSWER_NONE;
}

bool px_exchange_complete(const struct px_exchange *ex)
{
    return ex->answer == ANSWER_DONE;
}

uint64_t px_exchange_sent(const struct px_exchange *ex)
{
    return ex->sent;
}

void px_exchange_end(struct px_exchange *ex)
{
    struct client *client = ex->client;
    if (ex->answer == ANSWER_NONE && !px_exchange_gone(ex)) {
        const struct px_str text =
            PX_STR("{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"code\":"
                   "null,\"param\":null,\"message\":\"The gateway failed.\"}}");
        const struct px_http_header type = { PX_STR("content-type"), PX_STR("application/json") };
        px_exchange_answer(ex, 500, &type, 1, NULL, text);
    } else if (ex->answer == ANSWER_OPEN) {
        px_exchange_abort(ex);
    }
    bool close = !ex->keep_alive || ex->host->stopping || (ex->source && !ex->whole);
    client->ex = NULL;
    exchange_free(ex);
    if (client->state == CLIENT_GONE) {
        client_close(client, false);
    } else if (close) {
        client_close(client, true);
    } else {
        client_next(client);
    }
}
