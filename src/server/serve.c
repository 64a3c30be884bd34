// The program: command line, start, signals, graceful end.

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "px/cli.h"
#include "px/http_coding.h"
#include "px/jsontree.h"
#include "px/log.h"
#include "px/server.h"
#include "px/signal.h"
#include "server.h"

extern char **environ;

#define TYPES_MAX 64

/// Each connection takes a descriptor, and an upstream another one.
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit)) {
            px_log(PX_LOG_WARN, "start", "cannot raise the descriptor limit: %s", strerror(errno));
        }
    }
}

// -- What the person sees
// -----------------------------------------------------------------------------

static const char *host_of(const char *address)
{
    if (strcmp(address, "0.0.0.0") == 0) {
        return "127.0.0.1";
    }
    return strcmp(address, "::") == 0 ? "::1" : address;
}

static void print_welcome(const struct server *server)
{
    const struct px_config *config = server->newest->config;
    const struct px_config_listener *first = &config->listeners[0];
    const char *scheme = first->cert_file ? "https" : "http";
    bool v6 = strchr(first->address, ':') != NULL;
    int port = px_listener_port(server->workers[0].listeners[0].listener);
    char base[128];
    snprintf(base, sizeof(base), "%s://%s%s%s:%d", scheme, v6 ? "[" : "", host_of(first->address),
             v6 ? "]" : "", port);
    printf("proxima " PX_VERSION " serves on %s (%u workers)\n", base, server->worker_count);
    const struct px_config_client *client = config->client_count ? &config->clients[0] : NULL;
    if (!client) {
        printf("No client may ask: the configuration has no `clients`.\n");
    } else if (client->file) {
        printf("%s key for clients is in %s\n\nTry it:\n\n", server->keys_made ? "A new" : "The",
               client->file);
        printf("  curl -s%s %s/v1/chat/completions -H \"authorization: Bearer $(cat '%s')\" "
               "-H 'content-type: application/json' "
               "-d '{\"model\":\"demo\",\"messages\":[{\"role\":\"user\","
               "\"content\":\"Hello\"}]}'\n\n",
               first->cert_file ? "k" : "", base, client->file);
    }
    fflush(stdout);
}

static void print_report(const struct px_config_report *report)
{
    px_config_report_print(report, stderr);
    fflush(stderr);
}

static int complain(const struct px_error *err)
{
    fprintf(stderr, "proxima: %s\n", err->text);
    return PX_EXIT_FOUND;
}

// -- Start and end
// ------------------------------------------------------------------------------------

static void on_stop(void *user)
{
    struct server *server = user;
    if (!server->stopping) {
        px_log(PX_LOG_INFO, "stop", "no new requests; those that run may end in time");
    }
    server->stopping = true;
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (px_post_sure(server->workers[i].loop, worker_stop, &server->workers[i])) {
            px_log(PX_LOG_ERROR, "stop", "out of memory");
        }
    }
    px_loop_stop(server->loop);
}

static void on_hangup(void *user)
{
    px_log(PX_LOG_INFO, "reload", "asked by SIGHUP");
    reload_ask(user);
}

/// Makes the workers with their listeners; none runs yet.
static enum px_status make_workers(struct server *server, struct px_error *err)
{
    struct generation *generation = server->newest;
    enum px_status st = PX_OK;
    for (unsigned i = 0; i < server->worker_count && !st; i++) {
        struct worker *worker = &server->workers[i];
        struct share *share = NULL;
        st = worker_init(worker, server, i, generation->config, err);
        st = st ? st : generation_share(generation, worker, &share, err);
        if (!st) {
            share->next = NULL;
            worker->shares = share;
            st = listen_apply(worker, generation, err);
        }
    }
    return st;
}

static enum px_status start_threads(struct server *server, struct px_error *err)
{
    enum px_status st = px_log_start(STDERR_FILENO, err);
    for (unsigned i = 0; i < server->worker_count && !st; i++) {
        st = worker_start(&server->workers[i], err);
    }
    st = st ? st : reload_start(server, err);
    return st ? st : watchdog_start(server, err);
}

static enum px_status probe(const struct px_config *config, struct px_error *err)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct px_config_listener *from = &config->listeners[i];
        const struct px_listen_conf conf = { from->address, from->port, from->fd };
        enum px_status st = from->fd < 0 ? px_listener_probe(&conf, err) : PX_OK;
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

#define SIGNALS 3
#define LISTS_MAX ((size_t)32 << 20)  ///< Models of all providers.

static enum px_status take_signals(struct server *server, struct px_signal *signals[SIGNALS],
                                   struct px_error *err)
{
    signals[0] = px_signal_new(server->loop, SIGTERM, on_stop, server);
    signals[1] = px_signal_new(server->loop, SIGINT, on_stop, server);
    signals[2] = px_signal_new(server->loop, SIGHUP, on_hangup, server);
    if (!signals[0] || !signals[1] || !signals[2]) {
        return px_fail(err, PX_ENOMEM, "cannot wait for signals");
    }
    return PX_OK;
}

/// Signals are taken before anybody can see that it serves, and what is printed is read before
/// other threads may change it.
static enum px_status start(struct server *server, struct px_signal *signals[SIGNALS],
                            struct px_error *err)
{
    struct px_config *config = server->newest->config;
    server->worker_count = config->workers < PX_WORKERS_MAX ? config->workers : PX_WORKERS_MAX;
    enum px_status st = px_config_lock(config->data_dir, &server->lock_fd, err);
    st = st ? st : probe(config, err);
    st = st ? st : make_workers(server, err);
    st = st ? st : take_signals(server, signals, err);
    if (!st) {
        print_welcome(server);
        st = start_threads(server, err);
    }
    return st;
}

