#include "server/config_help.h"

// Base of most cases: sound by itself.
#define BASE "\"data_dir\":\"d\",\"clients\":[{\"name\":\"me\",\"key\":\"0123456789abcdef\"}]"

#define PROVIDER(members) "{" BASE ",\n\"providers\":{\"p\":{\"type\":\"openai\"," members "}}}"
#define ACCOUNT(members) PROVIDER("\n\"accounts\":[{\"name\":\"a\"," members "}]")

static const struct {
    const char *json, *report;
} cases[] = {
    // -- The text itself
    { "[]", "E p.json:1:1: expected an object, found array" },
    { "{" BASE "}", "" },
    // -- Names
    { "{" BASE ",\n  \"workerz\": 3}",
      "W p.json:2:14: workerz: unknown member; did you mean \"workers\"?" },
    { "{" BASE ",\n  \"zzz\": 3}", "W p.json:2:10: zzz: unknown member" },
    { "{" BASE ",\"log\":{\n\"levle\":\"info\"}}",
      "W p.json:2:9: log.levle: unknown member; did you mean \"level\"?" },
    { ACCOUNT("\n  \"api_keey\": \"sk-secret\""),
      "W p.json:4:15: providers.p.accounts[0].api_keey: unknown member; did you mean "
      "\"api_key\"?" },
    { "{\"clients\":[{\"name\":\"me\",\"key\":\"0123456789abcdef\"}]}",
      "E p.json:1:1: \"data_dir\" is missing: expected a path" },
    { "{" BASE ",\n\"workers\":1,\n\"workers\":2}",
      "E p.json:3:11: workers: the member is given more than once" },
    { "{" BASE ",\n\"a.b\":1}", "W p.json:2:7: [\"a.b\"]: unknown member" },
    // -- Types and ranges
    { "{" BASE ",\n\"workers\":\"many\"}",
      "E p.json:2:11: workers: expected \"auto\" or an integer from 1 to 64, found \"many\"" },
    { "{" BASE ",\n\"workers\":0}",
      "E p.json:2:11: workers: expected \"auto\" or an integer from 1 to 64, found 0" },
    { "{" BASE ",\n\"workers\":1.5}",
      "E p.json:2:11: workers: expected \"auto\" or an integer from 1 to 64, found 1.5" },
    { "{" BASE ",\n\"workers\":[4]}",
      "E p.json:2:11: workers: expected \"auto\" or an integer from 1 to 64, found a list" },
    { "{" BASE ",\n\"listen\":{}}", "E p.json:2:10: listen: expected a list, found an object" },
    { "{" BASE ",\n\"listen\":[]}", "E p.json:2:10: listen: expected 1 to 64 listeners, found 0" },
    { "{" BASE ",\n\"listen\":[{\"port\":70000}]}",
      "E p.json:2:19: listen[0].port: expected an integer from 0 to 65535, found 70000" },
    { "{" BASE ",\n\"listen\":[{\"address\":\"localhost\"}]}",
      "E p.json:2:22: listen[0].address: expected a numeric address such as \"127.0.0.1\" or "
      "\"::1\", found \"localhost\"" },
    { "{" BASE ",\n\"listen\":[{\"tls\":{\"cert_file\":\"c\"}}]}",
      "E p.json:2:18: listen[0].tls: \"key_file\" is missing: expected a path" },
    { "{" BASE ",\n\"listen\":[{},\n{}]}",
      "E p.json:3:1: listen[1]: the same address and port as an element before" },
    { "{" BASE ",\n\"log\":{\"level\":\"loud\"}}",
      "E p.json:2:16: log.level: expected \"error\" or \"warn\" or \"info\" or \"debug\", found "
      "\"loud\"" },
    { "{" BASE ",\n\"limits\":{\"body\":\"32 Mib\"}}",
      "E p.json:2:18: limits.body: expected a size from 1KiB to 1GiB, found \"32 Mib\"" },
    { "{" BASE ",\n\"limits\":{\"body\":\"2GiB\"}}",
      "E p.json:2:18: limits.body: expected a size from 1KiB to 1GiB, found \"2GiB\"" },
    { "{" BASE ",\n\"limits\":{\"body\":true}}",
      "E p.json:2:18: limits.body: expected a size from 1KiB to 1GiB, found true" },
    { "{" BASE ",\n\"limits\":{\"body\":\"8KiB\",\"bodies\":\"4KiB\"}}",
      "E p.json:2:34: limits.bodies: expected at least limits.body (8192), found 4096" },
    { "{" BASE ",\n\"timeouts\":{\"head\":0}}",
      "E p.json:2:20: timeouts.head: expected a number from 0.1 to 3600, found 0" },
    { "{" BASE ",\n\"timeouts\":{\"idle\":null}}",
      "E p.json:2:20: timeouts.idle: expected a number from 0 to 86400, found null" },
    { "{" BASE ",\n\"fetch\":{\"media\":true}}",
      "E p.json:2:18: fetch.media: expected false or a list, found true" },
    // -- Providers
    { PROVIDER("\n\"base_url\":\"ftp://x\""),
      "E p.json:3:12: providers.p.base_url: expected a URL such as \"https://host/path\", without "
      "user, query or fragment, found another string" },
    { PROVIDER("\n\"base_url\":\"https://me:secret@host\""),
      "E p.json:3:12: providers.p.base_url: expected a URL such as \"https://host/path\", without "
      "user, query or fragment, found another string" },
    { PROVIDER("\n\"proxy\":\"socks://u:secret@x\""),
      "E p.json:3:9: providers.p.proxy: expected a URL with http://, https://, socks5:// or "
      "socks5h:// or false, found another string" },
    { PROVIDER("\n\"headers\":{\"a b\":\"x\"}"), "E p.json:3:18: providers.p.headers[\"a b\"]: the "
                                                 "name of a header holds no such characters" },
    { PROVIDER("\n\"headers\":{\"a\":\"secret\\n\"}"),
      "E p.json:3:16: providers.p.headers.a: expected a header's value of printable ASCII "
      "characters, found another string" },
    { "{" BASE ",\"providers\":{\n\"p\":{\"type\":\"opnai\"}}}",
      "E p.json:2:13: providers.p.type: unknown type \"opnai\"; did you mean \"openai\"?" },
    { "{" BASE ",\"providers\":{\n\"p\":{\"type\":\"kiro\"}}}",
      "E p.json:2:13: providers.p.type: unknown type \"kiro\"; known types are openai, anthropic, "
      "demo" },
    { "{" BASE ",\"providers\":{\n\"p\":{}}}",
      "E p.json:2:5: providers.p: \"type\" is missing: expected a name of 1 to 100 printable "
      "characters" },
    { "{" BASE ",\"providers\":{\n\"a:b\":{\"type\":\"demo\"}}}",
      "E p.json:2:7: providers.a:b: expected a name of letters, digits, \".\", \"_\" and \"-\", at "
      "most 64" },
    { "{" BASE ",\"providers\":{\n\"v1\":{\"type\":\"demo\"}}}",
      "E p.json:2:6: providers.v1: \"v1\" cannot be the name of a provider" },
    { "{" BASE ",\"providers\":{\"p\":{\"type\":\"demo\"},\n\"p\":{\"type\":\"demo\"}}}",
      "E p.json:2:5: providers.p: the member is given more than once" },
    { PROVIDER("\"accounts\":[{\"name\":\"a\"},\n{\"name\":\"a\"}]"),
      "E p.json:3:9: providers.p.accounts[1].name: \"a\" is the name of "
      "providers.p.accounts[0].name already" },
    { ACCOUNT("\"api_key\":\"secret\",\"credentials\":\"x\""),
      "E p.json:3:13: providers.p.accounts[0]: expected api_key or credentials, found both" },
    { ACCOUNT("\n\"api_key\":\"sec ret\""),
      "E p.json:4:11: providers.p.accounts[0].api_key: expected a key of printable ASCII "
      "characters without spaces, found another string" },
    { ACCOUNT("\n\"api_key\":12345"),
      "E p.json:4:11: providers.p.accounts[0].api_key: expected a key of printable ASCII "
      "characters without spaces, found a number" },
    { ACCOUNT("\n\"api_key\":\"env:OPENAI_API_KEY\""),
      "E p.json:4:11: providers.p.accounts[0].api_key: env:OPENAI_API_KEY is not set; export it or "
      "remove the account" },
    { ACCOUNT("\"enabled\":false,\n\"api_key\":\"env:OPENAI_API_KEY\""), "" },
    { "{" BASE ",\n\"vars\":{\"x\":[\"env:NO\"]}}",
      "E p.json:2:14: vars.x[0]: env:NO is not set; export it or remove this member" },
    { ACCOUNT("\n\"queue\":5"),
      "W p.json:4:9: providers.p.accounts[0].queue: has no effect in this version" },
    // -- Settings that a type declares
    { "{" BASE ",\"providers\":{\"p\":{\"type\":\"demo\",\"region\":\"eu\",\n\"regoin\":1,"
      "\"tries\":\"x\"}}}",
      "W p.json:2:10: providers.p.regoin: unknown member; did you mean \"region\"?\n"
      "E p.json:2:20: providers.p.tries: expected a number, found another string" },
    // -- Names that refer to others
    { "{" BASE ",\"providers\":{\"demo\":{\"type\":\"demo\"}},\n\"default_provider\":\"dmeo\"}",
      "E p.json:2:20: default_provider: unknown provider \"dmeo\"; did you mean \"demo\"?" },
    { "{" BASE ",\"providers\":{\"demo\":{\"type\":\"demo\",\"enabled\":false}},\n"
      "\"default_provider\":\"demo\"}",
      "E p.json:2:20: default_provider: provider \"demo\" is not enabled" },
    { "{" BASE ",\n\"fallback\":{\"a\":[\"b:c\"],\"on\":[\"filter\"]}}",
      "W p.json:2:12: fallback: has no effect in this version\n"
      "E p.json:2:17: fallback.a: unknown provider \"a\"\n"
      "E p.json:2:18: fallback.a[0]: unknown provider \"b\"" },
    { "{" BASE ",\n\"proxy\":{\"url\":\"http://x:1\",\"providers\":[\"q\"]}}",
      "E p.json:2:42: proxy.providers[0]: unknown provider \"q\"" },
    { "{" BASE ",\n\"limit\":[{\"per\":\"day\"}]}",
      "E p.json:2:9: limit: not supported by this version, and ignoring it would be unsafe; remove "
      "it" },
    { "{" BASE ",\n\"prompt\":[{\"mode\":\"append\"}]}",
      "W p.json:2:10: prompt: has no effect in this version\n"
      "E p.json:2:11: prompt[0]: expected text or file, found neither" },
    // -- Clients
    { "{\"data_dir\":\"d\"}",
      "W p.json:1:1: clients: there are no clients: every request is refused" },
    { "{\"data_dir\":\"d\",\"clients\":[\n{\"name\":\"a\",\"key\":\"short\"}]}",
      "W p.json:2:19: clients[0].key: a key of fewer than 16 characters can be guessed" },
    { "{\"data_dir\":\"d\",\"clients\":[{\"name\":\"a\",\"key\":\"0123456789abcdef\"},\n"
      "{\"name\":\"a\",\"key\":\"0123456789abcdef\"}]}",
      "E p.json:2:9: clients[1].name: \"a\" is the name of clients[0].name already\n"
      "E p.json:2:19: clients[1].key: the same as clients[0].key; each needs its own" },
    { "{\"data_dir\":\"d\",\"clients\":[\n{\"name\":\"\",\"key\":\"file:d/../x\"}]}",
      "E p.json:2:9: clients[0].name: expected a name of 1 to 100 printable characters, found an "
      "empty string\nE p.json:2:18: clients[0].key: file:d/../x cannot be read (HERE/x): No such "
      "file or directory" },
};

