// One walk over the tree and the table together: types, ranges, names, defaults.

#include "config_load.h"

#include "near.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static unsigned type_bit(enum px_json_type type)
{
    static const unsigned bits[] = {
        [PX_JSON_NULL] = PX_CONFIG_NULL,     [PX_JSON_FALSE] = PX_CONFIG_BOOLEAN,
        [PX_JSON_TRUE] = PX_CONFIG_BOOLEAN,  [PX_JSON_NUMBER] = PX_CONFIG_NUMBER,
        [PX_JSON_STRING] = PX_CONFIG_STRING, [PX_JSON_ARRAY] = PX_CONFIG_LIST,
        [PX_JSON_OBJECT] = PX_CONFIG_OBJECT,
    };
    return bits[type];
}

// Text from outside has no type of its own: "4" is a number where one is wanted, and a key of
// digits stays a string where a string is wanted.
static enum px_status adapt(struct px_config_node *node, const struct px_config_rule *rule)
{
    if (!node->raw) {
        return PX_OK;
    }
    if (node->type != PX_JSON_STRING) {
        if (!(type_bit(node->type) & rule->types) && rule->types & PX_CONFIG_STRING) {
            node->type = PX_JSON_STRING;
            node->text = node->raw;
            node->first = node->last = NULL;
        }
        return PX_OK;
    }
    if (rule->types == PX_CONFIG_ANY || !(rule->types & (PX_CONFIG_NUMBER | PX_CONFIG_BOOLEAN))) {
        return PX_OK;
    }
    struct px_json_tree *tree = NULL;
    enum px_status st =
        px_json_parse((struct px_str){ node->text, strlen(node->text) }, &tree, NULL);
    if (!st) {
        enum px_json_type type = px_json_node_type(px_json_root(tree));
        if (type != PX_JSON_STRING && type_bit(type) & rule->types &&
            type_bit(type) & (PX_CONFIG_NUMBER | PX_CONFIG_BOOLEAN)) {
            node->type = type;
            node->number = px_json_number(px_json_root(tree));
        }
        px_json_tree_free(tree);
    }
    return st == PX_ENOMEM ? st : PX_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp((*(struct px_config_node *const *)a)->name,
                  (*(struct px_config_node *const *)b)->name);
}

// Members given twice. The first one counts, so that the checks below see one of each.
static enum px_status check_repeats(struct px_config_load *load, struct px_config_node *object)
{
    size_t count = px_config_node_count(object), i = 0;
    if (count < 2) {
        return PX_OK;
    }
    struct px_config_node **all = malloc(count * sizeof(struct px_config_node *));
    if (!all) {
        return PX_ENOMEM;
    }
    for (struct px_config_node *child = object->first; child; child = child->next) {
        all[i++] = child;
    }
    qsort(all, count, sizeof(*all), compare);
    for (i = 1; i < count; i++) {
        if (strcmp(all[i - 1]->name, all[i]->name) == 0) {
            px_config_complain(load, true, all[i], "the member is given more than once");
        }
    }
    free(all);
    return PX_OK;
}

// -- Names that the table does not have -----------------------------------------------------------

const struct px_config_type *px_config_find_type(const struct px_config_load *load,
                                                 const char *name)
{
    for (size_t i = 0; name && i < load->source->type_count; i++) {
        if (strcmp(load->source->types[i].name, name) == 0) {
            return &load->source->types[i];
        }
    }
    return NULL;
}

// What the type of the provider around `object` (itself, or its account) declares.
static const struct px_config_type *type_around(const struct px_config_load *load,
                                                const struct px_config_node *object)
{
    for (; object; object = object->parent) {
        const struct px_config_node *type = px_config_node_member(object, "type");
        if (type && object->parent && object->parent->name &&
            strcmp(object->parent->name, "providers") == 0) {
            return type->type == PX_JSON_STRING ? px_config_find_type(load, type->text) : NULL;
        }
    }
    return NULL;
}

static const struct px_config_setting *find_setting(const struct px_config_type *type,
                                                    const char *name)
{
    for (size_t i = 0; type && i < type->setting_count; i++) {
        if (strcmp(type->settings[i].name, name) == 0) {
            return &type->settings[i];
        }
    }
    return NULL;
}

static void warn_unknown(struct px_config_load *load, const struct px_config_node *node,
                         const struct px_config_rule *rule, const struct px_config_type *type)
{
    struct px_near near = { 0 };
    for (const struct px_config_rule *at = rule->members; at->name; at++) {
        px_near_try(&near, node->name, at->name);
    }
    for (size_t i = 0; type && i < type->setting_count; i++) {
        px_near_try(&near, node->name, type->settings[i].name);
    }
    if (near.best) {
        px_config_complain(load, false, node, "unknown member; did you mean \"%s\"?", near.best);
    } else {
        px_config_complain(load, false, node, "unknown member");
    }
}

static enum px_status check_unknown(struct px_config_load *load, struct px_config_node *node,
                                    const struct px_config_rule *rule)
{
    static const struct px_config_rule rules[] = {
        [PX_SETTING_STRING] = { .types = PX_CONFIG_STRING },
        [PX_SETTING_NUMBER] = { .types = PX_CONFIG_NUMBER },
        [PX_SETTING_BOOLEAN] = { .types = PX_CONFIG_BOOLEAN },
    };
    static const struct px_config_rule any = { .types = PX_CONFIG_ANY };
    if (!(rule->flags & PX_CONFIG_OPEN)) {
        warn_unknown(load, node, rule, NULL);
        px_config_node_remove(node);
        return PX_OK;
    }
    const struct px_config_type *type = type_around(load, node->parent);
    const struct px_config_setting *setting = find_setting(type, node->name);
    if (!setting) {
        warn_unknown(load, node, rule, type);
    }
    // Only the type knows which of its settings are secret.
    load->secret++;
    enum px_status st = px_config_check(load, node, setting ? &rules[setting->type] : &any);
    load->secret--;
    return st;
}

