// What no single value can tell: names that refer to others, and names given twice.
//
// Values of a wrong type have been reported before and are passed over here.

#include "config_load.h"

#include "near.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_of(const struct px_config_node *value)
{
    return value && value->type == PX_JSON_STRING && !value->absent ? value->text : NULL;
}

static const char *member_text(const struct px_config_node *object, const char *name)
{
    return text_of(px_config_node_member(object, name));
}

static struct px_config_node *members_of(const struct px_config_load *load, const char *name,
                                         enum px_json_type type)
{
    struct px_config_node *found = px_config_node_member(load->root, name);
    return found && found->type == type ? found->first : NULL;
}

static struct px_config_node *provider_named(const struct px_config_load *load, const char *name)
{
    return px_config_node_member(px_config_node_member(load->root, "providers"), name);
}

// -- Names given twice ----------------------------------------------------------------------------

struct named {
    const char *text;
    struct px_config_node *at;
    size_t place;
};

static int compare(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

// Reports elements of a list whose `member` has the same text as an earlier element's.
static enum px_status check_twice(struct px_config_load *load, const struct px_config_node *list,
                                  const char *member, bool secret)
{
    if (!list || list->type != PX_JSON_ARRAY || !list->first) {
        return PX_OK;
    }
    struct named *all = calloc(px_config_node_count(list), sizeof(*all));
    if (!all) {
        return PX_ENOMEM;
    }
    size_t count = 0;
    for (struct px_config_node *at = list->first; at; at = at->next) {
        const char *text = member_text(at, member);
        if (text && *text) {
            all[count] = (struct named){ text, px_config_node_member(at, member), count };
            count++;
        }
    }
    qsort(all, count, sizeof(*all), compare);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(all[i - 1].text, all[i].text) != 0) {
            continue;
        }
        char first[300];
        px_config_node_path(all[i - 1].at, first, sizeof(first));
        if (secret) {
            px_config_complain(load, true, all[i].at, "the same as %s; each needs its own", first);
        } else {
            px_config_complain(load, true, all[i].at, "\"%.100s\" is the name of %s already",
                               all[i].text, first);
        }
    }
    free(all);
    return PX_OK;
}

// -- Listeners ------------------------------------------------------------------------------------

static bool same_place(const struct px_config_node *a, const struct px_config_node *b)
{
    const struct px_config_node *ports[] = { px_config_node_member(a, "port"),
                                             px_config_node_member(b, "port") };
    const char *hosts[] = { member_text(a, "address"), member_text(b, "address") };
    const char *fds[] = { member_text(a, "fd"), member_text(b, "fd") };
    const struct px_config_node *fd[] = { px_config_node_member(a, "fd"),
                                          px_config_node_member(b, "fd") };
    if (fd[0] || fd[1]) {
        return fd[0] && fd[1] && !fds[0] && !fds[1] && fd[0]->number == fd[1]->number;
    }
    return ports[0] && ports[1] && hosts[0] && hosts[1] && ports[0]->number != 0 &&
           ports[0]->number == ports[1]->number && strcmp(hosts[0], hosts[1]) == 0;
}

static void check_listeners(struct px_config_load *load)
{
    const struct px_config_node *list = px_config_node_member(load->root, "listen");
    if (!list || list->type != PX_JSON_ARRAY) {
        return;
    }
    size_t count = px_config_node_count(list);
    if (count == 0 || count > 64) {
        px_config_complain(load, true, list, "expected 1 to 64 listeners, found %zu", count);
        return;
    }
    for (const struct px_config_node *at = list->first; at; at = at->next) {
        for (const struct px_config_node *before = list->first; before != at;
             before = before->next) {
            if (same_place(before, at)) {
                px_config_complain(load, true, at,
                                   "the same address and port as an element before");
                break;
            }
        }
    }
}

// -- Providers ------------------------------------------------------------------------------------

static bool is_identifier(const char *name)
{
    size_t allowed =
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return *name && *name != '.' && allowed == strlen(name) && allowed <= 64;
}

