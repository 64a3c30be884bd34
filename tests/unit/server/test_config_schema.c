// configs/proxima.schema.json and the table in C say the same.

#include "server/config_help.h"

#include "config_schema.h"
#include "px/jsontree.h"

static const struct px_json_node *schema;

static struct px_str text_of(const struct px_json_node *object, const char *name)
{
    return px_json_string(px_json_member(object, name));
}

// Follows a reference, which is always into $defs.
static const struct px_json_node *follow(const struct px_json_node *node)
{
    struct px_str ref = text_of(node, "$ref");
    if (ref.len == 0) {
        return node;
    }
    const char *prefix = "#/$defs/";
    assert_memory_equal(ref.ptr, prefix, strlen(prefix));
    const struct px_json_node *found =
        px_json_member(px_json_member(schema, "$defs"), ref.ptr + strlen(prefix));
    if (!found) {
        fail_msg("%s leads nowhere", ref.ptr);
    }
    return found;
}

static unsigned type_named(struct px_str name)
{
    static const struct {
        const char *name;
        unsigned type;
    } all[] = {
        { "string", PX_CONFIG_STRING },  { "number", PX_CONFIG_NUMBER },
        { "integer", PX_CONFIG_NUMBER }, { "boolean", PX_CONFIG_BOOLEAN },
        { "object", PX_CONFIG_OBJECT },  { "array", PX_CONFIG_LIST },
        { "null", PX_CONFIG_NULL },
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        if (strcmp(all[i].name, name.ptr) == 0) {
            return all[i].type;
        }
    }
    fail_msg("unknown type %s", name.ptr);
    return 0;
}

static unsigned types_of(const struct px_json_node *node)
{
    unsigned set = 0;
    const struct px_json_node *type = px_json_member(node, "type");
    const struct px_json_node *way = px_json_first(px_json_member(node, "anyOf"));
    for (; way; way = px_json_after(way)) {
        set |= types_of(way);
    }
    if (px_json_node_type(type) == PX_JSON_STRING) {
        return set | type_named(px_json_string(type));
    }
    for (type = px_json_first(type); type; type = px_json_after(type)) {
        set |= type_named(px_json_string(type));
    }
    return set;
}

// Finds a keyword in a schema or in one of its alternatives.
static const struct px_json_node *keyword(const struct px_json_node *node, const char *name)
{
    const struct px_json_node *found = px_json_member(node, name);
    const struct px_json_node *way = px_json_first(px_json_member(node, "anyOf"));
    for (; way && !found; way = px_json_after(way)) {
        found = px_json_member(way, name);
        if (found && strcmp(name, "enum") == 0 &&
            px_json_node_type(px_json_first(found)) != PX_JSON_STRING) {
            found = NULL;
        }
    }
    return found;
}

static void compare_words(const struct px_config_rule *rule, const struct px_json_node *node,
                          const char *path)
{
    const struct px_json_node *word = px_json_first(keyword(node, "enum"));
    for (const char *const *known = rule->words; known && *known; known++) {
        if (!word || strcmp(px_json_string(word).ptr, *known) != 0) {
            fail_msg("%s: the schema lacks \"%s\"", path, *known);
        }
        word = px_json_after(word);
    }
    if (word) {
        fail_msg("%s: the schema has more words", path);
    }
}

static void compare_range(const struct px_config_rule *rule, const struct px_json_node *node,
                          const char *path)
{
    bool ranged =
        rule->form == PX_FORM_INTEGER || rule->form == PX_FORM_NUMBER || rule->form == PX_FORM_SIZE;
    const struct px_json_node *min = keyword(node, "minimum"), *max = keyword(node, "maximum");
    if (ranged != (min && max) || px_json_number(min) < rule->min ||
        px_json_number(min) > rule->min || px_json_number(max) < rule->max ||
        px_json_number(max) > rule->max) {
        fail_msg("%s: another range", path);
    }
}

static bool same_json(const struct px_json_node *a, const struct px_json_node *b)
{
    if (px_json_node_type(a) != px_json_node_type(b) ||
        !px_str_eq(px_json_string(a), px_json_string(b)) || px_json_number(a) < px_json_number(b) ||
        px_json_number(a) > px_json_number(b)) {
        return false;
    }
    const struct px_json_node *x = px_json_first(a), *y = px_json_first(b);
    for (; x && y; x = px_json_after(x), y = px_json_after(y)) {
        if (!same_json(x, y)) {
            return false;
        }
    }
    return !x && !y;
}