// Puts the test's folder where a case says HERE.
static void expand(const char *text, const char *folder, char *out, size_t size)
{
    const char *here = strstr(text, "HERE");
    if (here) {
        snprintf(out, size, "%.*s%s%s", (int)(here - text), text, folder, here + 4);
    } else {
        snprintf(out, size, "%s", text);
    }
}

static void test_mistakes_are_named_with_place_and_expectation(void **state)
{
    const struct place *place = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_config *config;
        char text[4000], expected[4000];
        expand(cases[i].report, place->folder, expected, sizeof(expected));
        (void)!load_text(cases[i].json, &config, text, sizeof(text));
        if (strcmp(text, expected) != 0) {
            fail_msg("%s\nexpected:\n%s\nfound:\n%s", cases[i].json, expected, text);
        }
        assert_null(strstr(text, "secret"));
        px_config_free(config);
    }
}

static void test_bad_json_gives_a_position(void **state)
{
    (void)state;
    struct px_config *config;
    char text[4000];
    assert_int_equal(load_text("{\n  \"listen\" [1]\n}", &config, text, sizeof(text)), PX_EINVAL);
    assert_memory_equal(text, "E p.json:2:12: ", 15);
    assert_int_equal(load_text("{\"vars\":{\"x\":\"a\\u0000b\"}}", &config, text, sizeof(text)),
                     PX_EINVAL);
    assert_memory_equal(text, "E p.json:1:", 11);
    struct px_config_source source = source_of("absent.json");
    assert_int_equal(load(&source, &config, text, sizeof(text)), PX_EINVAL);
    assert_string_equal(text, "E absent.json: cannot be read: No such file or directory");
    source = source_of("nowhere/p.json");
    assert_int_equal(load(&source, &config, text, sizeof(text)), PX_EINVAL);
    assert_string_equal(text, "E nowhere/p.json: cannot be read: No such file or directory");
    source = source_of("/tmp");
    assert_int_equal(load(&source, &config, text, sizeof(text)), PX_EINVAL);
    assert_string_equal(text, "E /tmp: cannot be read: it is not a file");
}