static void end(struct server *server)
{
    server->stopping = true;
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        if (worker->running) {
            pthread_join(worker->thread, NULL);
            worker->running = false;
        }
    }
    watchdog_stop(server);
    reload_stop(server);
    for (unsigned i = 0; i < server->worker_count; i++) {
        worker_deinit(&server->workers[i]);
    }
    generation_drop(server->newest);
    if (server->lock_fd >= 0) {
        close(server->lock_fd);
    }
}

static int serve_until_stopped(struct server *server)
{
    struct px_error err = { PX_OK, "" };
    struct px_signal *signals[SIGNALS] = { NULL };
    enum px_status st = start(server, signals, &err);
    if (!st) {
        px_loop_run(server->loop);  // Until a signal.
    } else {
        for (unsigned i = 0; i < server->worker_count; i++) {
            if (server->workers[i].running &&
                px_post_sure(server->workers[i].loop, worker_stop, &server->workers[i])) {
                abort();
            }
        }
    }
    // From here on a second signal does what it does to any program: it ends it at once.
    for (size_t i = 0; i < SIGNALS; i++) {
        px_signal_free(signals[i]);
    }
    end(server);
    px_log_stop();
    return st ? complain(&err) : PX_EXIT_FINE;
}

static int serve(const struct px_config_source *source)
{
    static struct server server;
    server = (struct server){ .source = source, .lock_fd = -1 };
    struct px_config_report report = { 0 };
    struct px_error err = { PX_OK, "" };
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    if (px_fetch_global_init(&err)) {
        return complain(&err);
    }
    server.counters = px_counters_new();
    server.responses = px_cache_new(0);
    server.lists = px_cache_new(LISTS_MAX);
    server.loop = px_loop_new();
    bool whole = server.counters && server.responses && server.lists && server.loop;
    enum px_status st = whole ? PX_OK : PX_ENOMEM;
    st = st ? st : generation_read(&server, &server.newest, &report);
    print_report(&report);
    px_config_report_free(&report);
    int code = PX_EXIT_FOUND;
    if (!st) {
        px_log_set(server.newest->config->log_level, server.newest->config->log_format);
        px_cache_limit(server.responses, server.newest->config->responses_max);
        code = serve_until_stopped(&server);
    }
    if (server.loop) {
        px_loop_free(server.loop);
    }
    px_counters_free(server.counters);
    px_cache_free(server.responses);
    px_cache_free(server.lists);
    px_fetch_global_deinit();
    return code;
}

// -- Commands
// -----------------------------------------------------------------------------------------

/// Kinds of providers that are shipped: their files are part of the binary.
static size_t shipped_types(struct px_bundle *bundle, struct px_config_type *types)
{
    size_t count = 0;
    for (size_t i = 0; i < px_bundle_count(bundle) && count < TYPES_MAX; i++) {
        struct px_str name = px_bundle_at(bundle, i)->name;
        static const char prefix[] = "provider.";
        bool inner = name.len > sizeof(prefix) - 1 && name.ptr[sizeof(prefix) - 1] == '_';
        if (!inner && name.len > sizeof(prefix) - 1 &&
            memcmp(name.ptr, prefix, sizeof(prefix) - 1) == 0) {
            types[count++] = (struct px_config_type){ .name = name.ptr + sizeof(prefix) - 1 };
        }
    }
    return count;
}

static int run_command(const struct px_cli *cli)
{
    struct px_config_type types[TYPES_MAX];
    struct px_bundle *shipped = NULL;
    struct px_error err;
    if (px_bundle_read(NULL, &shipped, &err)) {
        return complain(&err);
    }
    const struct px_config_source source = {
        .file = cli->config,
        .environment = (const char *const *)environ,
        .sets = cli->sets,
        .set_count = cli->set_count,
        .types = types,
        .type_count = shipped_types(shipped, types),
    };
    int code = cli->command == PX_CLI_CHECK ? px_cli_check(&source, generation_prove, NULL, stdout)
                                            : serve(&source);
    px_bundle_drop(shipped);
    return code;
}

static void print_version(void)
{
    const char *const libraries[] = {
        "LuaJIT",  px_vm_library(),  "libuv", px_loop_library(), "libcurl", px_fetch_library(),
        "OpenSSL", px_tls_library(), "cJSON", px_json_library(), "zlib",    px_http_zlib(),
        "zstd",    px_http_zstd(),   NULL,
    };
    px_cli_version(libraries, stdout);
}

int px_server_main(int argc, char **argv)
{
    struct px_cli cli;
    struct px_error err = { PX_OK, "" };
    enum px_status st = px_cli_parse(argc, argv, (const char *const *)environ, &cli, &err);
    int code = PX_EXIT_FINE;
    if (st) {
        complain(&err);
        code = st == PX_EINVAL ? PX_EXIT_USAGE : PX_EXIT_FOUND;
    } else if (cli.command == PX_CLI_HELP) {
        fputs(cli.text, stdout);
    } else if (cli.command == PX_CLI_VERSION) {
        print_version();
    } else {
        code = run_command(&cli);
    }
    px_cli_free(&cli);
    return code;
}
