// Requests answered by Lua: what a handler may do, and what follows when it fails, loops or keeps
// its exchange for too long.

#define MAIN_LUA                                                                                   \
    "local core, note = require('px.core'), nil\n"                                                 \
    "local M, on, kept = {}, {}, nil\n"                                                            \
    "function on.raise() error('boom') end\n"                                                      \
    "function on.loop() while true do end end\n"                                                   \
    "function on.nothing() end\n"                                                                  \
    "function on.wait(ex) core.sleep(3600) ex:answer(200, {}, 'late') end\n"                       \
    "function on.keep(ex) kept = ex ex:keep({ name = 'record' }) ex:answer(200, {}, 'kept') end\n" \
    "function on.use(ex)\n"                                                                        \
    "  local out = {}\n"                                                                           \
    "  for _, name in ipairs({ 'head', 'body', 'answer', 'write', 'send', 'next', 'peer' }) do\n"  \
    "    local ok, e = pcall(kept[name], kept, 200)\n"                                             \
    "    out[#out + 1] = tostring(ok) .. ' ' .. tostring(e)\n"                                     \
    "  end\n"                                                                                      \
    "  ex:answer(200, {}, table.concat(out, '|'))\n"                                               \
    "end\n"                                                                                        \
    "function on.body(ex)\n"                                                                       \
    "  local b = ex:body()\n"                                                                      \
    "  local text = b:text()\n"                                                                    \
    "  ex:release()\n"                                                                             \
    "  local ok = pcall(b.text, b)\n"                                                              \
    "  ex:answer(200, { ['x-ok'] = tostring(ok), ['x-bad'] = 'a\\nb' }, text)\n"                   \
    "end\n"                                                                                        \
    "function on.stream(ex)\n"                                                                     \
    "  ex:start(200, { ['content-type'] = 'text/event-stream' })\n"                                \
    "  for i = 1, 3 do ex:write('piece ' .. i .. ' ') core.sleep(0.002) end\n"                     \
    "  ex:finish()\n"                                                                              \
    "end\n"                                                                                        \
    "function on.parts(ex)\n"                                                                      \
    "  ex:start(200, {})\n"                                                                        \
    "  local many = {}\n"                                                                          \
    "  for i = 1, 40 do many[i] = i % 7 == 0 and '' or i .. ',' end\n"                             \
    "  ex:write(many)\n"                                                                           \
    "  ex:write({})\n"                                                                             \
    "  local _, why = pcall(ex.write, ex, { 'a', 5 })\n"                                           \
    "  ex:write({ why })\n"                                                                        \
    "  ex:finish()\n"                                                                              \
    "end\n"                                                                                        \
    "function on.table(ex)\n"                                                                      \
    "  local ok, why = pcall(ex.answer, ex, 200, {}, { x = print })\n"                             \
    "  ex:answer(200, {}, { told = why, ok = ok, started = ex:started() })\n"                      \
    "end\n"                                                                                        \
    "function on.half(ex) ex:start(200, {}) ex:write('half') error('oh') end\n"                    \
    "function on.args(ex)\n"                                                                       \
    "  local out = {}\n"                                                                           \
    "  for _, call in ipairs({\n"                                                                  \
    "    function() ex:answer(99, {}, '') end, function() ex:answer(200, { 5 }, '') end,\n"        \
    "    function() ex:answer(200, 'x', '') end, function() ex:next() end,\n"                      \
    "    function() ex.head({}) end, function() ex:send('http://127.0.0.1:1/', 7) end,\n"          \
    "  }) do out[#out + 1] = (select(2, pcall(call))) end\n"                                       \
    "  ex:answer(200, {}, table.concat(out, '|'))\n"                                               \
    "end\n"                                                                                        \
    "function on.who(ex) ex:answer(200, {}, tostring(ex:client())) end\n"                          \
    "function M.handle(ex)\n"                                                                      \
    "  note = note or require('note')\n"                                                           \
    "  local _, path = ex:head()\n"                                                                \
    "  on[path:sub(2)](ex)\n"                                                                      \
    "end\n"                                                                                        \
    "function M.failed(ex, why)\n"                                                                 \
    "  note = note or require('note')\n"                                                           \
    "  note('failed ' .. why)\n"                                                                   \
    "  if why:find('twice') then error('again') end\n"                                             \
    "  if not ex:started() then ex:answer(500, {}, 'failed: ' .. why) else ex:abort() end\n"       \
    "end\n"                                                                                        \
    "function M.done(record, outcome) note('done ' .. record.name .. ' ' .. outcome) end\n"        \
    "function M.loaded() end\n"                                                                    \
    "function M.rules() end\n"                                                                     \
    "return M\n"

#include "vm_test.h"

