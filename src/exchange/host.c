// The host: what the connections of one worker share.

#include <assert.h>
#include <stdlib.h>

#include "private.h"

static void on_room(void *user);

struct px_host *px_host_new(struct px_loop *loop, const struct px_host_conf *conf,
                            const struct px_host_hooks *hooks, void *user,
                            struct px_host_stats *stats)
{
    struct px_host *host = calloc(1, sizeof(*host));
    if (!host) {
        return NULL;
    }
    host->loop = loop;
    host->conf = *conf;
    host->hooks = hooks;
    host->user = user;
    host->stats = stats;
    host->scratch = PX_BUF(1 << 20);
    host->room = (struct px_defer){ .fn = on_room, .user = host };
    return host;
}

void px_host_configure(struct px_host *host, const struct px_host_conf *conf)
{
    host->conf = *conf;
}

/// Somebody's body was freed: those who stopped reading for want of memory try again.
static void on_room(void *user)
{
    struct px_host *host = user;
    for (struct client *client = host->clients; client; client = client->next) {
        if (client->waits) {
            px_loop_defer(host->loop, &client->again);
        }
    }
}

void px_host_stop(struct px_host *host)
{
    host->stopping = true;
    struct client *next;
    for (struct client *client = host->clients; client; client = next) {
        next = client->next;
        if (client->state == CLIENT_HEAD && client->in.len == 0) {
            client_close(client, true);
        }
    }
}

void px_host_cut(struct px_host *host)
{
    // A client whose request is still being ended stays in the list until then.
    struct client *next;
    for (struct client *client = host->clients; client; client = next) {
        next = client->next;
        if (client->state != CLIENT_GONE) {
            client_leave(client);
        }
    }
}

size_t px_host_connections(const struct px_host *host)
{
    return host->count;
}

void px_host_free(struct px_host *host)
{
    if (!host) {
        return;
    }
    assert(host->count == 0);
    px_loop_undefer(host->loop, &host->room);
    px_buf_free(&host->scratch);
    free(host);
}