static void test_a_file_over_4_mib_is_refused(void **state)
{
    (void)state;
    struct px_config *config;
    char text[200];
    char *json = malloc(PX_CONFIG_FILE_MAX + 2);
    memset(json, ' ', PX_CONFIG_FILE_MAX + 1);
    memcpy(json, "{" BASE "}", strlen("{" BASE "}"));
    json[PX_CONFIG_FILE_MAX] = '\0';
    assert_int_equal(load_text(json, &config, text, sizeof(text)), PX_OK);
    px_config_free(config);
    json[PX_CONFIG_FILE_MAX] = ' ';
    json[PX_CONFIG_FILE_MAX + 1] = '\0';
    assert_int_equal(load_text(json, &config, text, sizeof(text)), PX_EINVAL);
    assert_string_equal(text, "E p.json: cannot be read: it is larger than 4 MiB");
    free(json);
}

static void test_a_value_file_over_1_mib_is_refused(void **state)
{
    (void)state;
    struct px_config *config;
    char text[400];
    char *value = malloc(PX_CONFIG_VALUE_MAX + 2);
    memset(value, 'x', PX_CONFIG_VALUE_MAX + 1);
    value[PX_CONFIG_VALUE_MAX + 1] = '\0';
    write_file("big", value);
    free(value);
    assert_int_equal(
        load_text("{" BASE ",\"vars\":{\"x\":\"file:big\"}}", &config, text, sizeof(text)),
        PX_EINVAL);
    assert_non_null(strstr(text, "it is larger than 1 MiB"));
    assert_int_equal(
        load_text("{" BASE ",\"vars\":{\"x\":\"file:.\"}}", &config, text, sizeof(text)),
        PX_EINVAL);
    assert_non_null(strstr(text, "it is not a file"));
    write_file("latin", "caf\xe9");
    assert_int_equal(
        load_text("{" BASE ",\"vars\":{\"x\":\"file:latin\"}}", &config, text, sizeof(text)),
        PX_EINVAL);
    assert_non_null(strstr(text, "it is not a text file in UTF-8"));
}