#include "../exchange/site.h"

struct gate {
    struct site site;
    struct world world;
    struct px_fetcher *fetcher;
    _Atomic size_t transfers;
};

static void serve(struct site *site, struct px_exchange *ex)
{
    if (!px_str_eq(px_exchange_path(ex), PX_STR("/big"))) {
        px_vm_serve(((struct gate *)site)->world.vm, ex);
        return;
    }
    struct px_block *block = px_block_new(6000000);
    assert_non_null(block);
    memset(block->ptr, 0x40 + site->begun, 6000000);  // Lua keeps equal strings once.
    block->len = 6000000;
    px_exchange_answer(ex, 200, &plain, 1, block, PX_STR(""));
    px_block_drop(block);
    px_exchange_end(ex);
}

static struct gate *gate_open(void)
{
    static const struct px_vm_client clients[] = { { "me", "secret" }, { "you", "other" } };
    struct gate *gate = calloc(1, sizeof(*gate));
    site_open(&gate->site, NULL);
    gate->site.run = serve;
    struct px_error err = { PX_OK, "" };
    gate->world.counters = px_counters_new();
    assert_int_equal(px_bundle_read(NULL, &gate->world.bundle, &err), PX_OK);
    gate->fetcher = px_fetcher_new(gate->site.loop, 2);
    gate->world.loop = gate->site.loop;
    struct px_vm_conf conf = { .loop = gate->site.loop,
                               .fetcher = gate->fetcher,
                               .transfers = &gate->transfers,
                               .bundle = gate->world.bundle,
                               .counters = gate->world.counters,
                               .clients = clients,
                               .client_count = 2,
                               .config = PX_STR("{}") };
    if (px_vm_new(&conf, &gate->world.vm, &err)) {
        fail_msg("%s", err.text);
    }
    world_now = &gate->world;
    assert_int_equal(lua_cpcall(gate->world.vm->L, add_note, NULL), 0);
    return gate;
}

static void gate_close(struct gate *gate)
{
    px_host_cut(gate->site.host);
    site_wait(&gate->site, px_vm_busy(gate->world.vm) == 0);
    px_vm_free(gate->world.vm);
    px_bundle_drop(gate->world.bundle);
    px_counters_free(gate->world.counters);
    site_wait(&gate->site, px_fetcher_transfers(gate->fetcher) == 0);
    px_fetcher_free(gate->fetcher);
    site_close(&gate->site);
    free(gate);
}

/// Asks and waits for `answer`, in which the status line is looked for too.
static void ask(struct gate *gate, const char *path, const char *status, const char *answer)
{
    char request[200];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    int fd = dial(&gate->site);
    say(fd, request);
    hear(&gate->site, fd, answer);
    assert_has(&gate->site, status);
    close(fd);
    site_wait(&gate->site, px_host_connections(gate->site.host) == 0);
}

static void test_a_handler_that_fails_is_told_to_the_client(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    ask(gate, "/raise", "HTTP/1.1 500 ", "failed: lua/main.lua:3: boom");
    ask(gate, "/loop", "HTTP/1.1 500 ",
        "lua/main.lua:4: the script ran for too long without waiting");
    ask(gate, "/unknown", "HTTP/1.1 500 ", "attempt to call");
    ask(gate, "/nothing", "HTTP/1.1 500 ", "The gateway failed.");
    ask(gate, "/stream", "HTTP/1.1 200 ", "0\r\n\r\n");
    gate_close(gate);
}

static void test_a_table_is_answered_as_json(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    ask(gate, "/table", "HTTP/1.1 200 ",
        "{\"ok\":false,\"started\":false,\"told\":\"JSON: x: a function cannot be written\"}");
    gate_close(gate);
}

static void test_the_strings_of_a_list_follow_one_another(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    ask(gate, "/parts", "HTTP/1.1 200 ", "must be a list of strings)");
    assert_has(&gate->site, "\r\n\r\n22\r\n1,2,3,4,5,6,8,9,10,11,12,13,15,16,\r\n");
    assert_has(&gate->site, "\r\n15\r\n33,34,36,37,38,39,40,\r\n");
    assert_has_not(&gate->site, "\r\na");
    gate_close(gate);
}

static void test_a_begun_answer_that_fails_is_cut(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    int fd = dial(&gate->site);
    say(fd, "GET /half HTTP/1.1\r\nHost: x\r\n\r\n");
    hear_end(&gate->site, fd);
    assert_has(&gate->site, "half");
    assert_has_not(&gate->site, "\r\n0\r\n");
    assert_contains(gate->world.notes, "[failed lua/main.lua:");
    gate_close(gate);
}

