// The environment of scripts, and how a state is loaded from a bundle.

#include "vm_test.h"

static void test_what_reaches_outside_is_absent(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_string_equal(
        run_code(&world,
                 "for name in ([[io ffi debug jit package newproxy collectgarbage dofile loadfile\n"
                 "  loadstring getfenv setfenv module os.execute os.exit os.getenv os.remove\n"
                 "  os.rename os.tmpname os.setlocale string.dump]]):gmatch('%S+') do\n"
                 "  local at = _G\n"
                 "  for part in name:gmatch('[^.]+') do at = at[part] end\n"
                 "  assert(at == nil, name)\n"
                 "end\n"
                 "for name in ([[assert error ipairs load next pairs pcall rawequal rawget rawset\n"
                 "  require select setmetatable getmetatable tonumber tostring type unpack xpcall\n"
                 "  os.time os.clock os.date os.difftime string.format table.concat math.floor\n"
                 "  bit.band coroutine.wrap]]):gmatch('%S+') do\n"
                 "  local at = _G\n"
                 "  for part in name:gmatch('[^.]+') do at = at[part] end\n"
                 "  assert(at ~= nil, name)\n"
                 "end\n"),
        "");
    world_close(&world);
}

static void test_mistakes_in_scripts_have_clear_words(void **state)
{
    (void)state;
    static const struct {
        const char *code, *error;
    } cases[] = {
        { "oops = 1", "assignment to the undeclared global 'oops': use a local" },
        { "_G[{}] = 1", "undeclared global '?'" },
        { "setmetatable(_G, {})", "protected metatable" },
        { "getmetatable('').x = 1", "index a string value" },
        { "require('nowhere')", "module 'nowhere' not found" },
        { "require('../../etc/passwd')", "not found" },
        { "require('ffi')", "module 'ffi' not found" },
        { "require('jit')", "module 'jit' not found" },
        { "require('io')", "module 'io' not found" },
        { "require()", "string expected" },
        { "error((select(2, load('\\27LJ\\2'))), 0)", "wrong mode" },
        { "error((select(2, load('\\27LJ\\2', 'x', 'b'))), 0)", "wrong mode" },
        { "load(print)", "string expected" },
        { "error((select(2, load('x = = 1', '=mine'))), 0)", "mine:1: " },
        { "load('y = 1')()", "undeclared global 'y'" },
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *text = run_code(&world, cases[i].code);
        if (!strstr(text, cases[i].error)) {
            fail_msg("%s: \"%s\"", cases[i].code, text);
        }
    }
    assert_string_equal(
        run_code(&world, "local env = { }\n"
                         "load('x = 1', 'x', 't', env)()\n"
                         "assert(env.x == 1)\n"
                         "assert(load('return ...')(7) == 7)\n"
                         "assert(require('provider.helper').who == 'shipped')\n"
                         "assert(require('provider.helper') == require('provider.helper'))"),
        "");
    world_close(&world);
}

/// Makes a state over the folder; the error's text.
static const char *load_error(struct folder *folder, struct px_vm_conf conf)
{
    static struct px_error err;
    struct px_bundle *bundle = NULL;
    struct px_vm *vm = NULL;
    err = (struct px_error){ PX_OK, "" };
    assert_int_equal(px_bundle_read(folder->path, &bundle, &err), PX_OK);
    conf.bundle = bundle;
    conf.config = PX_STR("{}");
    if (px_vm_new(&conf, &vm, &err) == PX_OK) {
        px_vm_free(vm);
    }
    px_bundle_drop(bundle);
    return err.text;
}

static void test_a_rule_that_does_not_load_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "local x = 1\nlocal = 2\n", "/rules/a.lua:2: " },
        { "\n\nerror('my own words')", "/rules/a.lua:3: my own words" },
        { "oops = 1", "/rules/a.lua:1: assignment to the undeclared global 'oops'" },
        { "require('provider.mine')", "/provider/mine.lua:1: " },
        { "require('provider.circle')", "module 'provider.circle' requires itself" },
        { "\33LJ\2 looks like bytecode", "wrong mode" },
        { "require('px.core').sleep(0)", "must be called from a task" },
        { "require('px.core').spawn(print)", "must be called from a task" },
        { "error({})", "not a string" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct folder folder;
        folder_open(&folder);
        folder_add(&folder, "provider/mine.lua", "return = 1");
        folder_add(&folder, "provider/circle.lua", "return require('provider.circle')");
        folder_add(&folder, "rules/a.lua", cases[i].text);
        const char *text = load_error(&folder, (struct px_vm_conf){ 0 });
        assert_contains(text, cases[i].error);
        assert_true(*cases[i].error || !*text);
        folder_close(&folder);
    }
}

static void test_loading_has_its_time(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "while true do end",
        "while true do pcall(error) end",
        "table.sort({ 3, 2, 1 }, function() while true do end end)",
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        struct folder folder;
        folder_open(&folder);
        folder_add(&folder, "rules/a.lua", codes[i]);
        uint64_t start = px_clock_ms();
        const char *text = load_error(&folder, (struct px_vm_conf){ .load_ms = 100 });
        assert_contains(text, "loading takes too long");
        assert_true(px_clock_ms() - start >= 100 && px_clock_ms() - start < 4000);
        folder_close(&folder);
    }
}

static void test_a_persons_module_shadows_the_shipped_one(void **state)
{
    (void)state;
    struct folder folder;
    struct world world;
    folder_open(&folder);
    folder_add(&folder, "provider/helper.lua", "return { who = 'mine' }");
    folder_add(&folder, "protocol/odd/request.lua", "return 'odd'");
    folder_add(&folder, "rules/b.lua", "assert(require('provider.helper').who == 'mine')");
    world_open_with(&world, folder.path, (struct px_vm_conf){ 0 });
    assert_string_equal(run_code(&world, "assert(require('protocol.odd.request') == 'odd')\n"
                                         "local names = require('px.core').modules('pro')\n"
                                         "require('note')(table.concat(names, ' '))\n"),
                        "");
    assert_string_equal(world.notes, "[provider.helper protocol.odd.request]");
    world_close(&world);
    folder_close(&folder);
}

static void test_only_states_for_specs_have_what_a_harness_needs(void **state)
{
    (void)state;
    struct world world;
    world_open_with(&world, NULL, (struct px_vm_conf){ .test = true });
    assert_string_equal(run_code(&world, "assert(io.open and os.exit and debug.traceback)"), "");
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_reaches_outside_is_absent),
        cmocka_unit_test(test_mistakes_in_scripts_have_clear_words),
        cmocka_unit_test(test_a_rule_that_does_not_load_is_named_with_its_line),
        cmocka_unit_test(test_loading_has_its_time),
        cmocka_unit_test(test_a_persons_module_shadows_the_shipped_one),
        cmocka_unit_test(test_only_states_for_specs_have_what_a_harness_needs),
    };
    return cmocka_run_group_tests_name("script/sandbox", tests, NULL, NULL);
}