static void compare_default(const struct px_config_rule *rule, const struct px_json_node *node,
                            const char *path)
{
    const struct px_json_node *value = px_json_member(node, "default");
    struct px_json_tree *tree = NULL;
    if (rule->standard) {
        struct px_str text = { rule->standard, strlen(rule->standard) };
        assert_int_equal(px_json_parse(text, &tree, NULL), PX_OK);
    }
    if ((rule->standard != NULL) != (value != NULL) ||
        (value && !same_json(value, px_json_root(tree)))) {
        fail_msg("%s: another default", path);
    }
    px_json_tree_free(tree);
}

static void compare(const struct px_config_rule *rule, const struct px_json_node *node,
                    const char *path);

static void compare_members(const struct px_config_rule *rule, const struct px_json_node *node,
                            const char *path)
{
    const struct px_json_node *properties = px_json_member(node, "properties");
    const struct px_json_node *more = px_json_member(node, "additionalProperties");
    char below[300];
    for (const struct px_config_rule *at = rule->members; at->name; at++) {
        snprintf(below, sizeof(below), "%s.%s", path, at->name);
        const struct px_json_node *property = px_json_member(properties, at->name);
        if (!property) {
            fail_msg("%s: not in the schema", below);
        }
        bool required = false;
        const struct px_json_node *name = px_json_first(px_json_member(node, "required"));
        for (; name; name = px_json_after(name)) {
            required = required || strcmp(px_json_string(name).ptr, at->name) == 0;
        }
        if (required != (bool)(at->flags & PX_CONFIG_REQUIRED)) {
            fail_msg("%s: one side requires it", below);
        }
        compare(at, property, below);
    }
    const struct px_json_node *property = px_json_first(properties);
    for (; property; property = px_json_after(property)) {
        if (!px_config_rule_member(rule, px_json_name(property).ptr)) {
            fail_msg("%s.%s: not in the table", path, px_json_name(property).ptr);
        }
    }
    bool open = rule->flags & PX_CONFIG_OPEN;
    if (px_json_node_type(more) != (open ? PX_JSON_TRUE : PX_JSON_FALSE)) {
        fail_msg("%s: additionalProperties", path);
    }
}

static void compare(const struct px_config_rule *rule, const struct px_json_node *node,
                    const char *path)
{
    char below[300];
    node = follow(node);
    if (text_of(node, "description").len == 0) {
        fail_msg("%s: no description", path);
    }
    if (types_of(node) != rule->types) {
        fail_msg("%s: other types", path);
    }
    compare_words(rule, node, path);
    compare_range(rule, node, path);
    compare_default(rule, node, path);
    bool later = strstr(text_of(node, "description").ptr, "no effect in this version");
    if (later != (bool)(rule->flags & PX_CONFIG_LATER)) {
        fail_msg("%s: one side says that it has no effect", path);
    }
    snprintf(below, sizeof(below), "%s[*]", path);
    if (rule->members) {
        compare_members(rule, node, path);
    } else if (rule->item) {
        const char *name = rule->types & PX_CONFIG_LIST ? "items" : "additionalProperties";
        const struct px_json_node *item = keyword(node, name);
        if (!item) {
            fail_msg("%s: %s is missing", path, name);
        }
        compare(rule->item, item, below);
    }
}

static void test_schema_and_table_say_the_same(void **state)
{
    (void)state;
    static char text[1 << 18];
    struct px_json_tree *tree = NULL;
    struct px_error err = { 0 };
    FILE *file = fopen("configs/proxima.schema.json", "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text), file);
    fclose(file);
    assert_true(len < sizeof(text));
    if (px_json_parse((struct px_str){ text, len }, &tree, &err)) {
        fail_msg("%s", err.text);
    }
    schema = px_json_root(tree);
    compare(&px_config_root, schema, "$");
    px_json_tree_free(tree);
}

// docs/config.md has a row for each member: `| member | …`.
static void find_in_document(const struct px_config_rule *rule, const char *document)
{
    for (const struct px_config_rule *at = rule->members; at && at->name; at++) {
        char row[100];
        snprintf(row, sizeof(row), "\n| `%s` |", at->name);
        if (!strstr(document, row)) {
            fail_msg("docs/config.md has no row for %s", at->name);
        }
        find_in_document(at, document);
        if (at->item) {
            find_in_document(at->item, document);
        }
    }
}

static void test_the_document_has_a_row_for_every_member(void **state)
{
    (void)state;
    static char text[1 << 18];
    FILE *file = fopen("docs/config.md", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    find_in_document(&px_config_root, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema_and_table_say_the_same),
        cmocka_unit_test(test_the_document_has_a_row_for_every_member),
    };
    return cmocka_run_group_tests_name("config_schema", tests, NULL, NULL);
}
