// The connection of one client: requests are read one after the other.
//
// While a request is being answered its connection is still read, so that a client that leaves is
// noticed; what comes belongs to the next request and is kept, up to one head's size, after which
// reading stops. The next request is begun from the top of the loop, never from inside a callback.

#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "px/json.h"
#include "px/log.h"

// Between two looks at a client that is not read, or does not take its answer.
#define LOOK_MS 2000
#define KEEP_MAX (PX_HTTP_HEAD_MAX + (64 << 10))
#define ROOM_MS 10000

static void take(struct client *client, struct px_str bytes);

void client_set_reading(struct client *client, bool on)
{
    if (client->reading != on) {
        client->reading = on;
        px_conn_read(client->conn, on);
    }
}

void client_arm(struct client *client, uint32_t ms)
{
    if (!ms) {
        px_timer_stop(client->host->loop, &client->timer);
    } else if (px_timer_start(client->host->loop, &client->timer, ms)) {
        px_log(PX_LOG_WARN, "http", "no memory for a timer");
    }
}

static void client_free(struct client *client)
{
    struct px_host *host = client->host;
    px_timer_stop(host->loop, &client->timer);
    px_loop_undefer(host->loop, &client->again);
    px_buf_free(&client->in);
    *(client->prev ? &client->prev->next : &host->clients) = client->next;
    if (client->next) {
        client->next->prev = client->prev;
    }
    host->count--;
    host->stats->connections--;
    free(client);
}

void client_close(struct client *client, bool drain)
{
    client_upload_lost(client);
    if (client->conn) {
        px_conn_close(client->conn, drain);
        client->conn = NULL;
    }
    client->state = CLIENT_GONE;
    px_timer_stop(client->host->loop, &client->timer);
    px_loop_undefer(client->host->loop, &client->again);
    if (!client->ex) {
        client_free(client);
    }
}

/// The type of an error, as both OpenAI's and Anthropic's clients know it.
static struct px_str refusal_type(int status)
{
    switch (status) {
    case 413: return PX_STR("\"request_too_large\"");
    case 503: return PX_STR("\"overloaded_error\"");
    case 408: return PX_STR("\"timeout_error\"");
    default: return PX_STR("\"invalid_request_error\"");
    }
}

void client_refuse(struct client *client, int status, const char *text)
{
    // A body that every client of these protocols understands.
    struct px_buf body = PX_BUF(2048), head = PX_BUF(1024);
    enum px_status st = px_buf_add(
        &body, PX_STR("{\"type\":\"error\",\"error\":{\"code\":null,\"param\":null,\"type\":"));
    st = st ? st : px_buf_add(&body, refusal_type(status));
    st = st ? st : px_buf_add(&body, PX_STR(",\"message\":"));
    st = st ? st : px_json_quote(&body, (struct px_str){ text, strlen(text) });
    st = st ? st : px_buf_add(&body, PX_STR("}}"));
    st = st ? st : px_http_write_status(&head, status);
    st = st ? st : px_http_write_header(&head, PX_STR("content-type"), PX_STR("application/json"));
    st = st ? st : px_http_write_header(&head, PX_STR("access-control-allow-origin"), PX_STR("*"));
    st = st ? st : px_http_write_number(&head, PX_STR("content-length"), body.len);
    if (status == 426) {
        st = st ? st : px_http_write_header(&head, PX_STR("upgrade"), PX_STR("HTTP/1.1"));
    }
    st = st ? st : px_http_write_header(&head, PX_STR("connection"), PX_STR("close"));
    st = st ? st : px_http_write_end(&head);
    st = st ? st : px_conn_write(client->conn, px_buf_str(&head));
    st = st ? st : px_conn_write(client->conn, px_buf_str(&body));
    px_buf_free(&body);
    px_buf_free(&head);

    struct px_exchange *ex = client->ex;
    client->ex = NULL;
    if (ex) {
        exchange_free(ex);
    }
    client_close(client, st == PX_OK);
}

/// Keeps bytes for later. False when that failed and the client is gone.
static bool keep(struct client *client, struct px_str bytes)
{
    if (px_buf_add(&client->in, bytes) == PX_OK) {
        return true;
    }
    if (client->state == CLIENT_BUSY) {
        client_leave(client);
    } else {
        client_refuse(client, 503, "The gateway is out of memory.");
    }
    return false;
}

static void begin_run(struct client *client)
{
    client->state = CLIENT_BUSY;
    px_timer_stop(client->host->loop, &client->timer);
    exchange_settle(client->ex);
    client_await_room(client);
    client->host->hooks->run(client->host->user, client->ex);
}

