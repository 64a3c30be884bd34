// The rest of an upload, taken while the request is answered.
//
// The connection is read as long as the source has room. What is wrong with the rest (its framing,
// its size, that it does not come) breaks the source: the transfer that takes from it fails then,
// and its driver tells the client.

#include "private.h"

bool client_uploads(const struct client *client)
{
    const struct px_exchange *ex = client->ex;
    return client->state == CLIENT_BUSY && ex && ex->source && !ex->whole;
}

/// Reads on, if there is room and nothing is wrong; else looks whether the client is still there.
static void go_on(struct client *client)
{
    const struct px_source *source = client->ex->source;
    bool reads = px_source_state(source) == PX_SOURCE_OPEN && !px_source_full(source);
    client_set_reading(client, reads);
    if (reads) {
        client_arm(client, client->host->conf.body_ms);
    } else {
        px_timer_stop(client->host->loop, &client->timer);
        client_start_looking(client);
    }
}

static void on_room(void *user)
{
    struct client *client = user;
    if (client_uploads(client)) {
        go_on(client);
    }
}

void client_await_room(struct client *client)
{
    struct px_exchange *ex = client->ex;
    if (ex->source && !ex->whole) {
        px_source_on_room(ex->source, on_room, client);
        client_set_reading(client, false);
        client_start_looking(client);
    }
}

struct px_str client_take_upload(struct client *client, struct px_str bytes)
{
    struct px_exchange *ex = client->ex;
    if (!client_uploads(client)) {
        return bytes;
    }
    const struct px_str nothing = { 0 };
    if (px_source_state(ex->source) != PX_SOURCE_OPEN) {
        return nothing;
    }
    struct px_error err;
    int status = 400;
    if (exchange_take_body(ex, &bytes, &status, &err)) {
        px_source_break(ex->source, status, err.text);
    } else if (ex->whole) {
        px_timer_stop(client->host->loop, &client->timer);
        return bytes;
    }
    go_on(client);
    return nothing;
}

void client_upload_late(struct client *client)
{
    px_source_break(client->ex->source, 408, "The request's body did not arrive in time.");
    go_on(client);
}

void client_upload_lost(struct client *client)
{
    struct px_exchange *ex = client->ex;
    if (ex && ex->source) {
        px_source_on_room(ex->source, NULL, NULL);
        px_source_break(ex->source, 400, "The client left before its upload was complete.");
    }
}
