// The reload thread: notices changes, reads and proves a new generation, hands it to the workers,
// and closes the states of old ones.
//
// Changes are noticed by watching folders, with 200 ms of quiet, and by a look every 2 seconds
// where events do not come. A fingerprint of names, times and sizes tells whether there is anything
// new.

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "px/clock.h"
#include "px/log.h"
#include "px/thread.h"
#include "px/watch.h"
#include "server.h"

#define QUIET_MS 200
#define LOOK_MS 2000
#define GENERATIONS_MAX 16
#define OLDEST_MS 600000
#define WATCHES_MAX 64

struct reload {
    struct server *server;
    struct px_timer quiet, look;
    struct px_watch *watches[WATCHES_MAX];
    size_t watch_count;
    uint64_t print;   ///< Fingerprint of what the newest generation was read from.
    atomic_bool due;  ///< A message that asks for a reload is under way: one is enough.
    bool asked;       ///< A reload is wanted whatever the fingerprint says.
    bool waits;       ///< Too many generations live: said so once.
};

static struct reload reload;

// -- What could have changed
// --------------------------------------------------------------------------

static uint64_t mix(uint64_t print, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        print = (print ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
    }
    return print;
}

static uint64_t print_file(uint64_t print, const char *path)
{
    struct stat info;
    print = mix(print, path, strlen(path));
    if (stat(path, &info) == 0) {
        print = mix(print, &info.st_mtim, sizeof(info.st_mtim));
        print = mix(print, &info.st_size, sizeof(info.st_size));
        print = mix(print, &info.st_ino, sizeof(info.st_ino));
    }
    return print;
}

static int visible(const struct dirent *item)
{
    return item->d_name[0] != '.';
}

/// Files of one folder and, with `deep`, of the folders in it.
static uint64_t print_folder(uint64_t print, const char *folder, bool deep)
{
    struct dirent **items = NULL;
    int count = scandir(folder, &items, visible, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct stat info;
        int len = snprintf(path, sizeof(path), "%s/%s", folder, items[i]->d_name);
        if (len > 0 && (size_t)len < sizeof(path)) {
            print = print_file(print, path);
            if (deep && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
                print = print_folder(print, path, false);
            }
        }
        free(items[i]);
    }
    free(items);
    return print;
}

static void folder_of(const struct px_config *config, const char *name, char out[4096])
{
    snprintf(out, 4096, "%s/%s", config->scripts, name);
}

static uint64_t fingerprint(const struct px_config *config)
{
    char folder[4096];
    uint64_t print = 14695981039346656037u;
    for (size_t i = 0; i < config->watch_count; i++) {
        print = print_file(print, config->watch[i]);
    }
    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].cert_file) {
            print = print_file(print, config->listeners[i].cert_file);
            print = print_file(print, config->listeners[i].key_file);
        }
    }
    folder_of(config, "rules", folder);
    print = print_folder(print, folder, false);
    folder_of(config, "provider", folder);
    print = print_folder(print, folder, false);
    folder_of(config, "protocol", folder);
    return print_folder(print, folder, true);
}

// -- Watching
// -----------------------------------------------------------------------------------------

static void on_change(void *user)
{
    struct reload *self = user;
    if (px_timer_start(self->server->reload_loop, &self->quiet, QUIET_MS)) {
        px_log(PX_LOG_ERROR, "reload", "no memory for a timer");
    }
}

static void watch_one(const char *folder)
{
    struct stat info;
    if (reload.watch_count < WATCHES_MAX && stat(folder, &info) == 0 && S_ISDIR(info.st_mode)) {
        struct px_watch *watch =
            px_watch_new(reload.server->reload_loop, folder, on_change, &reload, NULL);
        if (watch) {  // Where that does not work, the look every 2 seconds does.
            reload.watches[reload.watch_count++] = watch;
        }
    }
}

static void unwatch(void)
{
    while (reload.watch_count) {
        px_watch_free(reload.watches[--reload.watch_count]);
    }
}

static void watch_all(const struct px_config *config)
{
    static const char *const folders[] = { "rules", "provider", "protocol" };
    char folder[4096];
    unwatch();
    watch_one(config->dir);
    if (strcmp(config->dir, config->scripts) != 0) {
        watch_one(config->scripts);
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        folder_of(config, folders[i], folder);
        watch_one(folder);
    }
}

// -- Reloading
// ----------------------------------------------------------------------------------------

static void adopt(void *user)
{
    struct share *share = user;
    worker_adopt(share->worker, share);
}

/// Says what a restart is needed for.
static void compare(const struct px_config *old, const struct px_config *fresh)
{
    if (old->workers != fresh->workers) {
        px_log(PX_LOG_WARN, "reload", "workers: a change takes effect at the next start");
    }
    if (strcmp(old->data_dir, fresh->data_dir) != 0) {
        px_log(PX_LOG_WARN, "reload", "data_dir: a change takes effect at the next start");
    }
}

static void log_report(const struct px_config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        px_log(report->lines[i].error ? PX_LOG_ERROR : PX_LOG_WARN, "reload", "%s",
               report->lines[i].text);
    }
}

/// Makes all workers' shares first: either all get one or none does. A gateway that stops hands
/// nothing over: its workers may not look at their mail any more.
static bool hand_over(struct server *server, struct generation *generation)
{
    struct share *shares[PX_WORKERS_MAX] = { NULL };
    struct px_error err = { PX_OK, "" };
    unsigned made = 0;
    while (made < server->worker_count && !server->stopping &&
           !generation_share(generation, &server->workers[made], &shares[made], &err)) {
        made++;
    }
    if (made < server->worker_count || server->stopping) {
        px_log(server->stopping ? PX_LOG_INFO : PX_LOG_ERROR, "reload", "%s",
               server->stopping ? "given up: the gateway stops" : err.text);
        while (made-- > 0) {
            share_free(shares[made]);
        }
        return false;
    }
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (px_post_sure(server->workers[i].loop, adopt, shares[i])) {
            px_log(PX_LOG_ERROR, "reload", "out of memory: worker %u keeps the old generation", i);
            share_free(shares[i]);
        }
    }
    return true;
}

