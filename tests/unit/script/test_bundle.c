// What a bundle is read from, and its limits.

#include "vm_test.h"

static void list(const struct px_bundle *bundle, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < px_bundle_count(bundle); i++) {
        const struct px_bundle_file *file = px_bundle_at(bundle, i);
        size_t at = strlen(out);
        if (!file->shipped) {
            snprintf(out + at, size - at, "%s:%.*s ",
                     file->kind == PX_BUNDLE_RULES ? "rule" : "module", (int)file->name.len,
                     file->name.ptr);
        }
    }
}

static void test_files_are_read_in_order_of_names_and_others_left_out(void **state)
{
    (void)state;
    struct folder folder;
    folder_open(&folder);
    static const char *const names[] = { "rules/b.lua",      "rules/a.lua",
                                         "rules/a_test.lua", "rules/.hidden.lua",
                                         "rules/notes.txt",  "provider/x.lua",
                                         "protocol/p/y.lua", "protocol/readme.lua" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        folder_add(&folder, names[i], "return 1");
    }
    struct px_error err = { PX_OK, "" };
    struct px_bundle *bundle = NULL;
    char text[512];
    assert_int_equal(px_bundle_read(folder.path, &bundle, &err), PX_OK);
    list(bundle, text, sizeof(text));
    assert_string_equal(text, "module:provider.x module:protocol.p.y rule:a.lua rule:b.lua ");
    assert_null(px_bundle_module(bundle, PX_STR("a.lua")));
    assert_non_null(px_bundle_module(bundle, PX_STR("main")));
    px_bundle_drop(px_bundle_hold(bundle));
    px_bundle_drop(bundle);
    folder_close(&folder);
}

static void test_a_folder_that_is_not_there_is_empty(void **state)
{
    (void)state;
    struct px_error err = { PX_OK, "" };
    struct px_bundle *bundle = NULL;
    assert_int_equal(px_bundle_read("/nowhere/at/all", &bundle, &err), PX_OK);
    assert_int_equal(px_bundle_count(bundle), px_embedded_count);
    px_bundle_drop(bundle);
    px_bundle_drop(NULL);
}

static void test_a_file_over_one_mebibyte_is_refused(void **state)
{
    (void)state;
    size_t size = 1 << 20;
    char *text = malloc(size + 2);
    memset(text, ' ', size + 1);
    for (size_t over = 0; over < 2; over++) {
        struct folder folder;
        folder_open(&folder);
        text[size + over] = '\0';
        folder_add(&folder, "rules/a.lua", text);
        text[size + over] = ' ';
        struct px_error err = { PX_OK, "" };
        struct px_bundle *bundle = NULL;
        enum px_status st = px_bundle_read(folder.path, &bundle, &err);
        assert_int_equal(st, over ? PX_ETOOBIG : PX_OK);
        if (over) {
            assert_contains(err.text, "rules/a.lua: larger than 1 MiB");
        }
        px_bundle_drop(bundle);
        folder_close(&folder);
    }
    free(text);
}

static void test_more_than_1000_files_are_refused(void **state)
{
    (void)state;
    struct folder folder;
    folder_open(&folder);
    folder_add(&folder, "rules/first.lua", "");
    char path[200];
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "%s/rules/%04d.lua", folder.path, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
    }
    struct px_error err = { PX_OK, "" };
    struct px_bundle *bundle = NULL;
    assert_int_equal(px_bundle_read(folder.path, &bundle, &err), PX_ETOOBIG);
    assert_contains(err.text, "more than 1000 scripts");
    unlink(path);
    assert_int_equal(px_bundle_read(folder.path, &bundle, &err), PX_OK);
    px_bundle_drop(bundle);
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "%s/rules/%04d.lua", folder.path, i);
        unlink(path);
    }
    folder_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_read_in_order_of_names_and_others_left_out),
        cmocka_unit_test(test_a_folder_that_is_not_there_is_empty),
        cmocka_unit_test(test_a_file_over_one_mebibyte_is_refused),
        cmocka_unit_test(test_more_than_1000_files_are_refused),
    };
    return cmocka_run_group_tests_name("script/bundle", tests, NULL, NULL);
}
