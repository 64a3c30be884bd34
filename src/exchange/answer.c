// Writing answers: heads, bodies with a length, in chunks or until the connection ends.
//
// Bytes are queued on the connection and leave from the top of the loop, so a head and what
// follows it in the same round are one write.

#include <stdio.h>

#include "private.h"

/// Headers that say how the message is framed are the host's own.
static bool is_framing(struct px_str name)
{
    return px_http_same(name, PX_STR("content-length")) || px_http_header_is_hop(NULL, name);
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304 || status < 200;
}

static enum px_status write_head(struct px_exchange *ex, int status,
                                 const struct px_http_header *headers, size_t count, int64_t length)
{
    struct px_buf *out = &ex->host->scratch;
    px_buf_reset(out);
    if (ex->host->stopping || (ex->source && !ex->whole)) {
        ex->keep_alive = false;
    }
    enum px_status st = px_http_write_status(out, status);
    for (size_t i = 0; i < count && !st; i++) {
        if (!is_framing(headers[i].name)) {
            enum px_status one = px_http_write_header(out, headers[i].name, headers[i].value);
            st = one == PX_EINVAL ? PX_OK : one;
        }
    }
    struct px_str date = px_http_date(&ex->host->date, px_clock_wall_ms());
    st = st ? st : px_http_write_header(out, PX_STR("date"), date);
    if (ex->chunked) {
        st = st ? st : px_http_write_header(out, PX_STR("transfer-encoding"), PX_STR("chunked"));
    } else if (length >= 0 && !has_no_body(status)) {
        st = st ? st : px_http_write_number(out, PX_STR("content-length"), (uint64_t)length);
    }
    if (!ex->keep_alive) {
        st = st ? st : px_http_write_header(out, PX_STR("connection"), PX_STR("close"));
    } else if (ex->head.minor == 0) {
        st = st ? st : px_http_write_header(out, PX_STR("connection"), PX_STR("keep-alive"));
    }
    st = st ? st : px_http_write_end(out);
    return st ? st : px_conn_write(ex->client->conn, px_buf_str(out));
}

/// After a write that failed nothing more may follow, or the client would take what is left for
/// the whole: the answer is cut when it ends.
static void check(struct px_exchange *ex, enum px_status st)
{
    if (st) {
        ex->broken = true;
        ex->keep_alive = false;
    }
}

void px_exchange_start(struct px_exchange *ex, int status, const struct px_http_header *headers,
                       size_t count, int64_t length)
{
    if (ex->answer != ANSWER_NONE) {
        return;
    }
    ex->answer = ANSWER_OPEN;
    ex->left = length;
    if (has_no_body(status)) {
        ex->head_only = true;  // What is written for it would be taken for the next answer.
    } else if (length < 0) {
        ex->chunked = ex->head.minor == 1;
        ex->keep_alive = ex->keep_alive && ex->chunked;
    }
    if (!px_exchange_gone(ex)) {
        check(ex, write_head(ex, status, headers, count, length));
    }
}

static bool open_chunk(struct px_exchange *ex, size_t len)
{
    if (ex->answer != ANSWER_OPEN || !len || ex->head_only || ex->broken || px_exchange_gone(ex)) {
        return false;
    }
    ex->sent += len;
    if (ex->chunked) {
        char line[PX_HTTP_CHUNK_OPEN_MAX];
        struct px_str text = { line, px_http_chunk_line(line, len) };
        check(ex, px_conn_write(ex->client->conn, text));
    } else if (ex->left >= 0) {
        ex->left -= (int64_t)len;
    }
    return true;
}

static void close_chunk(struct px_exchange *ex)
{
    if (ex->chunked && !ex->broken) {
        check(ex, px_conn_write(ex->client->conn, PX_STR("\r\n")));
    }
    client_watch_stall(ex->client);
}

void px_exchange_write(struct px_exchange *ex, struct px_str bytes)
{
    if (open_chunk(ex, bytes.len)) {
        check(ex, ex->broken ? PX_EIO : px_conn_write(ex->client->conn, bytes));
        close_chunk(ex);
    }
}

void px_exchange_write_parts(struct px_exchange *ex, const struct px_str *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (open_chunk(ex, len)) {
        for (size_t i = 0; i < count; i++) {
            check(ex, ex->broken ? PX_EIO : px_conn_write(ex->client->conn, parts[i]));
        }
        close_chunk(ex);
    }
}

void px_exchange_write_block(struct px_exchange *ex, struct px_block *block, struct px_str part)
{
    if (open_chunk(ex, part.len)) {
        check(ex, ex->broken ? PX_EIO : px_conn_write_block(ex->client->conn, block, part));
        close_chunk(ex);
    }
}

void px_exchange_finish(struct px_exchange *ex)
{
    if (ex->answer != ANSWER_OPEN) {
        return;
    }
    if (ex->broken || (ex->left > 0 && !ex->head_only)) {
        px_exchange_abort(ex);  // It owes bytes that will not come.
        return;
    }
    ex->answer = px_exchange_gone(ex) ? ANSWER_CUT : ANSWER_DONE;
    if (ex->chunked && !ex->head_only && !px_exchange_gone(ex) &&
        px_conn_write(ex->client->conn, PX_STR("0\r\n\r\n"))) {
        px_exchange_abort(ex);
    }
}

void px_exchange_answer(struct px_exchange *ex, int status, const struct px_http_header *headers,
                        size_t count, struct px_block *block, struct px_str body)
{
    if (ex->answer != ANSWER_NONE) {
        return;
    }
    if (block) {
        body = px_block_str(block);
    }
    px_exchange_start(ex, status, headers, count, (int64_t)body.len);
    if (has_no_body(status)) {
        ex->left = 0;
    } else if (block && body.len > 4096) {
        px_exchange_write_block(ex, block, body);
    } else {
        px_exchange_write(ex, body);
    }
    px_exchange_finish(ex);
}

void px_exchange_abort(struct px_exchange *ex)
{
    ex->answer = ANSWER_CUT;
    ex->keep_alive = false;
    if (!px_exchange_gone(ex)) {
        px_conn_flush(ex->client->conn);
        client_close(ex->client, false);
    }
}