// First parts of paths that have a meaning of their own, and prefixes of values.
static bool is_reserved(const char *name)
{
    static const char *const names[] = { "admin",   "api",    "console", "env", "file",  "health",
                                         "metrics", "ollama", "ready",   "v1",  "v1beta" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static enum px_status check_type(struct px_config_load *load, const struct px_config_node *provider)
{
    const struct px_config_node *type = px_config_node_member(provider, "type");
    const char *name = text_of(type);
    if (!name || !*name || load->source->type_count == 0 || px_config_find_type(load, name)) {
        return PX_OK;
    }
    const char *scripts = member_text(load->root, "scripts");
    if (scripts && is_identifier(name)) {
        char *file = px_config_print(&load->work, "%s/provider/%s.lua", scripts, name);
        if (!file) {
            return PX_ENOMEM;
        }
        if (access(file, R_OK) == 0) {
            return PX_OK;
        }
    }
    char known[400] = "";
    struct px_near near = { 0 };
    for (size_t i = 0; i < load->source->type_count; i++) {
        size_t len = strlen(known);
        snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
                 load->source->types[i].name);
        px_near_try(&near, name, load->source->types[i].name);
    }
    if (near.best) {
        px_config_complain(load, true, type, "unknown type \"%.60s\"; did you mean \"%s\"?", name,
                           near.best);
    } else {
        px_config_complain(load, true, type, "unknown type \"%.60s\"; known types are %s", name,
                           known);
    }
    return PX_OK;
}

static enum px_status check_provider(struct px_config_load *load,
                                     const struct px_config_node *provider)
{
    if (!is_identifier(provider->name)) {
        px_config_complain(
            load, true, provider,
            "expected a name of letters, digits, \".\", \"_\" and \"-\", at most 64");
    } else if (is_reserved(provider->name)) {
        px_config_complain(load, true, provider, "\"%s\" cannot be the name of a provider",
                           provider->name);
    }
    const struct px_config_node *accounts = px_config_node_member(provider, "accounts");
    const struct px_config_node *at =
        accounts && accounts->type == PX_JSON_ARRAY ? accounts->first : NULL;
    for (; at; at = at->next) {
        if (px_config_node_member(at, "api_key") && px_config_node_member(at, "credentials")) {
            px_config_complain(load, true, at, "expected api_key or credentials, found both");
        }
    }
    enum px_status st = check_type(load, provider);
    return st ? st : check_twice(load, accounts, "name", false);
}

// Reports a name that is no provider's.
static void check_reference(struct px_config_load *load, const struct px_config_node *at,
                            const char *name)
{
    if (!name || !*name || provider_named(load, name)) {
        return;
    }
    struct px_near near = { 0 };
    for (const struct px_config_node *p = members_of(load, "providers", PX_JSON_OBJECT); p;
         p = p->next) {
        px_near_try(&near, name, p->name);
    }
    if (near.best) {
        px_config_complain(load, true, at, "unknown provider \"%.64s\"; did you mean \"%.64s\"?",
                           name, near.best);
    } else {
        px_config_complain(load, true, at, "unknown provider \"%.64s\"", name);
    }
}

static void check_default(struct px_config_load *load)
{
    const struct px_config_node *at = px_config_node_member(load->root, "default_provider");
    const char *name = text_of(at);
    check_reference(load, at, name);
    const struct px_config_node *provider = name ? provider_named(load, name) : NULL;
    const struct px_config_node *enabled = px_config_node_member(provider, "enabled");
    if (enabled && enabled->type == PX_JSON_FALSE) {
        px_config_complain(load, true, at, "provider \"%.64s\" is not enabled", name);
    }
}

static enum px_status check_fallback(struct px_config_load *load)
{
    for (const struct px_config_node *from = members_of(load, "fallback", PX_JSON_OBJECT); from;
         from = from->next) {
        if (strcmp(from->name, "on") == 0) {
            continue;
        }
        check_reference(load, from, from->name);
        const struct px_config_node *to = from->type == PX_JSON_ARRAY ? from->first : NULL;
        for (; to; to = to->next) {
            const char *text = text_of(to);
            char *name =
                px_config_copy(&load->work, (struct px_str){ text, text ? strcspn(text, ":") : 0 });
            if (!name) {
                return PX_ENOMEM;
            }
            check_reference(load, to, name);
        }
    }
    return PX_OK;
}

static void check_proxy(struct px_config_load *load)
{
    const struct px_config_node *proxy = px_config_node_member(load->root, "proxy");
    const struct px_config_node *names = px_config_node_member(proxy, "providers");
    const struct px_config_node *at = names && names->type == PX_JSON_ARRAY ? names->first : NULL;
    for (; at; at = at->next) {
        check_reference(load, at, text_of(at));
    }
}

// -- The rest -------------------------------------------------------------------------------------

static void check_clients(struct px_config_load *load)
{
    const struct px_config_node *list = px_config_node_member(load->root, "clients");
    if (list && list->type == PX_JSON_ARRAY && !list->first) {
        px_config_complain(load, false, list, "there are no clients: every request is refused");
    }
    for (const struct px_config_node *at = members_of(load, "clients", PX_JSON_ARRAY); at;
         at = at->next) {
        const struct px_config_node *key = px_config_node_member(at, "key");
        if (text_of(key) && *key->text && strlen(key->text) < 16) {
            px_config_complain(load, false, key,
                               "a key of fewer than 16 characters can be guessed");
        }
    }
}

static void check_limits(struct px_config_load *load)
{
    const struct px_config_node *limits = px_config_node_member(load->root, "limits");
    const struct px_config_node *body = px_config_node_member(limits, "body");
    const struct px_config_node *bodies = px_config_node_member(limits, "bodies");
    if (body && bodies && body->type == PX_JSON_NUMBER && bodies->type == PX_JSON_NUMBER &&
        bodies->number < body->number) {
        px_config_complain(load, true, bodies, "expected at least limits.body (%.0f), found %.0f",
                           body->number, bodies->number);
    }
}

// A prompt's file becomes its text: a generation is read at one moment.
static enum px_status check_prompt(struct px_config_load *load, struct px_config_node *prompt)
{
    struct px_config_node *file = px_config_node_member(prompt, "file");
    const char *path = text_of(file), *problem = NULL;
    if (prompt->type != PX_JSON_OBJECT) {
        return PX_OK;
    }
    if ((file != NULL) == (px_config_node_member(prompt, "text") != NULL)) {
        px_config_complain(load, true, prompt, "expected text or file, found %s",
                           file ? "both" : "neither");
        return PX_OK;
    }
    if (!path) {
        return PX_OK;
    }
    char *text = NULL;
    enum px_status st = px_config_watch(load, path);
    st = st ? st : px_config_read_value(&load->work, path, &text, &problem);
    if (!st) {
        file->name = "text";
        file->text = text;
    } else if (st != PX_ENOMEM) {
        px_config_complain(load, true, file, "%s cannot be read: %s", path, problem);
    }
    return st == PX_ENOMEM ? st : PX_OK;
}

enum px_status px_config_cross(struct px_config_load *load)
{
    check_listeners(load);
    check_clients(load);
    check_limits(load);
    check_default(load);
    check_proxy(load);
    enum px_status st = check_fallback(load);
    const struct px_config_node *clients = px_config_node_member(load->root, "clients");
    st = st ? st : check_twice(load, clients, "name", false);
    st = st ? st : check_twice(load, clients, "key", true);
    const struct px_config_node *provider = members_of(load, "providers", PX_JSON_OBJECT);
    for (; provider && !st; provider = provider->next) {
        st = check_provider(load, provider);
    }
    struct px_config_node *prompt = members_of(load, "prompt", PX_JSON_ARRAY);
    for (; prompt && !st; prompt = prompt->next) {
        st = check_prompt(load, prompt);
    }
    return st;
}
