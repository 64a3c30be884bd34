#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "px/log.h"
#include "px/status.h"
#include "px/str.h"

/// Configuration: one JSON file, over which environment variables and then `--set` flags are laid.
///
/// px_config_load() reads and checks everything and changes nothing on the disk. What a person did
/// wrong goes into a report, as many lines as there are mistakes; secrets are never part of a line.
/// What has to be made before the program can serve (folder, client key) is px_config_prepare()'s.

/// A larger configuration file is refused.
#define PX_CONFIG_FILE_MAX (4u << 20)

/// A larger file behind a `file:` value, or a larger prompt file, is refused.
#define PX_CONFIG_VALUE_MAX (1u << 20)

/// More lines than these are counted but not kept.
#define PX_CONFIG_REPORT_MAX 100

// -- What was found -------------------------------------------------------------------------------

struct px_config_line {
    bool error;  ///< Else a warning.
    char *text;  ///< "configs/proxima.json:12:7: providers.x.typo: unknown member; did you …"
};

/// Start with zeroes; px_config_report_free() after any outcome. It may be used for several loads:
/// lines are added.
struct px_config_report {
    struct px_config_line *lines;
    size_t count;
    size_t errors, warnings;  ///< All of them, also those beyond PX_CONFIG_REPORT_MAX.
};

/// Adds a line to a report (also for what others found: scripts, certificates). Being out of memory
/// still counts the line.
void px_config_report_add(struct px_config_report *report, bool error, const char *fmt, ...)
    PX_PRINTF(3, 4);

/// Writes a report for people, errors first, one line each, with "error: " or "warning: " before.
void px_config_report_print(const struct px_config_report *report, FILE *out);

/// Frees the lines and zeroes the report.
void px_config_report_free(struct px_config_report *report);

// -- Where it comes from --------------------------------------------------------------------------

/// One value laid over the file.
struct px_config_set {
    const char *name;   ///< How the person wrote it, for messages: "--port".
    const char *path;   ///< `listen[0].port`; `prompt[+]` appends to a list.
    const char *value;  ///< JSON, or a plain string where one is expected (or where it is no JSON).
};

/// A member that a kind of provider declares for its accounts and for itself (`settings` of the
/// provider contract).
struct px_config_setting {
    const char *name;
    enum { PX_SETTING_STRING, PX_SETTING_NUMBER, PX_SETTING_BOOLEAN } type;
};

/// A kind of provider: a file in lua/provider/.
struct px_config_type {
    const char *name;  ///< "openai"
    const struct px_config_setting *settings;
    size_t setting_count;
};

/// Everything is borrowed during the load.
struct px_config_source {
    const char *file;                ///< Path of the configuration file, as the person gave it.
    const char *const *environment;  ///< "NAME=VALUE" … NULL, normally `environ`.
    const struct px_config_set *sets;
    size_t set_count;
    /// Known kinds of providers, shipped ones and shadows. A file `<scripts>/provider/<type>.lua`
    /// makes its name known too. Without any, types are not checked.
    const struct px_config_type *types;
    size_t type_count;
};

// -- What it says ---------------------------------------------------------------------------------

struct px_config_listener {
    const char *address;  ///< Numeric.
    int port;             ///< 0 lets the system choose.
    int fd;               ///< Inherited socket, or -1.
    bool systemd;         ///< `"fd": "systemd"`: px_config_prepare() sets `fd` from LISTEN_FDS.
    const char *cert_file, *key_file;  ///< Absolute paths; both NULL: plain HTTP.
};

struct px_config_client {
    const char *name;
    const char *key;   ///< NULL until px_config_prepare() if its file is still to be made.
    const char *file;  ///< Where the key came from (`file:`), absolute; else NULL.
};

/// Milliseconds.
struct px_config_timeouts {
    uint32_t head;        ///< For a client to send a request's head.
    uint32_t keep_alive;  ///< For a client's idle connection; 0: no keep-alive.
    uint32_t connect;     ///< These four are px_fetch_times.
    uint32_t first_byte;  ///< 0: without limit, and so the next two.
    uint32_t idle;
    uint32_t total;
    uint32_t shutdown;  ///< For requests to end after SIGTERM.
};