// -- Members --------------------------------------------------------------------------------------

static enum px_status add_default(struct px_config_load *load, struct px_config_node *object,
                                  const struct px_config_rule *rule)
{
    struct px_json_tree *tree = NULL;
    struct px_str text = { rule->standard, strlen(rule->standard) };
    enum px_status st = px_json_parse(text, &tree, NULL);
    if (st) {
        return st;
    }
    struct px_config_node *node = px_config_node_read(&load->work, px_json_root(tree), "default");
    px_json_tree_free(tree);
    if (!node) {
        return PX_ENOMEM;
    }
    node->name = rule->name;
    node->origin = NULL;
    px_config_node_append(object, node);
    return px_config_check(load, node, rule);
}

static bool is_given(const struct px_config_node *node)
{
    bool container = node->type == PX_JSON_OBJECT || node->type == PX_JSON_ARRAY;
    return container ? node->first != NULL : node->type != PX_JSON_FALSE;
}

static enum px_status check_member(struct px_config_load *load, struct px_config_node *object,
                                   const struct px_config_rule *rule)
{
    struct px_config_node *node = px_config_node_member(object, rule->name);
    if (!node) {
        if (rule->flags & PX_CONFIG_REQUIRED) {
            char expected[300];
            px_config_expected(rule, expected, sizeof(expected));
            px_config_complain(load, true, object, "\"%s\" is missing: expected %s", rule->name,
                               expected);
        }
        return rule->standard ? add_default(load, object, rule) : PX_OK;
    }
    if (rule->flags & PX_CONFIG_REFUSED) {
        px_config_complain(load, true, node,
                           "not supported by this version, and ignoring it would be unsafe; "
                           "remove it");
        return PX_OK;
    }
    if (rule->flags & PX_CONFIG_LATER && is_given(node)) {
        px_config_complain(load, false, node, "has no effect in this version");
    }
    return px_config_check(load, node, rule);
}

static enum px_status check_object(struct px_config_load *load, struct px_config_node *object,
                                   const struct px_config_rule *rule)
{
    const struct px_config_node *enabled = px_config_node_member(object, "enabled");
    bool forgive = rule->flags & PX_CONFIG_OPEN && enabled && enabled->type == PX_JSON_FALSE;
    load->forgiving += forgive;
    enum px_status st = PX_OK;
    for (struct px_config_node *child = object->first, *next; child && !st; child = next) {
        next = child->next;
        if (!px_config_rule_member(rule, child->name)) {
            st = check_unknown(load, child, rule);
        }
    }
    for (const struct px_config_rule *at = rule->members; at->name && !st; at++) {
        st = check_member(load, object, at);
        if (at->name && strcmp(at->name, "data_dir") == 0 && object == load->root) {
            const struct px_config_node *dir = px_config_node_member(object, "data_dir");
            load->data_dir = dir && dir->type == PX_JSON_STRING ? dir->text : NULL;
        }
    }
    load->forgiving -= forgive;
    return st;
}

static bool is_token(const char *name)
{
    for (const char *at = name; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("!#$%&'*+-.^_`|~", *at)) {
            return false;
        }
    }
    return *name != '\0';
}

static enum px_status check_items(struct px_config_load *load, struct px_config_node *node,
                                  const struct px_config_rule *rule)
{
    for (struct px_config_node *child = node->first; child; child = child->next) {
        if (child->name && rule->form == PX_FORM_HEADER && !is_token(child->name)) {
            px_config_complain(load, true, child, "the name of a header holds no such characters");
        }
        enum px_status st = px_config_check(load, child, rule);
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

static enum px_status check_inside(struct px_config_load *load, struct px_config_node *node,
                                   const struct px_config_rule *rule)
{
    static const struct px_config_rule any = { .types = PX_CONFIG_ANY };
    bool object = node->type == PX_JSON_OBJECT;
    enum px_status st = object ? check_repeats(load, node) : PX_OK;
    if (st) {
        return st;
    }
    if (object && rule->members) {
        return check_object(load, node, rule);
    }
    return check_items(load, node, rule->item ? rule->item : &any);
}

enum px_status px_config_check(struct px_config_load *load, struct px_config_node *node,
                               const struct px_config_rule *rule)
{
    bool secret = rule->flags & PX_CONFIG_SECRET;
    load->secret += secret;
    enum px_status st = node->type == PX_JSON_STRING ? px_config_resolve(load, node, rule) : PX_OK;
    if (!st && !node->absent) {
        st = adapt(node, rule);
        if (st) {
            // Out of memory: nothing more to say.
        } else if (!(type_bit(node->type) & rule->types)) {
            px_config_mismatch(load, node, rule);
        } else if (node->type == PX_JSON_OBJECT || node->type == PX_JSON_ARRAY) {
            st = check_inside(load, node, rule);
        } else {
            st = px_config_check_form(load, node, rule);
        }
    }
    load->secret -= secret;
    return st;
}