static void test_a_kept_exchange_raises_after_its_end(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    ask(gate, "/keep", "HTTP/1.1 200 ", "kept");
    ask(gate, "/use", "HTTP/1.1 200 ", "the request is over");
    assert_int_equal(count_of(gate->site.text, "false the request is over"), 7);
    gate_close(gate);
}

static void test_bodies_headers_and_keys_are_read(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    int fd = dial(&gate->site);
    say(fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    hear(&gate->site, fd, "\r\n\r\n{\"a\":1}");
    assert_has(&gate->site, "x-ok: false\r\n");
    assert_has_not(&gate->site, "x-bad");
    assert_int_equal(gate->site.stats.body_bytes, 0);
    close(fd);
    static const struct {
        const char *line, *name;
    } cases[] = {
        { "Authorization: Bearer secret", "me" },
        { "authorization: bEARER other", "you" },
        { "X-Api-Key: secret", "me" },
        { "x-goog-api-key: other", "you" },
        { "X-Api-Key: secre", "nil" },
        { "X-Api-Key: secrets", "nil" },
        { "X-Other: secret", "nil" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char request[200], answer[50];
        snprintf(request, sizeof(request), "GET /who HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n",
                 cases[i].line);
        snprintf(answer, sizeof(answer), "\r\n\r\n%s", cases[i].name);
        fd = dial(&gate->site);
        say(fd, request);
        hear(&gate->site, fd, answer);
        close(fd);
    }
    ask(gate, "/who?key=other", "HTTP/1.1 200 ", "\r\n\r\nyou");
    gate_close(gate);
}

static void test_mistakes_in_calls_raise(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    ask(gate, "/args", "HTTP/1.1 200 ", "headers must be strings|");
    assert_has(&gate->site, "must be a status of 200 to 599");
    assert_has(&gate->site, "nothing was sent to an upstream");
    assert_has(&gate->site, "px.exchange expected, got table");
    gate_close(gate);
}

static void test_done_follows_the_end_however_it_came(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    ask(gate, "/keep", "HTTP/1.1 200 ", "kept");
    site_wait(&gate->site, strstr(gate->world.notes, "[done record ended]"));
    gate_close(gate);
}

static void test_a_client_that_leaves_ends_its_task(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    int fd = dial(&gate->site);
    say(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    site_wait(&gate->site, px_vm_busy(gate->world.vm) == 2);
    site_turn(&gate->site, 3);
    close(fd);
    site_wait(&gate->site, px_vm_busy(gate->world.vm) == 0);
    assert_string_equal(gate->world.notes, "");
    gate_close(gate);
}

static void test_a_stopped_state_tells_its_clients(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    int fd = dial(&gate->site);
    say(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    site_wait(&gate->site, px_vm_busy(gate->world.vm) == 2);
    px_vm_stop(gate->world.vm);
    hear(&gate->site, fd, "failed: canceled");
    assert_int_equal(px_vm_busy(gate->world.vm), 0);
    close(fd);
    gate_close(gate);
}

static void test_answers_that_a_script_hoards_end_it_without_loss(void **state)
{
    (void)state;
    struct gate *gate = gate_open();
    char code[400];
    snprintf(code, sizeof(code),
             "local fetch, note, t = require('px.transfer').fetch, require('note'), {}\n"
             "for i = 1, 9 do\n"
             "  t[i] = assert(fetch('http://127.0.0.1:%d/big', {}, nil, { timeout = 20 })).body\n"
             "  note(tostring(#t[i]))\n"
             "end\n",
             gate->site.port);
    const char *text = run_code(&gate->world, code);
    assert_contains(text, "memory");
    assert_contains(gate->world.notes, "[6000000]");
    assert_int_equal(gate->transfers, 0);
    gate_close(gate);
}

static int setup(void **state)
{
    (void)state;
    struct px_error err = { PX_OK, "" };
    return px_fetch_global_init(&err) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    px_fetch_global_deinit();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_handler_that_fails_is_told_to_the_client),
        cmocka_unit_test(test_a_begun_answer_that_fails_is_cut),
        cmocka_unit_test(test_a_table_is_answered_as_json),
        cmocka_unit_test(test_the_strings_of_a_list_follow_one_another),
        cmocka_unit_test(test_a_kept_exchange_raises_after_its_end),
        cmocka_unit_test(test_bodies_headers_and_keys_are_read),
        cmocka_unit_test(test_mistakes_in_calls_raise),
        cmocka_unit_test(test_done_follows_the_end_however_it_came),
        cmocka_unit_test(test_a_client_that_leaves_ends_its_task),
        cmocka_unit_test(test_a_stopped_state_tells_its_clients),
        cmocka_unit_test(test_answers_that_a_script_hoards_end_it_without_loss),
    };
    return cmocka_run_group_tests_name("script/run", tests, setup, teardown);
}
