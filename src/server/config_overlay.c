// Values laid over the file: PROXIMA_<PATH> from the environment, then flags.
//
// Both become a path and a text. The way to a member is made where it is missing. A text that is
// JSON is taken as JSON; the check takes it as plain text again where a string is expected.

#include "config_load.h"

#include "near.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENV_PREFIX "PROXIMA_"
#define PATH_MAX_LEN 512

// One step of a path: a member's name, or an index.
struct step {
    char name[PATH_MAX_LEN];
    bool is_index, append;
    size_t index;
};

static bool read_bracket(const char **at, struct step *step)
{
    const char *end = strchr(*at, ']');
    if (**at == '"') {
        end = strstr(*at + 1, "\"]");
        if (!end) {
            return false;
        }
        snprintf(step->name, sizeof(step->name), "%.*s", (int)(end - *at - 1), *at + 1);
        *at = end + 2;
        return true;
    }
    step->is_index = true;
    step->append = **at == '+';
    if (!end || end == *at || end - *at > 6) {
        return false;
    }
    for (const char *c = *at; c < end && !step->append; c++) {
        if (!isdigit((unsigned char)*c)) {
            return false;
        }
        step->index = step->index * 10 + (size_t)(*c - '0');
    }
    bool sound = !step->append || end == *at + 1;
    *at = end + 1;
    return sound;
}

// Reads the next step; false when the path is not well formed.
static bool next_step(const char **at, bool first, struct step *step)
{
    memset(step, 0, sizeof(*step));
    if (**at == '[') {
        ++*at;
        return read_bracket(at, step);
    }
    if (!first && *(*at)++ != '.') {
        return false;
    }
    size_t len = strcspn(*at, ".[");
    if (len == 0) {
        return false;
    }
    snprintf(step->name, sizeof(step->name), "%.*s", (int)len, *at);
    *at += len;
    return true;
}

// Follows one step and makes it where it is missing. `out` stays NULL when it cannot be followed.
static enum px_status follow(struct px_config_load *load, const struct px_config_set *set,
                             struct px_config_node *node, const struct step *step,
                             struct px_config_node **out)
{
    enum px_json_type want = step->is_index ? PX_JSON_ARRAY : PX_JSON_OBJECT;
    if (node->type == PX_JSON_NULL && !node->from) {
        node->type = want;
        node->origin = set->name;
    }
    if (node->type != want) {
        char path[PATH_MAX_LEN];
        px_config_node_path(node, path, sizeof(path));
        px_config_report_add(load->report, true, "%s: %s: expected %s on the way to %s, found %s",
                             set->name, path, step->is_index ? "a list" : "an object", set->path,
                             px_json_type_name(node->type));
        return PX_OK;
    }
    size_t count = px_config_node_count(node);
    if (step->is_index && !step->append && step->index > count) {
        px_config_report_add(load->report, true,
                             "%s: %s: the list has %zu elements, the next is %zu", set->name,
                             set->path, count, count);
        return PX_OK;
    }
    *out = step->is_index ? (step->append ? NULL : px_config_node_at(node, step->index))
                          : px_config_node_member(node, step->name);
    if (*out) {
        return PX_OK;
    }
    char *name = NULL;
    if (!step->is_index) {
        name = px_config_copy(&load->work, (struct px_str){ step->name, strlen(step->name) });
        if (!name) {
            return PX_ENOMEM;
        }
    }
    *out = px_config_node_new(&load->work, PX_JSON_NULL, name);
    if (!*out) {
        return PX_ENOMEM;
    }
    (*out)->origin = set->name;
    px_config_node_append(node, *out);
    return PX_OK;
}

static enum px_status read_text(struct px_config_load *load, const struct px_config_set *set,
                                struct px_config_node **out)
{
    struct px_json_tree *tree = NULL;
    struct px_str text = { set->value, strlen(set->value) };
    enum px_status st = px_json_parse(text, &tree, NULL);
    if (st == PX_ENOMEM) {
        return st;
    }
    struct px_config_node *value =
        tree ? px_config_node_read(&load->work, px_json_root(tree), set->name)
             : px_config_node_new(&load->work, PX_JSON_STRING, NULL);
    px_json_tree_free(tree);
    char *raw = px_config_copy(&load->work, text);
    if (!value || !raw) {
        return PX_ENOMEM;
    }
    value->raw = raw;
    value->text = value->type == PX_JSON_STRING && st ? raw : value->text;
    value->origin = set->name;
    *out = value;
    return PX_OK;
}

