#pragma once

// What the server's files share. Threads: main (signals), workers, reload, watchdog, log.

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "px/bundle.h"
#include "px/cache.h"
#include "px/config.h"
#include "px/counters.h"
#include "px/exchange.h"
#include "px/fetch.h"
#include "px/listener.h"
#include "px/loop.h"
#include "px/tls.h"
#include "px/vm.h"

#define PX_VERSION "0.1.0"
#define PX_WORKERS_MAX 64

/// Configuration and scripts, read at one moment. Each worker has a share of it.
struct generation {
    atomic_size_t refs;  ///< Shares, and one while it is the newest.
    unsigned number;
    struct px_config *config;
    struct px_bundle *bundle;
    struct px_vm_client *clients;
    struct px_tls **tls;  ///< One for each listener; NULL for plain ones.
    uint64_t born_ms;
    struct server *server;
    struct generation *next;  ///< The server's list of live ones, newest first.
};

/// One worker's share of a generation.
struct share {
    struct generation *generation;
    struct px_vm *vm;
    size_t requests;
    bool retired;
    uint64_t idle_ms;  ///< When the last request of a retired one had ended.
    struct worker *worker;
    struct share *next;
};

struct open_listener {
    char address[64];
    int port;  ///< As configured.
    struct px_listener *listener;
};

struct worker {
    struct server *server;
    unsigned number;
    pthread_t thread;
    bool running;
    struct px_loop *loop;
    struct px_fetcher *fetcher;
    struct px_host *host;
    struct px_host_stats stats;
    _Atomic size_t tasks, transfers;
    atomic_uint pongs;     ///< Answers to the watchdog.
    struct share *shares;  ///< Newest first.
    struct open_listener *listeners;
    size_t listener_count;
    bool full;  ///< Accepts nothing: too many connections.
    bool stopping;
    uint64_t stop_at_ms, drained_ms;
    struct px_timer timer;  ///< Looks after retired shares, a full house and a stop.
};

struct server {
    const struct px_config_source *source;
    struct px_counters *counters;
    struct px_cache *responses;  ///< What clients may go on from.
    struct px_cache *lists;      ///< What models the providers have.
    struct px_loop *loop;        ///< The main thread's.
    struct worker workers[PX_WORKERS_MAX];
    unsigned worker_count;
    struct px_loop *reload_loop;
    pthread_t reload_thread, watchdog_thread;
    atomic_bool reload_running;
    bool watchdog_running;
    atomic_bool stopping;
    atomic_uint generations;    ///< Live ones.
    struct generation *newest;  ///< Reload thread's (the main thread's until that runs).
    unsigned next_number;
    int lock_fd;
    size_t keys_made;  ///< Client keys that the first read has made.
};

// -- generation.c
// -----------------------------------------------------------------------------------

/// Reads configuration and scripts and proves them. The report holds what is wrong.
PX_CHECK enum px_status generation_read(struct server *server, struct generation **out,
                                        struct px_config_report *report);

/// Makes a worker's share of it: a Lua state.
PX_CHECK enum px_status generation_share(struct generation *generation, struct worker *worker,
                                         struct share **out, struct px_error *err);

void generation_drop(struct generation *generation);

/// Closes a share's state. On the reload thread, or before and after threads run.
void share_free(struct share *share);

/// Proves the scripts of a configuration in a throw-away state: for `check`.
void generation_prove(const struct px_config *config, struct px_config_report *report, void *user);

// -- worker.c
// ---------------------------------------------------------------------------------------

PX_CHECK enum px_status worker_init(struct worker *worker, struct server *server, unsigned number,
                                    const struct px_config *config, struct px_error *err);
PX_CHECK enum px_status worker_start(struct worker *worker, struct px_error *err);
void worker_deinit(struct worker *worker);

/// Makes a share the one that new requests get. On the worker's thread, or before it runs.
void worker_adopt(struct worker *worker, struct share *share);

/// How many connections it may have; at least one.
size_t worker_room(const struct worker *worker);

/// Messages to a worker.
void worker_stop(void *worker);

/// Makes the worker look after what it keeps waiting: room for connections, old generations, a
/// stop.
void worker_tick_soon(struct worker *worker);

// -- listen.c
// ---------------------------------------------------------------------------------------

/// Opens, changes and closes listeners so that they are what the generation says.
PX_CHECK enum px_status listen_apply(struct worker *worker, const struct generation *generation,
                                     struct px_error *err);
void listen_close(struct worker *worker);

// -- front.c
// ----------------------------------------------------------------------------------------

/// Answers /health, /ready and /metrics. False: the path is none of them.
bool front_answer(struct server *server, struct px_exchange *ex);

// -- reload.c
// ---------------------------------------------------------------------------------------

PX_CHECK enum px_status reload_start(struct server *server, struct px_error *err);
void reload_stop(struct server *server);

/// Asks for a reload. From any thread.
void reload_ask(struct server *server);

/// Gives a drained share to the reload thread, which closes its state. From a worker.
void reload_retire(struct share *share);

// -- watchdog.c
// -------------------------------------------------------------------------------------

PX_CHECK enum px_status watchdog_start(struct server *server, struct px_error *err);
void watchdog_stop(struct server *server);
