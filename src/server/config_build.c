// From a tree without mistakes to the structure that the program reads.

#include "config_load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// More workers than these help nobody unless somebody asks for them.
#define AUTO_WORKERS 4

// A whole configuration for Lua: far above what a file can grow to by its defaults.
#define LUA_JSON_MAX (256u << 20)

static const struct px_config_node *at(const struct px_config_load *load, const char *first,
                                       const char *second)
{
    const struct px_config_node *found = px_config_node_member(load->root, first);
    return second ? px_config_node_member(found, second) : found;
}

// Copies a string; NULL stays NULL.
static enum px_status keep(struct px_config_pool *pool, const struct px_config_node *value,
                           const char **out)
{
    if (!value || value->type != PX_JSON_STRING || value->absent) {
        return PX_OK;
    }
    *out = px_config_copy(pool, (struct px_str){ value->text, strlen(value->text) });
    return *out ? PX_OK : PX_ENOMEM;
}

static enum px_status keep_list(struct px_config_pool *pool, const struct px_config_node *list,
                                const char *const **out, size_t *count)
{
    size_t len = px_config_node_count(list), i = 0;
    if (len == 0) {
        return PX_OK;
    }
    const char **all = px_config_take(pool, len * sizeof(*all));
    enum px_status st = all ? PX_OK : PX_ENOMEM;
    for (const struct px_config_node *item = list->first; item && !st; item = item->next) {
        st = keep(pool, item, &all[i++]);
    }
    *out = all;
    *count = len;
    return st;
}