static void do_reload(struct server *server)
{
    struct px_config_report report = { 0 };
    struct generation *fresh = NULL;
    reload.print = fingerprint(server->newest->config);
    enum px_status st = generation_read(server, &fresh, &report);
    log_report(&report);
    px_config_report_free(&report);
    if (st) {
        px_log(PX_LOG_ERROR, "reload", "nothing has changed: generation %u goes on",
               server->newest->number);
        return;
    }
    compare(server->newest->config, fresh->config);
    if (!hand_over(server, fresh)) {
        generation_drop(fresh);
        return;
    }
    px_log_set(fresh->config->log_level, fresh->config->log_format);
    px_cache_limit(server->responses, fresh->config->responses_max);
    struct generation *old = server->newest;
    server->newest = fresh;
    // What changed while the files were read is not in this generation: the next look reads again.
    uint64_t print = fingerprint(fresh->config);
    reload.print = fingerprint(old->config) == reload.print ? print : 0;
    generation_drop(old);
    watch_all(fresh->config);
    px_log(PX_LOG_INFO, "reload", "generation %u serves", fresh->number);
}

static void stop_oldest(void *user)
{
    struct worker *worker = user;
    struct share *oldest = worker->shares;
    while (oldest->next) {
        oldest = oldest->next;
    }
    if (oldest->retired) {
        px_vm_stop(oldest->vm);
    }
}

/// Reloads, unless too many generations live: then it waits, and at last the oldest is ended.
static void try_reload(void)
{
    struct server *server = reload.server;
    static uint64_t since_ms;
    if (server->stopping) {
        return;
    }
    if (server->generations < GENERATIONS_MAX) {
        reload.waits = reload.asked = false;
        do_reload(server);
        return;
    }
    uint64_t now = px_clock_ms();
    if (!reload.waits) {
        reload.waits = true;
        since_ms = now;
        px_log(PX_LOG_WARN, "reload", "%d generations live; the reload waits until one has drained",
               GENERATIONS_MAX);
    } else if (now - since_ms > OLDEST_MS) {
        since_ms = now;
        px_log(PX_LOG_WARN, "reload",
               "the oldest generation has not drained: its requests end now");
        for (unsigned i = 0; i < server->worker_count; i++) {
            if (px_post_sure(server->workers[i].loop, stop_oldest, &server->workers[i])) {
                px_log(PX_LOG_ERROR, "reload", "out of memory");
            }
        }
    }
}

static void on_quiet(void *user)
{
    struct reload *self = user;
    if (self->asked || fingerprint(self->server->newest->config) != self->print) {
        try_reload();
    }
}

static void on_look(void *user)
{
    struct reload *self = user;
    on_quiet(self);
    if (px_timer_start(self->server->reload_loop, &self->look, LOOK_MS)) {
        px_log(PX_LOG_ERROR, "reload", "no memory for a timer");
    }
}

static void on_ask(void *user)
{
    struct reload *self = user;
    self->due = false;
    self->asked = true;
    on_quiet(self);
}

void reload_ask(struct server *server)
{
    if (!atomic_exchange(&reload.due, true) && px_post_sure(server->reload_loop, on_ask, &reload)) {
        reload.due = false;
        px_log(PX_LOG_ERROR, "reload", "out of memory");
    }
}

static void on_retired(void *user)
{
    share_free(user);
}

void reload_retire(struct share *share)
{
    struct server *server = share->worker->server;
    if (!server->reload_running || px_post_sure(server->reload_loop, on_retired, share)) {
        share_free(share);  // Late or short of memory: it is closed here.
    }
}

// -- Life
// ---------------------------------------------------------------------------------------------

static void *run(void *user)
{
    struct server *server = user;
    px_loop_run(server->reload_loop);
    return NULL;
}

enum px_status reload_start(struct server *server, struct px_error *err)
{
    server->reload_loop = px_loop_new();
    if (!server->reload_loop) {
        return px_fail(err, PX_ENOMEM, "no memory for the reload thread");
    }
    reload = (struct reload){
        .server = server,
        .quiet = { .fn = on_quiet, .user = &reload },
        .look = { .fn = on_look, .user = &reload },
        .print = fingerprint(server->newest->config),
    };
    watch_all(server->newest->config);
    enum px_status st = px_timer_start(server->reload_loop, &reload.look, LOOK_MS);
    if (st) {
        return px_fail(err, st, "no memory for the reload thread");
    }
    st = px_thread_start(&server->reload_thread, "reload", run, server, err);
    server->reload_running = st == PX_OK;
    return st;
}

static void on_stop(void *user)
{
    struct server *server = user;
    px_loop_stop(server->reload_loop);
}

void reload_stop(struct server *server)
{
    if (!server->reload_loop) {
        return;
    }
    if (server->reload_running && px_post_sure(server->reload_loop, on_stop, server) == PX_OK) {
        pthread_join(server->reload_thread, NULL);
        server->reload_running = false;
    }
    unwatch();
    px_timer_stop(server->reload_loop, &reload.quiet);
    px_timer_stop(server->reload_loop, &reload.look);
    px_loop_free(server->reload_loop);
    server->reload_loop = NULL;
}