enum px_status px_config_overlay_set(struct px_config_load *load, const struct px_config_set *set)
{
    struct px_config_node *node = load->root, *value;
    if (strlen(set->path) >= PATH_MAX_LEN || strlen(set->value) > PX_CONFIG_VALUE_MAX) {
        px_config_report_add(load->report, true, "%s: path or value is too long", set->name);
        return PX_OK;
    }
    if (!px_config_is_utf8(set->path) || !px_config_is_utf8(set->value)) {
        px_config_report_add(load->report, true, "%s: path or value is not text in UTF-8",
                             set->name);
        return PX_OK;
    }
    const char *at = set->path;
    do {
        struct step step;
        if (!next_step(&at, at == set->path, &step)) {
            px_config_report_add(load->report, true,
                                 "%s: %s: expected a path such as listen[0].port", set->name,
                                 set->path);
            return PX_OK;
        }
        struct px_config_node *next = NULL;
        enum px_status st = follow(load, set, node, &step, &next);
        if (st || !next) {
            return st;
        }
        node = next;
    } while (*at);
    enum px_status st = read_text(load, set, &value);
    if (!st) {
        px_config_node_assign(node, value);
    }
    return st;
}

// -- Environment ----------------------------------------------------------------------------------

// Length of `name` at the start of an upper-case variable (`-` and the like are `_` there), or 0.
// What follows must be the end or another part.
static size_t match_part(const char *rest, const char *name)
{
    size_t i = 0;
    for (; name[i]; i++) {
        char want = isalnum((unsigned char)name[i]) ? (char)toupper((unsigned char)name[i]) : '_';
        if (rest[i] != want) {
            return 0;
        }
    }
    return rest[i] == '\0' || rest[i] == '_' ? i : 0;
}

struct way {
    char path[PATH_MAX_LEN];
    size_t len;
};

static bool find_way(const struct px_config_rule *rule, const struct px_config_node *node,
                     const char *rest, struct way *way);

static bool go_on(const struct px_config_rule *rule, const struct px_config_node *node,
                  const char *rest, struct way *way, const char *fmt, const char *name)
{
    size_t len = way->len;
    int more = snprintf(way->path + len, sizeof(way->path) - len, fmt, name);
    if (more > 0 && (size_t)more < sizeof(way->path) - len) {
        way->len = len + (size_t)more;
        if (*rest == '\0' || find_way(rule, node, rest + 1, way)) {
            return true;
        }
    }
    way->len = len;
    way->path[len] = '\0';
    return false;
}

static const char *member_format(const struct way *way, const char *name)
{
    return strpbrk(name, ".[]\"") ? "[\"%s\"]" : way->len ? ".%s" : "%s";
}

static bool try_members(const struct px_config_rule *rule, const struct px_config_node *node,
                        const char *rest, struct way *way)
{
    for (const struct px_config_rule *at = rule->members; at && at->name; at++) {
        size_t len = match_part(rest, at->name);
        if (len && go_on(at, px_config_node_member(node, at->name), rest + len, way,
                         member_format(way, at->name), at->name)) {
            return true;
        }
    }
    bool named =
        node && node->type == PX_JSON_OBJECT && (rule->item || rule->flags & PX_CONFIG_OPEN);
    static const struct px_config_rule setting = { .types = PX_CONFIG_ANY };
    for (const struct px_config_node *at = named ? node->first : NULL; at; at = at->next) {
        size_t len = match_part(rest, at->name);
        if (len && go_on(rule->item ? rule->item : &setting, at, rest + len, way,
                         member_format(way, at->name), at->name)) {
            return true;
        }
    }
    return false;
}

