#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "failing.h"
#include "px/jsonpath.h"
#include "px/jsontree.h"

// Every work is done with the first, second, … allocation failing until it succeeds; the sanitizer
// tells whether anything was lost.

typedef enum px_status (*work_fn)(void);

static void fail_each_allocation(work_fn work, size_t least)
{
    size_t n = 0;
    bool failed;
    do {
        failing_start(++n);
        enum px_status st = work();
        failed = failing_stop();
        // A second try may have done without.
        assert_true(st == PX_OK || (failed && st == PX_ENOMEM));
    } while (failed);
    assert_true(n > least);
}

static char wide[4000];

static enum px_status index_wide(void)
{
    struct px_json_index index = { 0 };
    enum px_status st = px_json_scan((struct px_str){ wide, strlen(wide) }, &index, NULL, NULL);
    px_json_index_free(&index);
    return st;
}

static enum px_status unquote(void)
{
    struct px_buf out = PX_BUF(100);
    enum px_status st = px_json_unquote(PX_STR("\"a\\nb\""), &out);
    px_buf_free(&out);
    return st;
}

static enum px_status quote(void)
{
    struct px_buf out = PX_BUF(10000);
    char text[1000];
    memset(text, '\n', sizeof(text));
    enum px_status st = px_json_quote(&out, (struct px_str){ text, sizeof(text) });
    px_buf_free(&out);
    return st;
}

static enum px_status edit(void)
{
    struct px_json_path *path = NULL;
    struct px_buf out = PX_BUF(10000);
    enum px_status st = px_json_path_new(PX_STR("a[\"b\\n\"][*]"), &path, NULL);
    if (!st) {
        st = px_json_set(PX_STR("{\"a\":{\"b\\n\":[1,2]}}"), path, PX_STR("3"), &out, NULL, NULL);
    }
    if (!st) {
        px_buf_free(&out);
        st = px_json_remove(PX_STR("{\"a\":{\"b\\n\":[1,2]}}"), path, &out, NULL, NULL);
    }
    px_json_path_free(path);
    px_buf_free(&out);
    return st;
}

static enum px_status splice(void)
{
    struct px_str text = PX_STR("[1]");
    struct px_block *block = px_json_splice(text, text, PX_STR("2"));
    px_block_drop(block);
    return block ? PX_OK : PX_ENOMEM;
}

static enum px_status parse(void)
{
    struct px_json_tree *tree = NULL;
    enum px_status st = px_json_parse(PX_STR("{\"a\":[1,\"x\\n\",{\"b\":null}]}"), &tree, NULL);
    px_json_tree_free(tree);
    return st;
}

static void test_no_failing_allocation_loses_memory(void **state)
{
    (void)state;
    strcpy(wide, "{");
    for (int i = 0; i < 200; i++) {
        strcat(wide, i ? ",\"a\":1" : "\"a\":1");
    }
    strcat(wide, "}");
    fail_each_allocation(index_wide, 3);
    fail_each_allocation(unquote, 1);
    fail_each_allocation(quote, 1);
    fail_each_allocation(edit, 3);
    fail_each_allocation(splice, 1);
    cJSON_Hooks hooks = { malloc, free };
    cJSON_InitHooks(&hooks);
    fail_each_allocation(parse, 8);
    cJSON_InitHooks(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_failing_allocation_loses_memory),
    };
    return cmocka_run_group_tests_name("json_memory", tests, NULL, NULL);
}