/// Feeds body bytes, and keeps what follows the body. An upload is begun when as much of it is
/// there as may wait: the rest is taken while it is answered.
static void take_body(struct client *client, struct px_str bytes)
{
    struct px_exchange *ex = client->ex;
    struct px_error err;
    int status = 400;
    enum px_status st = exchange_take_body(ex, &bytes, &status, &err);
    if (st == PX_ECANCELED) {
        if (!client->waits) {
            client->waits = true;
            uint32_t ms = client->host->conf.room_ms;
            client_arm(client, ms ? ms : ROOM_MS);
        }
        client_set_reading(client, false);
        keep(client, bytes);
        return;
    }
    if (st) {
        client_refuse(client, status, err.text);
        return;
    }
    client->waits = false;
    client_set_reading(client, true);
    if (!ex->whole && !(ex->source && px_source_full(ex->source))) {
        client_arm(client, client->host->conf.body_ms);
        return;
    }
    if (!bytes.len || keep(client, bytes)) {
        begin_run(client);
    }
}

/// A whole head is there: makes the exchange.
static void take_head(struct client *client, struct px_str bytes, size_t len)
{
    struct px_http_header slots[PX_HTTP_HEADERS_MAX];
    struct px_http_head head;
    struct px_error err;
    struct px_str text = { bytes.ptr, len };
    if (px_http_head_parse(text, slots, PX_HTTP_HEADERS_MAX, &head, &err)) {
        client_refuse(client, head.status, err.text);
        return;
    }
    if (head.upgrade_websocket) {
        client_refuse(client, 426, "WebSocket is not spoken here; use HTTP with streaming.");
        return;
    }
    client->ex = exchange_new(client, &head, text);
    if (!client->ex) {
        client_refuse(client, 503, "The gateway is out of memory.");
        return;
    }
    int status = 400;
    if (exchange_open_body(client->ex, &status, &err)) {
        client_refuse(client, status, err.text);
        return;
    }
    client->state = CLIENT_BODY;
    take_body(client, (struct px_str){ bytes.ptr + len, bytes.len - len });
}

/// Looks for a head in `bytes`, which is all that has come of it.
static void take_start(struct client *client, struct px_str bytes)
{
    size_t len = px_http_head_find(bytes, &client->scanned);
    if (len) {
        client->scanned = 0;
        take_head(client, bytes, len);
        return;
    }
    if (bytes.len >= PX_HTTP_HEAD_MAX) {
        client_refuse(client, 431, "The request's head is larger than 64 KiB.");
        return;
    }
    bool first = client->in.len == 0;
    if (keep(client, bytes) && first) {
        client_arm(client, client->host->conf.head_ms);
    }
}

static void take(struct client *client, struct px_str bytes)
{
    if (client->state == CLIENT_HEAD) {
        take_start(client, bytes);
    } else if (client->state == CLIENT_BODY) {
        take_body(client, bytes);
    } else if (client->state == CLIENT_BUSY) {
        bytes = client_take_upload(client, bytes);
        if (bytes.len && keep(client, bytes) && client->in.len >= PX_HTTP_HEAD_MAX) {
            client_set_reading(client, false);
            client_start_looking(client);
        }
    }
}

/// Goes on with kept bytes, to which `more` is added.
static void take_kept(struct client *client, struct px_str more)
{
    struct px_buf in = client->in;
    if (more.len && px_buf_add(&in, more)) {
        client->in = in;
        client_refuse(client, 503, "The gateway is out of memory.");
        return;
    }
    client->in = PX_BUF(KEEP_MAX);
    if (client->state == CLIENT_HEAD && !px_http_head_find(px_buf_str(&in), &client->scanned) &&
        in.len < PX_HTTP_HEAD_MAX) {
        client->in = in;  // Still no whole head: the bytes stay where they are.
        return;
    }
    client->scanned = 0;
    take(client, px_buf_str(&in));
    px_buf_free(&in);
}

static void on_data(void *user, struct px_str bytes)
{
    struct client *client = user;
    if (client->in.len && client->state != CLIENT_BUSY) {
        take_kept(client, bytes);
    } else {
        take(client, bytes);
    }
}

static void on_again(void *user)
{
    struct client *client = user;
    if (client->in.len) {
        bool alone = client->state == CLIENT_HEAD;
        client_set_reading(client, true);
        if (alone) {
            client_arm(client, client->host->conf.head_ms);
        }
        take_kept(client, (struct px_str){ 0 });
    }
}

