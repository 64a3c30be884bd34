// A generation: read, proved, shared out, and dropped when its last share has drained.

#include <stdlib.h>
#include <string.h>

#include "px/clock.h"
#include "px/log.h"
#include "server.h"

static enum px_status read_clients(struct generation *generation)
{
    const struct px_config *config = generation->config;
    generation->clients = calloc(config->client_count + 1, sizeof(*generation->clients));
    if (!generation->clients) {
        return PX_ENOMEM;
    }
    for (size_t i = 0; i < config->client_count; i++) {
        const struct px_config_client *from = &config->clients[i];
        generation->clients[i] = (struct px_vm_client){ from->name, from->key ? from->key : "" };
    }
    return PX_OK;
}

static enum px_status read_tls(struct generation *generation, struct px_error *err)
{
    const struct px_config *config = generation->config;
    generation->tls = calloc(config->listener_count + 1, sizeof(struct px_tls *));
    if (!generation->tls) {
        return px_fail(err, PX_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct px_config_listener *from = &config->listeners[i];
        if (from->cert_file) {
            const struct px_tls_conf conf = { from->cert_file, from->key_file };
            enum px_status st = px_tls_new(&conf, &generation->tls[i], err);
            if (st) {
                return st;
            }
        }
    }
    return PX_OK;
}

static struct px_vm_conf vm_conf(const struct generation *generation)
{
    const struct px_config *config = generation->config;
    return (struct px_vm_conf){
        .bundle = generation->bundle,
        .config = config->lua_json,
        .clients = generation->clients,
        .client_count = config->client_count,
        .fetch_allow = config->fetch_allow,
        .fetch_allow_count = config->fetch_allow_count,
        .times = { .connect = config->timeouts.connect,
                   .first_byte = config->timeouts.first_byte,
                   .idle = config->timeouts.idle,
                   .total = config->timeouts.total },
    };
}

/// Loads everything once in a state that answers nothing.
static enum px_status prove(const struct generation *generation, struct px_error *err)
{
    struct px_vm_conf conf = vm_conf(generation);
    struct px_vm *vm = NULL;
    enum px_status st = px_vm_new(&conf, &vm, err);
    px_vm_free(vm);
    return st;
}

static void free_generation(struct generation *generation)
{
    for (size_t i = 0; generation->tls && i < generation->config->listener_count; i++) {
        px_tls_drop(generation->tls[i]);
    }
    free(generation->tls);
    free(generation->clients);
    px_bundle_drop(generation->bundle);
    px_config_free(generation->config);
    free(generation);
}

enum px_status generation_read(struct server *server, struct generation **out,
                               struct px_config_report *report)
{
    struct px_error err = { PX_OK, "" };
    struct generation *generation = calloc(1, sizeof(*generation));
    if (!generation) {
        px_config_report_add(report, true, "out of memory");
        return PX_ENOMEM;
    }
    enum px_status st = px_config_load(server->source, &generation->config, report);
    if (st) {
        free_generation(generation);
        return st;
    }
    st = px_config_prepare(generation->config, &server->keys_made, &err);
    st = st ? st : px_bundle_read(generation->config->scripts, &generation->bundle, &err);
    st = st ? st : read_clients(generation);
    st = st ? st : read_tls(generation, &err);
    st = st ? st : prove(generation, &err);
    if (st) {
        px_config_report_add(report, true, "%s", err.text[0] ? err.text : px_status_name(st));
        free_generation(generation);
        return st;
    }
    generation->server = server;
    generation->number = ++server->next_number;
    generation->refs = 1;
    generation->born_ms = px_clock_ms();
    server->generations++;
    *out = generation;
    return PX_OK;
}

enum px_status generation_share(struct generation *generation, struct worker *worker,
                                struct share **out, struct px_error *err)
{
    struct share *share = calloc(1, sizeof(*share));
    if (!share) {
        return px_fail(err, PX_ENOMEM, "no memory for a generation");
    }
    struct px_vm_conf conf = vm_conf(generation);
    conf.loop = worker->loop;
    conf.fetcher = worker->fetcher;
    conf.counters = worker->server->counters;
    conf.responses = worker->server->responses;
    conf.lists = worker->server->lists;
    conf.tasks = &worker->tasks;
    conf.transfers = &worker->transfers;
    enum px_status st = px_vm_new(&conf, &share->vm, err);
    if (st) {
        free(share);
        return st;
    }
    generation->refs++;
    share->generation = generation;
    share->worker = worker;
    *out = share;
    return PX_OK;
}

void generation_drop(struct generation *generation)
{
    if (generation && --generation->refs == 0) {
        generation->server->generations--;
        px_log(PX_LOG_DEBUG, "reload", "generation %u is gone", generation->number);
        free_generation(generation);
    }
}

void share_free(struct share *share)
{
    px_vm_free(share->vm);
    generation_drop(share->generation);
    free(share);
}

void generation_prove(const struct px_config *config, struct px_config_report *report, void *user)
{
    (void)user;
    struct px_error err = { PX_OK, "" };
    struct generation generation = { .config = (struct px_config *)config };
    enum px_status st = px_bundle_read(config->scripts, &generation.bundle, &err);
    st = st ? st : read_clients(&generation);
    st = st ? st : read_tls(&generation, &err);
    st = st ? st : prove(&generation, &err);
    if (st) {
        px_config_report_add(report, true, "%s", err.text[0] ? err.text : px_status_name(st));
    }
    for (size_t i = 0; generation.tls && i < config->listener_count; i++) {
        px_tls_drop(generation.tls[i]);
    }
    free(generation.tls);
    free(generation.clients);
    px_bundle_drop(generation.bundle);
}
