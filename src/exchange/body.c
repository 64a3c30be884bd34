// Reading a request's body: its framing, its coding, its limits.
//
// An upload goes into a source, of which only a part is ever in memory. One that has a coding is
// undone whole first, like other bodies: what one piece of it grows to is not known.

#include <stdlib.h>

#include "private.h"
#include "px/http_multipart.h"

/// A body announced to be at most this large gets its block at once.
#define WHOLE_BLOCK (4u << 20)

static enum px_status too_large(const struct px_exchange *ex, int *status, struct px_error *err)
{
    *status = 413;
    return px_fail(err, PX_ETOOBIG, "The request's body is larger than the limit of %zu bytes.",
                   ex->limit);
}

static bool is_upload(const struct px_http_head *head)
{
    return px_http_is_multipart(px_http_header_get(head, PX_STR("content-type")));
}

enum px_status exchange_open_body(struct px_exchange *ex, int *status, struct px_error *err)
{
    const struct px_http_head *head = &ex->head;
    px_http_body_init(&ex->framing, head);
    if (px_http_body_done(&ex->framing)) {
        return PX_OK;
    }
    bool uploads = is_upload(head) && !head->content_encoding.len;
    if (uploads) {
        ex->limit = ex->host->conf.upload_limit;
    }
    if (head->content_length > 0 && (uint64_t)head->content_length > ex->limit) {
        return too_large(ex, status, err);
    }
    if (head->content_encoding.len) {
        enum px_status st = px_http_coding_new(head->content_encoding, ex->limit, &ex->coding, err);
        if (st) {
            *status = st == PX_EINVAL ? 415 : 503;
            return st;
        }
    }
    if (uploads) {
        ex->source = px_source_new(head->content_length);
    } else {
        size_t room = head->content_length > 0 ? (size_t)head->content_length : 1024;
        ex->body = px_block_new(room > WHOLE_BLOCK ? WHOLE_BLOCK : room);
    }
    if (!ex->body && !ex->source) {
        *status = 503;
        return px_fail(err, PX_ENOMEM, "The gateway is out of memory.");
    }
    if (head->expect_continue && px_conn_write(ex->client->conn, PX_STR("HTTP/1.1 100 Continue\r\n"
                                                                        "\r\n"))) {
        *status = 503;
        return px_fail(err, PX_EIO, "The connection broke.");
    }
    return PX_OK;
}

static enum px_status add(struct px_str bytes, void *user)
{
    struct px_exchange *ex = user;
    if (bytes.len > ex->limit - ex->taken) {
        return PX_ETOOBIG;
    }
    enum px_status st =
        ex->source ? px_source_add(ex->source, bytes) : px_block_add(ex->body, bytes);
    if (st) {
        return st;
    }
    ex->taken += bytes.len;
    if (!ex->settled) {  // What an upload takes while it is answered is not more than before.
        ex->charged += bytes.len;
        ex->host->bodies += bytes.len;
        ex->host->stats->body_bytes += bytes.len;
    }
    return st;
}

static enum px_status add_content(struct px_exchange *ex, struct px_str content, int *status,
                                  struct px_error *err)
{
    struct px_error why = { PX_OK, "" };
    enum px_status st =
        ex->coding ? px_http_coding_feed(ex->coding, content, add, ex, &why) : add(content, ex);
    if (st == PX_ETOOBIG) {
        return too_large(ex, status, err);
    }
    if (st == PX_ENOMEM) {
        *status = 503;
        return px_fail(err, st, "The gateway is out of memory.");
    }
    return st ? px_fail(err, st, "The request's body is damaged: %s", why.text) : PX_OK;
}

void exchange_settle(struct px_exchange *ex)
{
    if (!ex->settled) {
        ex->settled = true;
        ex->host->whole_bodies += ex->charged;
    }
}

/// A coded upload is there whole: it becomes a source too.
static enum px_status to_source(struct px_exchange *ex)
{
    ex->source = px_source_new((int64_t)ex->body->len);
    if (!ex->source || px_source_add(ex->source, px_block_str(ex->body))) {
        return PX_ENOMEM;
    }
    px_block_drop(ex->body);
    ex->body = NULL;
    return PX_OK;
}

/// The last byte has come: the coding must be complete too.
static enum px_status close_body(struct px_exchange *ex, int *status, struct px_error *err)
{
    struct px_error why = { PX_OK, "" };
    if (ex->coding && px_http_coding_end(ex->coding, &why)) {
        return px_fail(err, PX_EINVAL, "The request's body is damaged: %s", why.text);
    }
    px_http_coding_free(ex->coding);
    ex->coding = NULL;
    if (ex->body && is_upload(&ex->head) && to_source(ex)) {
        *status = 503;
        return px_fail(err, PX_ENOMEM, "The gateway is out of memory.");
    }
    ex->whole = true;
    if (ex->source) {
        px_source_finish(ex->source);
    }
    exchange_settle(ex);
    return PX_OK;
}

/// Half a body makes no room before the rest of it has come. So where all are half there, one of
/// them goes on over the limit, at most by its own.
static bool has_room(struct px_exchange *ex, size_t more)
{
    struct px_host *host = ex->host;
    if (ex->settled || host->bodies + more <= host->conf.bodies_limit) {
        return true;
    }
    if (!host->whole_bodies && !host->first) {
        host->first = ex;
    }
    return host->first == ex;
}

enum px_status exchange_take_body(struct px_exchange *ex, struct px_str *bytes, int *status,
                                  struct px_error *err)
{
    while (!px_http_body_done(&ex->framing)) {
        if (!bytes->len) {
            return PX_OK;
        }
        if (!has_room(ex, bytes->len)) {
            return PX_ECANCELED;
        }
        struct px_str content;
        enum px_status st = px_http_body_next(&ex->framing, bytes, &content, err);
        if (st) {
            *status = st == PX_ETOOBIG ? 413 : 400;
            return st;
        }
        if (content.len) {
            st = add_content(ex, content, status, err);
            if (st) {
                return st;
            }
        }
    }
    return close_body(ex, status, err);
}
