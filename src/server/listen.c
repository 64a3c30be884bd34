// The listeners of a worker, kept as the newest generation says.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "px/log.h"
#include "server.h"

static void on_accept(void *user, struct px_conn *conn)
{
    struct worker *worker = user;
    px_host_serve(worker->host, conn);
    if (px_host_connections(worker->host) >= worker_room(worker) && !worker->full) {
        worker->full = true;
        px_log(PX_LOG_WARN, "listen", "worker %u has %zu connections: it accepts no more for now",
               worker->number, px_host_connections(worker->host));
        for (size_t i = 0; i < worker->listener_count; i++) {
            px_listener_accept(worker->listeners[i].listener, false);
        }
        worker_tick_soon(worker);
    }
}

static bool same(const struct open_listener *open, const struct px_config_listener *conf)
{
    return open->port == conf->port && strcmp(open->address, conf->address) == 0;
}

/// Where the system chose the port, all workers share the first one's.
static int shared_port(struct worker *worker, const struct px_config_listener *conf)
{
    const struct worker *first = &worker->server->workers[0];
    for (size_t i = 0; conf->port == 0 && worker->number > 0 && i < first->listener_count; i++) {
        if (same(&first->listeners[i], conf)) {
            return px_listener_port(first->listeners[i].listener);
        }
    }
    return conf->port;
}

static enum px_status open_one(struct worker *worker, const struct px_config_listener *from,
                               struct px_tls *tls, struct open_listener *out, struct px_error *err)
{
    const struct px_listen_conf conf = {
        .address = from->address,
        .port = shared_port(worker, from),
        .fd = from->fd,
    };
    snprintf(out->address, sizeof(out->address), "%s", from->address);
    out->port = from->port;
    return px_listener_new(worker->loop, &conf, tls, on_accept, worker, &out->listener, err);
}

/// Takes the open listener for `conf` out of the worker's list.
static struct px_listener *take_open(struct worker *worker, const struct px_config_listener *conf)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct px_listener *found = worker->listeners[i].listener;
        if (found && same(&worker->listeners[i], conf)) {
            worker->listeners[i].listener = NULL;
            return found;
        }
    }
    return NULL;
}

enum px_status listen_apply(struct worker *worker, const struct generation *generation,
                            struct px_error *err)
{
    const struct px_config *config = generation->config;
    struct open_listener *fresh = calloc(config->listener_count, sizeof(*fresh));
    if (!fresh) {
        return px_fail(err, PX_ENOMEM, "no memory for listeners");
    }
    enum px_status st = PX_OK;
    size_t count = 0;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct px_config_listener *conf = &config->listeners[i];
        struct open_listener *out = &fresh[count];
        out->listener = take_open(worker, conf);
        if (out->listener) {
            snprintf(out->address, sizeof(out->address), "%s", conf->address);
            out->port = conf->port;
            px_listener_set_tls(out->listener, generation->tls[i]);
            count++;
        } else {
            enum px_status one = open_one(worker, conf, generation->tls[i], out, err);
            st = st ? st : one;
            count += one == PX_OK;
        }
    }
    listen_close(worker);  // What is still in the old list is not wanted any more.
    worker->listeners = fresh;
    worker->listener_count = count;
    return st;
}

void listen_close(struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        px_listener_close(worker->listeners[i].listener);
    }
    free(worker->listeners);
    worker->listeners = NULL;
    worker->listener_count = 0;
}