void client_leave(struct client *client)
{
    struct px_exchange *ex = client->ex;
    if (ex && client->state != CLIENT_BUSY) {
        client->ex = NULL;  // The request never became whole: nobody drives it.
        exchange_free(ex);
        ex = NULL;
    }
    client_close(client, false);
    if (ex && ex->answer != ANSWER_DONE && ex->fns && ex->fns->on_gone) {
        ex->fns->on_gone(ex->user);
    }
}

static void on_end(void *user, enum px_status status)
{
    (void)status;
    client_leave(user);
}

static void on_drain(void *user)
{
    struct client *client = user;
    if (client->state == CLIENT_BUSY && client->reading && !client_uploads(client)) {
        px_timer_stop(client->host->loop, &client->timer);
    }
    if (client->ex && client->state == CLIENT_BUSY && client->ex->fns) {
        client->ex->fns->on_drain(client->ex->user);
    }
}

/// True if the client has taken something since the last look.
static bool takes(struct client *client)
{
    size_t queued = px_conn_queued(client->conn);
    bool moved = queued != client->queued;
    client->queued = queued;
    return moved;
}

static uint32_t look_ms(const struct client *client)
{
    uint32_t stall = client->host->conf.stall_ms;
    return stall && stall < LOOK_MS ? stall : LOOK_MS;
}

/// Looks from time to time at a client that is not read, or has not taken its answer: has it left,
/// does it still take something?
static void look(struct client *client)
{
    uint64_t now = px_loop_now(client->host->loop);
    bool owed = px_conn_queued(client->conn) > 0;
    uint32_t stall = client->host->conf.stall_ms;
    if (takes(client)) {
        client->taken_ms = now;
    }
    if (!client->reading && px_conn_left(client->conn)) {
        client_leave(client);
    } else if (owed && stall && now - client->taken_ms >= stall) {
        px_log(PX_LOG_INFO, "http", "%s takes nothing of its answer: cut",
               px_conn_peer(client->conn));
        client_leave(client);
    } else if (owed || !client->reading) {
        client_arm(client, look_ms(client));
    } else if (client->state == CLIENT_HEAD) {
        client_close(client, true);
    }
}

void client_start_looking(struct client *client)
{
    if (!client->timer.slot) {
        takes(client);
        client->taken_ms = px_loop_now(client->host->loop);
        client_arm(client, look_ms(client));
    }
}

static void on_timer(void *user)
{
    struct client *client = user;
    if (client->waits) {
        client_refuse(client, 503, "Too many request bodies are in flight; try again.");
    } else if (client->state == CLIENT_BODY) {
        client_refuse(client, 408, "The request's body did not arrive in time.");
    } else if (client_uploads(client) && client->reading) {
        client_upload_late(client);
    } else if (client->state == CLIENT_HEAD && client->in.len) {
        client_refuse(client, 408, "The request's head did not arrive in time.");
    } else {
        look(client);
    }
}

/// Called while a request is answered: the timer has no other use then.
void client_watch_stall(struct client *client)
{
    if (px_conn_full(client->conn)) {
        client_start_looking(client);
    }
}

void client_next(struct client *client)
{
    struct px_host *host = client->host;
    client->state = CLIENT_HEAD;
    client->scanned = 0;
    takes(client);
    client->taken_ms = px_loop_now(host->loop);
    if (host->stopping && !client->in.len) {
        client_close(client, true);
        return;
    }
    client_arm(client, host->conf.keep_alive_ms);
    if (client->in.len) {
        px_loop_defer(host->loop, &client->again);
    } else {
        client_set_reading(client, true);
    }
}

void px_host_serve(struct px_host *host, struct px_conn *conn)
{
    static const struct px_conn_fns fns = { on_data, on_end, on_drain };
    struct client *client = host->stopping ? NULL : calloc(1, sizeof(*client));
    if (!client) {
        px_conn_close(conn, false);
        return;
    }
    client->host = host;
    client->conn = conn;
    client->in = PX_BUF(KEEP_MAX);
    client->timer = (struct px_timer){ .fn = on_timer, .user = client };
    client->again = (struct px_defer){ .fn = on_again, .user = client };
    client->next = host->clients;
    if (client->next) {
        client->next->prev = client;
    }
    host->clients = client;
    host->count++;
    host->stats->connections++;
    px_conn_attach(conn, &fns, client);
    client_set_reading(client, true);
    client_arm(client, host->conf.head_ms);
}