/// One configuration. Everything lives until px_config_free(); after px_config_prepare() nothing
/// changes, so threads may share it. Paths are absolute. Lists are never NULL unless empty.
struct px_config {
    const char *file;  ///< As given.
    const char *dir;   ///< Its folder, absolute.

    const struct px_config_listener *listeners;
    size_t listener_count;  ///< At least 1.
    unsigned workers;       ///< "auto" is resolved.
    const char *data_dir;
    const char *scripts;  ///< Folder of rules/, provider/, protocol/.

    const struct px_config_client *clients;
    size_t client_count;
    const char *default_provider;  ///< NULL when there is none.

    size_t body_max;       ///< Bytes of one request body.
    size_t upload_max;     ///< Bytes of one upload, which is not kept in memory.
    size_t bodies_max;     ///< Bytes of bodies in flight, for each worker.
    size_t responses_max;  ///< Bytes of Responses that clients may go on from.
    unsigned connections;  ///< Of clients, all workers together.

    struct px_config_timeouts timeouts;

    enum px_log_level log_level;
    enum px_log_format log_format;

    const char *const *fetch_allow;  ///< Globs of hosts that px.fetch may call.
    size_t fetch_allow_count;
    const char *const *fetch_media;  ///< Globs of hosts for media; empty: `false`.
    size_t fetch_media_count;

    /// Files that were read or are named, absolute, the configuration file first: watch them.
    const char *const *watch;
    size_t watch_count;

    /// What Lua needs, as JSON: `default_provider` (or null), `clients` (names), `providers`,
    /// `models`, `fallback`, `prompt`, `params`, `headers`, `fetch`, `timeouts` (seconds), `vars`.
    /// Nothing is left to resolve: `env:`, `file:` and `~` are replaced, defaults filled in, and a
    /// prompt's `file` has become its `text`.
    ///
    ///     "providers": {
    ///       "openai-custom": {
    ///         "type": "openai", "enabled": true, "http2": false, "loss": "record",
    ///         "headers": {}, "models": [], "settings": {},      // base_url, label: if given
    ///         "accounts": [{
    ///           "name": "main", "api_key": "sk-…", "priority": 100, "weight": 1, "enabled": true,
    ///           "models": [], "not_models": [], "headers": {}, "settings": {},
    ///           "proxy": "…", "ca_file": "…"                    // in effect, if any
    ///         }]
    ///       }
    ///     }
    ///
    /// `credentials` is an absolute path. `settings` holds the members that are not ours: what the
    /// provider's type declares. `proxy` and `ca_file` of an account are those in effect: its own,
    /// else its provider's, else (proxy) the top one if that names the provider or names none.
    ///
    /// It holds secrets: it goes nowhere but into a Lua state.
    struct px_str lua_json;
};

/// Loads and checks a configuration.
///
/// @return PX_EINVAL when the report has errors (also for an unreadable file), PX_ENOMEM. `out` is
///         set only with PX_OK; there may be warnings then.
PX_CHECK enum px_status px_config_load(const struct px_config_source *source,
                                       struct px_config **out, struct px_config_report *report);

/// Frees a configuration; NULL is allowed. Secrets are wiped.
void px_config_free(struct px_config *config);

/// Makes what is missing before serving: `data_dir` (0700), and each client key that is a
/// non-existing `file:` under `data_dir` (0600, "px-" and 32 random bytes). Takes over the sockets
/// of listeners with `systemd`. Call it once, before the configuration is shared.
///
/// @param made receives the number of keys made; may be NULL.
PX_CHECK enum px_status px_config_prepare(struct px_config *config, size_t *made,
                                          struct px_error *err);

/// Locks a data folder against other processes; `fd` receives the lock, which ends when it is
/// closed or the process ends. The error says who holds it.
PX_CHECK enum px_status px_config_lock(const char *data_dir, int *fd, struct px_error *err);
