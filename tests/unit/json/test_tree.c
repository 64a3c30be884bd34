#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "px/jsontree.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct px_json_tree *parse(const char *text)
{
    struct px_json_tree *tree = NULL;
    struct px_error err = { 0 };
    if (px_json_parse((struct px_str){ text, strlen(text) }, &tree, &err) != PX_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return tree;
}

static void test_a_tree_gives_what_the_text_says(void **state)
{
    (void)state;
    struct px_json_tree *tree = parse("{\"b\":[1,-2.5,\"x\\u00e9\",true,false,null],\"a\":{},"
                                      "\"B\":\"upper\",\"b\":2}");
    const struct px_json_node *root = px_json_root(tree), *node;
    assert_int_equal(px_json_node_type(root), PX_JSON_OBJECT);
    assert_int_equal(px_json_count(root), 4);
    static const char *names[] = { "b", "a", "B", "b" };
    size_t i = 0;
    for (node = px_json_first(root); node; node = px_json_after(node)) {
        assert_string_equal(px_json_name(node).ptr, names[i++]);
    }
    assert_string_equal(px_json_string(px_json_member(root, "B")).ptr, "upper");
    assert_null(px_json_member(root, "A"));
    const struct px_json_node *list = px_json_member(root, "b");
    assert_int_equal(px_json_count(list), 6);
    assert_null(px_json_member(list, "b"));
    node = px_json_first(list);
    assert_true(px_json_number(node) == 1);
    assert_int_equal(px_json_name(node).len, 0);
    node = px_json_after(node);
    assert_true(px_json_number(node) == -2.5);
    node = px_json_after(node);
    assert_string_equal(px_json_string(node).ptr, "x\303\251");
    assert_true(px_json_number(node) == 0);
    node = px_json_after(node);
    assert_true(px_json_bool(node));
    assert_int_equal(px_json_node_type(node), PX_JSON_TRUE);
    node = px_json_after(node);
    assert_false(px_json_bool(node));
    assert_int_equal(px_json_node_type(node), PX_JSON_FALSE);
    node = px_json_after(node);
    assert_int_equal(px_json_node_type(node), PX_JSON_NULL);
    assert_null(px_json_after(node));
    px_json_tree_free(tree);
}

static void test_null_stands_for_what_is_not_there(void **state)
{
    (void)state;
    assert_null(px_json_first(NULL));
    assert_null(px_json_after(NULL));
    assert_null(px_json_member(NULL, "a"));
    assert_int_equal(px_json_node_type(NULL), PX_JSON_NULL);
    assert_int_equal(px_json_count(NULL), 0);
    assert_int_equal(px_json_string(NULL).len, 0);
    assert_int_equal(px_json_name(NULL).len, 0);
    assert_true(px_json_number(NULL) == 0);
    assert_false(px_json_bool(NULL));
    px_json_tree_free(NULL);
}

static void test_every_value_has_a_place(void **state)
{
    (void)state;
    struct px_json_tree *tree = parse("{\n  \"a\": [1,\n    {\"x\": \"y\"}],\n  \"b\": 5\n}\n");
    const struct px_json_node *root = px_json_root(tree), *list = px_json_member(root, "a");
    const struct px_json_node *second = px_json_after(px_json_first(list));
    const struct {
        const struct px_json_node *node;
        unsigned line, column;
    } cases[] = {
        { root, 1, 1 },
        { list, 2, 8 },
        { px_json_first(list), 2, 9 },
        { second, 3, 5 },
        { px_json_first(second), 3, 11 },
        { px_json_member(root, "b"), 4, 8 },
        { NULL, 1, 1 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned line = 0, column = 0;
        px_json_where(tree, cases[i].node, &line, &column);
        assert_int_equal(line, cases[i].line);
        assert_int_equal(column, cases[i].column);
    }
    px_json_tree_free(tree);
}

static void test_errors_begin_with_line_and_column(void **state)
{
    (void)state;
    static const char *cases[][2] = {
        { "", "1:1: expected a value" },
        { "{\n  \"a\": 1,\n}", "3:1: expected a member's name" },
        { "{\n\n \"a\" 1}", "3:6: expected ':'" },
        { "[\"ok\",\n \"\\u0000\"]", "2:2: a string must not hold \\u0000" },
        { "{\"a\\u0000\":1}", "1:2: a string must not hold \\u0000" },
        { "[1,\"\\ud83d\"]", "1:4: a string must not hold half a surrogate pair" },
        { "[1111111111111111111111111111111111111111111111111111111111111]",
          "1:2: this number is too long" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct px_json_tree *tree = NULL;
        struct px_error err = { 0 };
        struct px_str text = { cases[i][0], strlen(cases[i][0]) };
        assert_int_equal(px_json_parse(text, &tree, &err), PX_EINVAL);
        assert_null(tree);
        assert_string_equal(err.text, cases[i][1]);
    }
}

static void test_what_is_allowed_at_the_edge_is_parsed(void **state)
{
    (void)state;
    static const char *texts[] = {
        "[111111111111111111111111111111111111111111111111111111111111]",
        "\"\\ud83d\\ude00\"",
        "1e999",
        "\"\\\\u0000\"",
        " [ ] ",
        "-0",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        px_json_tree_free(parse(texts[i]));
    }
    char deep[2 * PX_JSON_DEPTH + 1] = { 0 };
    memset(deep, '[', PX_JSON_DEPTH);
    memset(deep + PX_JSON_DEPTH, ']', PX_JSON_DEPTH);
    px_json_tree_free(parse(deep));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tree_gives_what_the_text_says),
        cmocka_unit_test(test_null_stands_for_what_is_not_there),
        cmocka_unit_test(test_every_value_has_a_place),
        cmocka_unit_test(test_errors_begin_with_line_and_column),
        cmocka_unit_test(test_what_is_allowed_at_the_edge_is_parsed),
    };
    return cmocka_run_group_tests_name("json_tree", tests, NULL, NULL);
}
