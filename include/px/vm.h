#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/bundle.h"
#include "px/cache.h"
#include "px/counters.h"
#include "px/exchange.h"
#include "px/fetch.h"
#include "px/loop.h"
#include "px/status.h"
#include "px/str.h"

/// One Lua state: the scripts of one generation, loaded for one worker.
///
/// It may be made and freed on another thread than the one it works on. Scripts run only in tasks,
/// and tasks only from the top of the loop.
struct px_vm;

struct px_vm_client {
    const char *name, *key;
};

struct px_vm_conf {
    struct px_loop *loop;                ///< Where tasks run. NULL for a state that only proves.
    struct px_fetcher *fetcher;          ///< For upstreams.
    struct px_bundle *bundle;            ///< Held.
    struct px_str config;                ///< What Lua needs of the configuration, JSON. Copied.
    const struct px_vm_client *clients;  ///< Who may ask. Lives as long as the VM.
    size_t client_count;
    const char *const *fetch_allow;  ///< Globs of hosts for px.fetch. Lives as long as the VM.
    size_t fetch_allow_count;
    struct px_fetch_times times;
    struct px_counters *counters;  ///< Shared by all threads.
    struct px_cache *responses;    ///< Likewise, for px.cache; NULL keeps nothing.
    struct px_cache *lists;        ///< Likewise.
    _Atomic size_t *tasks;         ///< Gauge of tasks, or NULL.
    _Atomic size_t *transfers;     ///< Gauge of transfers, or NULL.
    uint32_t load_ms;              ///< How long loading may take; 0: 5 seconds.
    bool test;                     ///< A state for specs: `io`, `os` and `debug` are there.
};

/// Makes a state and loads `main` and all rules in it, within `load_ms`. The error names file and
/// line.
PX_CHECK enum px_status px_vm_new(const struct px_vm_conf *conf, struct px_vm **out,
                                  struct px_error *err);

/// Frees the state, with whatever still runs in it. NULL is allowed.
void px_vm_free(struct px_vm *vm);

/// Ends all requests of the state: from the top of the loop their clients get an error, streams an
/// error event. Tasks that no client waits for end at once. Then px_vm_busy() falls to 0.
void px_vm_stop(struct px_vm *vm);

/// Ends all tasks of the state at once, told to nobody.
void px_vm_kill(struct px_vm *vm);

/// Requests and tasks that are alive. Only a state without any may be freed on another thread.
size_t px_vm_busy(const struct px_vm *vm);

/// Bytes that the state holds.
size_t px_vm_bytes(const struct px_vm *vm);

/// Lets the scripts answer a request. From any callback.
void px_vm_serve(struct px_vm *vm, struct px_exchange *ex);

/// Version of the interpreter, for people.
const char *px_vm_library(void);