static enum px_status build_listeners(struct px_config_load *load, struct px_config_box *box)
{
    const struct px_config_node *list = at(load, "listen", NULL);
    size_t count = px_config_node_count(list);
    struct px_config_listener *all = px_config_take(&box->pool, count * sizeof(*all));
    if (!all) {
        return PX_ENOMEM;
    }
    box->config.listeners = all;
    box->config.listener_count = count;
    for (const struct px_config_node *item = list->first; item; item = item->next, all++) {
        const struct px_config_node *fd = px_config_node_member(item, "fd");
        const struct px_config_node *tls = px_config_node_member(item, "tls");
        all->port = (int)px_config_node_member(item, "port")->number;
        all->systemd = fd && fd->type == PX_JSON_STRING;
        all->fd = fd && !all->systemd ? (int)fd->number : -1;
        enum px_status st = keep(&box->pool, px_config_node_member(item, "address"), &all->address);
        st = st ? st : keep(&box->pool, px_config_node_member(tls, "cert_file"), &all->cert_file);
        st = st ? st : keep(&box->pool, px_config_node_member(tls, "key_file"), &all->key_file);
        if (!st && tls) {
            st = px_config_watch(load, all->cert_file);
            st = st ? st : px_config_watch(load, all->key_file);
        }
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

static enum px_status build_clients(const struct px_config_load *load, struct px_config_box *box)
{
    const struct px_config_node *list = at(load, "clients", NULL);
    size_t count = px_config_node_count(list);
    struct px_config_client *all = px_config_take(&box->pool, count * sizeof(*all));
    if (!all) {
        return PX_ENOMEM;
    }
    box->config.clients = count ? all : NULL;
    box->config.client_count = count;
    for (const struct px_config_node *item = list->first; item; item = item->next, all++) {
        const struct px_config_node *key = px_config_node_member(item, "key");
        enum px_status st = keep(&box->pool, px_config_node_member(item, "name"), &all->name);
        st = st ? st : keep(&box->pool, key, &all->key);
        if (!st && key->file) {
            all->file = px_config_copy(&box->pool, (struct px_str){ key->file, strlen(key->file) });
            st = all->file ? PX_OK : PX_ENOMEM;
        }
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

static unsigned count_workers(const struct px_config_node *workers)
{
    if (workers->type == PX_JSON_NUMBER) {
        return (unsigned)workers->number;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > AUTO_WORKERS ? AUTO_WORKERS : (unsigned)cores;
}

// Which of the table's words a checked value is.
static unsigned word_index(const char *member, const struct px_config_node *value)
{
    const struct px_config_rule *log = px_config_rule_member(&px_config_root, "log");
    const char *const *words = px_config_rule_member(log, member)->words;
    unsigned index = 0;
    while (strcmp(words[index], value->text) != 0) {
        index++;
    }
    return index;
}

static void build_numbers(const struct px_config_load *load, struct px_config *config)
{
    static const struct {
        const char *name;
        size_t offset;
    } times[] = {
        { "head", offsetof(struct px_config_timeouts, head) },
        { "keep_alive", offsetof(struct px_config_timeouts, keep_alive) },
        { "connect", offsetof(struct px_config_timeouts, connect) },
        { "first_byte", offsetof(struct px_config_timeouts, first_byte) },
        { "idle", offsetof(struct px_config_timeouts, idle) },
        { "total", offsetof(struct px_config_timeouts, total) },
        { "shutdown", offsetof(struct px_config_timeouts, shutdown) },
    };
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        // A fraction of a millisecond must not become 0, which has a meaning of its own.
        double ms = ceil(at(load, "timeouts", times[i].name)->number * 1000);
        *(uint32_t *)((char *)&config->timeouts + times[i].offset) = (uint32_t)ms;
    }
    config->workers = count_workers(at(load, "workers", NULL));
    config->body_max = (size_t)at(load, "limits", "body")->number;
    config->upload_max = (size_t)at(load, "limits", "upload")->number;
    config->bodies_max = (size_t)at(load, "limits", "bodies")->number;
    config->responses_max = (size_t)at(load, "limits", "responses")->number;
    config->connections = (unsigned)at(load, "limits", "connections")->number;
    config->log_level = (enum px_log_level)word_index("level", at(load, "log", "level"));
    config->log_format = (enum px_log_format)word_index("format", at(load, "log", "format"));
}

static enum px_status build_watch(const struct px_config_load *load, struct px_config_box *box)
{
    size_t count = load->watch.count;
    const char **all = px_config_take(&box->pool, count * sizeof(*all));
    if (!all) {
        return PX_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const char *path = load->watch.paths[i];
        all[i] = px_config_copy(&box->pool, (struct px_str){ path, strlen(path) });
        if (!all[i]) {
            return PX_ENOMEM;
        }
    }
    box->config.watch = all;
    box->config.watch_count = count;
    return PX_OK;
}

static enum px_status build_lua(struct px_config_load *load, struct px_config_box *box)
{
    struct px_buf out = PX_BUF(LUA_JSON_MAX);
    enum px_status st = px_config_write_lua(load, &out);
    if (!st) {
        char *text = px_config_copy(&box->pool, px_buf_str(&out));
        box->config.lua_json = (struct px_str){ text, out.len };
        st = text ? PX_OK : PX_ENOMEM;
    }
    if (out.ptr) {
        explicit_bzero(out.ptr, out.cap);
    }
    px_buf_free(&out);
    return st;
}

enum px_status px_config_build(struct px_config_load *load, struct px_config_box *box)
{
    struct px_config *config = &box->config;
    struct px_config_pool *pool = &box->pool;
    const char *file = load->source->file;
    build_numbers(load, config);
    config->file = px_config_copy(pool, (struct px_str){ file, strlen(file) });
    config->dir = px_config_copy(pool, (struct px_str){ load->dir, strlen(load->dir) });
    enum px_status st = config->file && config->dir ? PX_OK : PX_ENOMEM;
    st = st ? st : keep(pool, at(load, "data_dir", NULL), &config->data_dir);
    st = st ? st : keep(pool, at(load, "scripts", NULL), &config->scripts);
    st = st ? st : keep(pool, at(load, "default_provider", NULL), &config->default_provider);
    st = st ? st
            : keep_list(pool, at(load, "fetch", "allow"), &config->fetch_allow,
                        &config->fetch_allow_count);
    st = st ? st
            : keep_list(pool, at(load, "fetch", "media"), &config->fetch_media,
                        &config->fetch_media_count);
    st = st ? st : build_listeners(load, box);
    st = st ? st : build_clients(load, box);
    st = st ? st : build_lua(load, box);
    return st ? st : build_watch(load, box);
}
