// A worker: a thread with its loop, its listeners, its upstream connections and its Lua states.

#include <stdio.h>
#include <stdlib.h>

#include "px/log.h"
#include "px/thread.h"
#include "server.h"

#define TICK_MS 100
#define IDLE_UPSTREAMS 256
#define ASIDE_MS 60000  ///< For what scripts of an old generation do beside requests.

static struct px_host_conf host_conf(const struct px_config *config)
{
    return (struct px_host_conf){
        .head_ms = config->timeouts.head,
        .keep_alive_ms = config->timeouts.keep_alive ? config->timeouts.keep_alive : 1,
        .body_ms = 30000,
        .stall_ms = 300000,
        .body_limit = config->body_max,
        .upload_limit = config->upload_max,
        .bodies_limit = config->bodies_max,
    };
}

// -- Requests
// ---------------------------------------------------------------------------------------

static void *on_begin(void *user)
{
    struct worker *worker = user;
    worker->shares->requests++;
    return worker->shares;
}

static void on_request_end(void *user, void *held)
{
    (void)user;
    struct share *share = held;
    share->requests--;  // A retired one is looked after by the timer: its tasks may still run.
}

static void on_run(void *user, struct px_exchange *ex)
{
    struct worker *worker = user;
    struct share *share = px_exchange_held(ex);
    if (!front_answer(worker->server, ex)) {
        px_vm_serve(share->vm, ex);
    }
}

// -- Generations
// ------------------------------------------------------------------------------------

/// A script's own tasks may go on for a while when the last request of their generation has ended.
static void end_aside(struct worker *worker, struct share *share)
{
    uint64_t now = px_loop_now(worker->loop);
    share->idle_ms = share->idle_ms ? share->idle_ms : now;
    if (now - share->idle_ms >= ASIDE_MS) {
        share->idle_ms = 0;
        px_vm_stop(share->vm);
    }
}

/// Gives drained shares to the reload thread. True when some are left.
static bool retire_drained(struct worker *worker)
{
    bool left = false;
    for (struct share **at = &worker->shares; *at;) {
        struct share *share = *at;
        if (share->retired && !share->requests && !px_vm_busy(share->vm)) {
            *at = share->next;
            reload_retire(share);
        } else {
            if (share->retired && !share->requests) {
                end_aside(worker, share);
            }
            left = left || share->retired;
            at = &share->next;
        }
    }
    return left;
}

void worker_tick_soon(struct worker *worker)
{
    if (!worker->timer.slot && px_timer_start(worker->loop, &worker->timer, TICK_MS)) {
        px_log(PX_LOG_ERROR, "worker", "no memory for a timer");
    }
}

void worker_adopt(struct worker *worker, struct share *share)
{
    struct px_error err;
    struct px_host_conf conf = host_conf(share->generation->config);
    if (worker->shares) {
        worker->shares->retired = true;
        worker_tick_soon(worker);
    }
    share->next = worker->shares;
    worker->shares = share;
    px_host_configure(worker->host, &conf);
    if (!worker->stopping && listen_apply(worker, share->generation, &err)) {
        px_log(PX_LOG_ERROR, "listen", "%s", err.text);
    }
}

// -- Looking after things
// ---------------------------------------------------------------------------

size_t worker_room(const struct worker *worker)
{
    size_t limit = worker->shares->generation->config->connections / worker->server->worker_count;
    return limit ? limit : 1;
}

static void accept_again(struct worker *worker)
{
    size_t limit = worker_room(worker);
    if (worker->full && px_host_connections(worker->host) < limit) {
        worker->full = false;
        for (size_t i = 0; i < worker->listener_count; i++) {
            px_listener_accept(worker->listeners[i].listener, true);
        }
    }
}

static bool drained(const struct worker *worker)
{
    for (const struct share *share = worker->shares; share; share = share->next) {
        if (share->requests || px_vm_busy(share->vm)) {
            return false;
        }
    }
    return px_host_connections(worker->host) == 0 && px_fetcher_transfers(worker->fetcher) == 0;
}

/// Looks whether a stop can end. The last answers have a second to reach their clients; when the
/// time for a graceful end is over, clients are told, and then all is cut.
static void press(struct worker *worker)
{
    uint64_t now = px_loop_now(worker->loop);
    if (drained(worker)) {
        worker->drained_ms = worker->drained_ms ? worker->drained_ms : now;
        if (!px_listener_connections(worker->loop) || now >= worker->drained_ms + 1000) {
            px_loop_stop(worker->loop);
        }
        return;
    }
    if (now >= worker->stop_at_ms + 4000) {
        px_loop_stop(worker->loop);
    } else if (now >= worker->stop_at_ms + 2000) {
        px_host_cut(worker->host);
        for (struct share *share = worker->shares; share; share = share->next) {
            px_vm_kill(share->vm);
        }
    } else if (now >= worker->stop_at_ms) {
        for (struct share *share = worker->shares; share; share = share->next) {
            px_vm_stop(share->vm);
        }
    }
}

static void on_tick(void *user)
{
    struct worker *worker = user;
    bool more = retire_drained(worker);
    if (worker->full) {
        accept_again(worker);
        more = more || worker->full;
    }
    if (worker->stopping) {
        press(worker);
        more = true;
    }
    if (more) {
        worker_tick_soon(worker);
    }
}

void worker_stop(void *user)
{
    struct worker *worker = user;
    if (worker->stopping) {
        worker->stop_at_ms = px_loop_now(worker->loop);  // Asked again: no more patience.
        return;
    }
    worker->stopping = true;
    worker->stop_at_ms =
        px_loop_now(worker->loop) + worker->shares->generation->config->timeouts.shutdown;
    listen_close(worker);
    px_host_stop(worker->host);
    worker_tick_soon(worker);
}

// -- Life
// -------------------------------------------------------------------------------------------

enum px_status worker_init(struct worker *worker, struct server *server, unsigned number,
                           const struct px_config *config, struct px_error *err)
{
    static const struct px_host_hooks hooks = { on_begin, on_request_end, on_run };
    struct px_host_conf conf = host_conf(config);
    worker->server = server;
    worker->number = number;
    worker->timer = (struct px_timer){ .fn = on_tick, .user = worker };
    worker->loop = px_loop_new();
    worker->fetcher = worker->loop ? px_fetcher_new(worker->loop, IDLE_UPSTREAMS) : NULL;
    worker->host =
        worker->fetcher ? px_host_new(worker->loop, &conf, &hooks, worker, &worker->stats) : NULL;
    return worker->host ? PX_OK : px_fail(err, PX_ENOMEM, "no memory for a worker");
}

static void *run(void *user)
{
    struct worker *worker = user;
    // With listeners that wait for room and no connection, nothing else would keep the loop.
    px_loop_keep(worker->loop, true);
    px_loop_run(worker->loop);
    px_loop_keep(worker->loop, false);
    return NULL;
}

enum px_status worker_start(struct worker *worker, struct px_error *err)
{
    char name[16];
    snprintf(name, sizeof(name), "worker-%u", worker->number);
    enum px_status st = px_thread_start(&worker->thread, name, run, worker, err);
    worker->running = st == PX_OK;
    return st;
}

void worker_deinit(struct worker *worker)
{
    if (!worker->loop) {
        return;
    }
    px_timer_stop(worker->loop, &worker->timer);
    listen_close(worker);
    for (struct share *share = worker->shares, *next; share; share = next) {
        next = share->next;
        share_free(share);
    }
    worker->shares = NULL;
    px_host_free(worker->host);
    px_fetcher_free(worker->fetcher);
    px_loop_free(worker->loop);
}