static void test_a_report_keeps_100_lines_and_counts_the_rest(void **state)
{
    (void)state;
    size_t count = 300000, len = 0;
    char *json = malloc(count * 12 + 200);
    len += (size_t)sprintf(json, "{" BASE);
    for (size_t i = 0; i < count; i++) {
        len += (size_t)sprintf(json + len, ",\"x%zu\":1", i);
    }
    strcpy(json + len, "}");
    write_file("p.json", json);
    free(json);
    struct px_config_source source = source_of("p.json");
    struct px_config_report report = { 0 };
    struct px_config *config = NULL;
    assert_int_equal(px_config_load(&source, &config, &report), PX_OK);
    assert_int_equal(report.count, PX_CONFIG_REPORT_MAX);
    assert_int_equal(report.warnings, count);
    px_config_report_free(&report);
    px_config_free(config);
}

static void test_a_report_cannot_steer_a_terminal(void **state)
{
    (void)state;
    struct px_config *config;
    char text[400];
    assert_int_equal(load_text("{" BASE ",\"\\u001b[2J\\n\":1}", &config, text, sizeof(text)),
                     PX_OK);
    assert_non_null(strstr(text, "?[2J?"));
    px_config_free(config);
}

static char *shipped(const struct place *place)
{
    char path[5000];
    snprintf(path, sizeof(path), "%s/configs/proxima.json", place->before);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_true(fread(text, 1, 65535, file) > 100);
    fclose(file);
    return text;
}

static void test_every_prefix_of_the_shipped_file_is_an_error_with_a_position(void **state)
{
    char *json = shipped(*state);
    mkdir("configs", 0700);
    struct px_config_source source = source_of("configs/p.json");
    for (size_t len = strlen(json); len-- > 0;) {
        char text[1000];
        struct px_config *config;
        json[len] = '\0';
        if (len > 0 && json[len - 1] == '}' && !strchr(json + len, '"') && json[len - 2] == '\n') {
            continue;  // Only the line break at the end is gone: still whole.
        }
        write_file("configs/p.json", json);
        assert_int_equal(load(&source, &config, text, sizeof(text)), PX_EINVAL);
        unsigned line = 0, column = 0;
        assert_int_equal(sscanf(text, "E configs/p.json:%u:%u: ", &line, &column), 2);
        assert_true(line > 0 && column > 0);
    }
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mistakes_are_named_with_place_and_expectation),
        TEST(test_bad_json_gives_a_position),
        TEST(test_a_file_over_4_mib_is_refused),
        TEST(test_a_value_file_over_1_mib_is_refused),
        TEST(test_a_report_keeps_100_lines_and_counts_the_rest),
        TEST(test_a_report_cannot_steer_a_terminal),
        TEST(test_every_prefix_of_the_shipped_file_is_an_error_with_a_position),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