// A new member of a map of plain values (`vars`) gets its name in lower case.
static bool try_new(const struct px_config_rule *rule, const char *rest, struct way *way)
{
    if (!rule->item || !(rule->item->types & PX_CONFIG_STRING) || *rest == '\0') {
        return false;
    }
    char name[128];
    size_t i = 0;
    for (; rest[i] && i < sizeof(name) - 1; i++) {
        name[i] = (char)tolower((unsigned char)rest[i]);
    }
    name[i] = '\0';
    return rest[i] == '\0' && go_on(rule->item, NULL, "", way, member_format(way, name), name);
}

static bool find_way(const struct px_config_rule *rule, const struct px_config_node *node,
                     const char *rest, struct way *way)
{
    if (rule->types & PX_CONFIG_LIST && rule->item) {
        char digits[8] = "";
        size_t len = strspn(rest, "0123456789");
        if (len > 0 && len < sizeof(digits) && (rest[len] == '\0' || rest[len] == '_')) {
            memcpy(digits, rest, len);
            const struct px_config_node *next = NULL;
            if (node && node->type == PX_JSON_ARRAY) {
                next = px_config_node_at(node, strtoul(digits, NULL, 10));
            }
            return go_on(rule->item, next, rest + len, way, "[%s]", digits);
        }
    }
    if (rule->types & PX_CONFIG_OBJECT) {
        return try_members(rule, node, rest, way) || try_new(rule, rest, way);
    }
    return false;
}

static void report_unknown(struct px_config_load *load, const char *name)
{
    struct px_near near = { 0 };
    char first[64];
    snprintf(first, sizeof(first), "%s", name + strlen(ENV_PREFIX));
    // Members' names hold underscores themselves: each beginning of the variable may be the name.
    for (size_t len = strlen(first); len; len--) {
        if (first[len] != '\0' && first[len] != '_') {
            continue;
        }
        first[len] = '\0';
        for (const struct px_config_rule *at = px_config_root.members; at->name; at++) {
            px_near_try(&near, first, at->name);
        }
    }
    if (near.best) {
        px_config_report_add(load->report, false, "%s: names no member; did you mean \"%s\"?", name,
                             near.best);
    } else {
        px_config_report_add(load->report, false, "%s: names no member", name);
    }
}

static enum px_status apply_variable(struct px_config_load *load, const char *variable)
{
    const char *equals = strchr(variable, '=');
    char *name =
        px_config_copy(&load->work, (struct px_str){ variable, (size_t)(equals - variable) });
    if (!name) {
        return PX_ENOMEM;
    }
    struct way way = { .len = 0 };
    if (!find_way(&px_config_root, load->root, name + strlen(ENV_PREFIX), &way)) {
        report_unknown(load, name);
        return PX_OK;
    }
    struct px_config_set set = { name, way.path, equals + 1 };
    return px_config_overlay_set(load, &set);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum px_status apply_environment(struct px_config_load *load)
{
    const char *const *all = load->source->environment;
    size_t count = 0;
    for (size_t i = 0; all && all[i]; i++) {
        count += strncmp(all[i], ENV_PREFIX, strlen(ENV_PREFIX)) == 0 && strchr(all[i], '=');
    }
    if (count == 0) {
        return PX_OK;
    }
    const char **ours = px_config_take(&load->work, count * sizeof(*ours));
    if (!ours) {
        return PX_ENOMEM;
    }
    size_t used = 0;
    for (size_t i = 0; all[i]; i++) {
        if (strncmp(all[i], ENV_PREFIX, strlen(ENV_PREFIX)) == 0 && strchr(all[i], '=')) {
            ours[used++] = all[i];
        }
    }
    // The system's order means nothing, but element 0 of a list must come before element 1.
    qsort(ours, count, sizeof(*ours), compare);
    for (size_t i = 0; i < count; i++) {
        enum px_status st = apply_variable(load, ours[i]);
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

enum px_status px_config_overlay(struct px_config_load *load)
{
    enum px_status st = apply_environment(load);
    for (size_t i = 0; !st && i < load->source->set_count; i++) {
        st = px_config_overlay_set(load, &load->source->sets[i]);
    }
    return st;
}
