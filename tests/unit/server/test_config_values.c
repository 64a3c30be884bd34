#include "server/config_help.h"

#define BASE "\"data_dir\":\"d\",\"clients\":[{\"name\":\"me\",\"key\":\"0123456789abcdef\"}]"

static void test_the_shipped_file_is_sound_and_says_what_it_says(void **state)
{
    const struct place *place = *state;
    char path[5000], data[5000];
    snprintf(path, sizeof(path), "%s/configs/proxima.json", place->before);
    struct px_config_source source = source_of(path);
    struct px_config *config;
    char text[2000];
    assert_int_equal(load(&source, &config, text, sizeof(text)), PX_OK);
    assert_string_equal(text, "");
    assert_int_equal(config->listener_count, 1);
    assert_string_equal(config->listeners[0].address, "127.0.0.1");
    assert_int_equal(config->listeners[0].port, 3000);
    assert_int_equal(config->listeners[0].fd, -1);
    assert_null(config->listeners[0].cert_file);
    assert_true(config->workers >= 1 && config->workers <= 4);
    snprintf(data, sizeof(data), "%s/data", place->before);
    assert_string_equal(config->data_dir, data);
    strcat(data, "/client.key");
    assert_string_equal(config->clients[0].file, data);
    snprintf(data, sizeof(data), "%s/configs", place->before);
    assert_string_equal(config->scripts, data);
    assert_string_equal(config->default_provider, "demo");
    assert_int_equal(config->body_max, 32 << 20);
    assert_int_equal(config->upload_max, 512 << 20);
    assert_int_equal(config->bodies_max, 256 << 20);
    assert_int_equal(config->connections, 20000);
    assert_int_equal(config->timeouts.keep_alive, 75000);
    assert_int_equal(config->timeouts.total, 0);
    assert_int_equal(config->log_level, PX_LOG_INFO);
    assert_int_equal(config->log_format, PX_LOG_TEXT);
    assert_int_equal(config->watch_count, 2);
    assert_string_equal(config->watch[0], path);
    px_config_free(config);
}

static void test_defaults_stand_where_nothing_is_said(void **state)
{
    (void)state;
    struct px_config *config = load_sound("{" BASE "}");
    assert_int_equal(config->listeners[0].port, 3000);
    assert_null(config->default_provider);
    assert_int_equal(config->fetch_media_count, 0);
    assert_memory_equal(
        config->lua_json.ptr,
        "{\"default_provider\":null,\"clients\":[\"me\"],\"providers\":{},\"models\":{},"
        "\"fallback\":{},\"prompt\":[],\"params\":[],\"headers\":[],\"fetch\":{\"allow\":[],"
        "\"media\":false,\"media_size\":10485760,\"media_total\":20971520,\"media_timeout\":20},"
        "\"timeouts\":{\"head\":10,\"keep_alive\":75,\"connect\":10,"
        "\"first_byte\":120,\"idle\":120,\"total\":0,\"shutdown\":30},\"vars\":{}}",
        config->lua_json.len);
    px_config_free(config);
}

static void test_values_are_read_in_every_form(void **state)
{
    const struct place *place = *state;
    char cert[200];
    struct px_config *config =
        load_sound("{" BASE ",\"workers\":7,\"scripts\":\"/etc/../srv/./x/\","
                   "\"listen\":[{\"address\":\"::\",\"port\":0,\"tls\":{\"cert_file\":\"c.pem\","
                   "\"key_file\":\"~/k.pem\"}},{\"fd\":5},{\"fd\":\"systemd\"}],"
                   "\"limits\":{\"body\":\"1.5 "
                   "KiB\",\"bodies\":4096,\"upload\":\"2MiB\"},\"timeouts\":{\"head\":0.25,"
                   "\"idle\":0.0001},\"log\":{\"level\":\"debug\",\"format\":\"json\"},"
                   "\"fetch\":{\"allow\":[\"*.example.org\"],\"media\":[\"a\",\"b\"]}}");
    assert_int_equal(config->workers, 7);
    assert_string_equal(config->scripts, "/srv/x");
    assert_int_equal(config->listener_count, 3);
    assert_string_equal(config->listeners[0].address, "::");
    snprintf(cert, sizeof(cert), "%s/c.pem", place->folder);
    assert_string_equal(config->listeners[0].cert_file, cert);
    assert_string_equal(config->listeners[0].key_file, "/home/somebody/k.pem");
    assert_int_equal(config->listeners[1].fd, 5);
    assert_false(config->listeners[1].systemd);
    assert_true(config->listeners[2].systemd);
    assert_int_equal(config->listeners[2].fd, -1);
    assert_int_equal(config->body_max, 1536);
    assert_int_equal(config->upload_max, 2 << 20);
    assert_int_equal(config->bodies_max, 4096);
    assert_int_equal(config->timeouts.head, 250);
    assert_int_equal(config->timeouts.idle, 1);
    assert_int_equal(config->log_level, PX_LOG_DEBUG);
    assert_int_equal(config->log_format, PX_LOG_JSON);
    assert_int_equal(config->fetch_allow_count, 1);
    assert_string_equal(config->fetch_media[1], "b");
    px_config_free(config);
}

static void test_lua_gets_everything_resolved(void **state)
{
    const struct place *place = *state;
    char expected[3000];
    write_file("key", "sk-from-a-file\n");
    write_file(
        "p.json",
        "{" BASE ",\"default_provider\":\"a\",\"vars\":{\"n\":12,\"deep\":[{\"s\":\"env:S\"}]},"
        "\"proxy\":{\"url\":\"http://u:p@common:1\",\"providers\":[\"a\"]},"
        "\"models\":{\"x\":\"a:y\"},\"providers\":{"
        "\"a\":{\"type\":\"openai\",\"base_url\":\"https://h/v1/\",\"ca_file\":\"ca\","
        "\"accounts\":[{\"name\":\"1\",\"api_key\":\"file:key\",\"project\":\"env:N\"},"
        "{\"name\":\"2\",\"proxy\":false,\"ca_file\":\"own\",\"credentials\":\"~/c.json\"}]},"
        "\"b\":{\"type\":\"demo\",\"region\":\"eu\",\"accounts\":[{\"name\":\"1\","
        "\"api_key\":\"env:N\"}]}}}");
    static const char *const environment[] = { "HOME=/h", "N=123", "S=\xc3\xa4\"", NULL };
    struct px_config_source source = source_of("p.json");
    source.environment = environment;
    struct px_config *config;
    char text[2000];
    assert_int_equal(load(&source, &config, text, sizeof(text)), PX_OK);
    assert_string_equal(text, "W p.json:1:338: providers.a.accounts[0].project: unknown member");
    snprintf(expected, sizeof(expected),
             "{\"default_provider\":\"a\",\"clients\":[\"me\"],\"providers\":{"
             "\"a\":{\"type\":\"openai\",\"base_url\":\"https://h/v1\",\"headers\":{},"
             "\"http2\":false,\"loss\":\"record\",\"adapt\":true,\"models\":[],\"enabled\":true,"
             "\"settings\":{},"
             "\"accounts\":[{\"name\":\"1\",\"api_key\":\"sk-from-a-file\",\"priority\":100,"
             "\"weight\":1,\"models\":[],\"not_models\":[],\"headers\":{},\"enabled\":true,"
             "\"settings\":{\"project\":\"123\"},\"proxy\":\"http://u:p@common:1\","
             "\"ca_file\":\"%s/ca\"},"
             "{\"name\":\"2\",\"credentials\":\"/h/c.json\",\"priority\":100,\"weight\":1,"
             "\"models\":[],\"not_models\":[],\"headers\":{},\"enabled\":true,\"settings\":{},"
             "\"ca_file\":\"%s/own\"}]},"
             "\"b\":{\"type\":\"demo\",\"headers\":{},\"http2\":false,\"loss\":\"record\","
             "\"adapt\":true,"
             "\"models\":[],\"enabled\":true,\"settings\":{\"region\":\"eu\"},"
             "\"accounts\":[{\"name\":\"1\",\"api_key\":\"123\",\"priority\":100,\"weight\":1,"
             "\"models\":[],\"not_models\":[],\"headers\":{},\"enabled\":true,\"settings\":{}}]}},"
             "\"models\":{\"x\":\"a:y\"},",
             place->folder, place->folder);
    char *lua = strndup(config->lua_json.ptr, strlen(expected));
    assert_string_equal(lua, expected);
    free(lua);
    const char *vars = strstr(config->lua_json.ptr, "\"vars\"");
    assert_string_equal(vars, "\"vars\":{\"n\":12,\"deep\":[{\"s\":\"\xc3\xa4\\\"\"}]}}");
    px_config_free(config);
}

static void test_a_file_in_the_scripts_folder_makes_its_type_known(void **state)
{
    (void)state;
    mkdir("provider", 0700);
    write_file("provider/mine.lua", "return {}");
    px_config_free(load_sound("{" BASE ",\"providers\":{\"m\":{\"type\":\"mine\"}}}"));
    struct px_config *config;
    char text[1000];
    assert_int_equal(load_text("{" BASE ",\"providers\":{\"m\":{\"type\":\"../provider/mine\"}}}",
                               &config, text, sizeof(text)),
                     PX_EINVAL);
}

static void test_a_prompts_file_becomes_its_text(void **state)
{
    (void)state;
    write_file("style.txt", "Be brief.\n\n");
    struct px_config *config =
        load_sound("{" BASE ",\"prompt\":[{\"model\":\"gpt-*\",\"file\":\"style.txt\"}]}");
    assert_non_null(strstr(config->lua_json.ptr, "\"prompt\":[{\"model\":\"gpt-*\",\"text\":\"Be "
                                                 "brief.\",\"mode\":\"append\"}]"));
    assert_int_equal(config->watch_count, 2);
    px_config_free(config);
}

// -- Flag over environment over file --------------------------------------------------------------

static struct px_config *laid_over(const char *const *environment, const struct px_config_set *sets,
                                   size_t count, char *text, size_t size)
{
    struct px_config_source source = source_of("p.json");
    struct px_config *config;
    source.environment = environment;
    source.sets = sets;
    source.set_count = count;
    (void)!load(&source, &config, text, size);
    return config;
}

static void test_flags_win_over_the_environment_and_that_over_the_file(void **state)
{
    (void)state;
    write_file("p.json", "{" BASE ",\"listen\":[{\"port\":1}],\"workers\":1,\"providers\":{"
                         "\"open-ai\":{\"type\":\"openai\",\"accounts\":[{\"name\":\"m\"}]}}}");
    static const char *const environment[] = {
        "PROXIMA_WORKERS=2",
        "PROXIMA_LISTEN_1_PORT=12",
        "PROXIMA_LISTEN_0_PORT=2",
        "PROXIMA_TIMEOUTS_FIRST_BYTE=1.5",
        "PROXIMA_PROVIDERS_OPEN_AI_ACCOUNTS_0_API_KEY=12345678",
        "PROXIMA_VARS_MY_NAME=true",
        NULL,
    };
    static const struct px_config_set sets[] = {
        { "--port", "listen[0].port", "3" },
        { "--set", "log", "{\"level\":\"error\"}" },
        { "--set", "providers[\"open-ai\"].label", "My AI" },
        { "--set", "providers.demo.type", "demo" },
        { "--set", "clients[+]", "{\"name\":\"you\",\"key\":\"fedcba9876543210\"}" },
        { "--set", "vars.text", "[not json" },
    };
    char text[2000];
    struct px_config *config = laid_over(environment, NULL, 0, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(config->workers, 2);
    assert_int_equal(config->listeners[0].port, 2);
    assert_int_equal(config->listeners[1].port, 12);
    assert_int_equal(config->timeouts.first_byte, 1500);
    assert_non_null(strstr(config->lua_json.ptr, "\"api_key\":\"12345678\""));
    assert_non_null(strstr(config->lua_json.ptr, "\"vars\":{\"my_name\":true}"));
    px_config_free(config);
    config = laid_over(environment, sets, sizeof(sets) / sizeof(*sets), text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(config->listeners[0].port, 3);
    assert_int_equal(config->log_level, PX_LOG_ERROR);
    assert_int_equal(config->client_count, 2);
    assert_string_equal(config->clients[1].key, "fedcba9876543210");
    assert_non_null(strstr(config->lua_json.ptr, "\"label\":\"My AI\""));
    assert_non_null(strstr(config->lua_json.ptr, "\"demo\":{\"type\":\"demo\""));
    assert_non_null(strstr(config->lua_json.ptr, "\"text\":\"[not json\""));
    px_config_free(config);
}

static void test_mistakes_in_flags_and_environment_are_named_by_path(void **state)
{
    (void)state;
    static const struct {
        const char *name, *path, *value, *report;
    } cases[] = {
        { "--port", "listen[0].port",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4",
          "E --port: listen[0].port: expected an integer from 0 to 65535, found "
          "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\"" },
        { "--port", "listen[0].port", "x",
          "E --port: listen[0].port: expected an integer from 0 to 65535, found \"x\"" },
        { "--set", "workers[0]", "1",
          "E --set: workers: expected a list on the way to workers[0], found number" },
        { "--set", "listen[7].port", "1",
          "E --set: listen[7].port: the list has 0 elements, the next is 0" },
        { "--set", "a..b", "1", "E --set: a..b: expected a path such as listen[0].port" },
        { "--set", "a[x]", "1", "E --set: a[x]: expected a path such as listen[0].port" },
        { "--set", "a[", "1", "E --set: a[: expected a path such as listen[0].port" },
        { "--set", "[\"a", "1", "E --set: [\"a: expected a path such as listen[0].port" },
        { "--set", "a.", "1", "E --set: a.: expected a path such as listen[0].port" },
        { "--set", "", "1", "E --set: : expected a path such as listen[0].port" },
        { "--set", "wrokers", "1", "W --set: wrokers: unknown member; did you mean \"workers\"?" },
        { "--set", "vars.x", "caf\xe9", "E --set: path or value is not text in UTF-8" },
        { "--set", "clients[0].key", "the secret with spaces",
          "E --set: clients[0].key: expected a key of printable ASCII characters without spaces, "
          "found another string" },
    };
    write_file("p.json", "{" BASE ",\"workers\":1}");
    char text[2000];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_config_set set = { cases[i].name, cases[i].path, cases[i].value };
        px_config_free(laid_over(no_environment, &set, 1, text, sizeof(text)));
        assert_string_equal(text, cases[i].report);
    }
    static const char *const environment[] = { "PROXIMA_LISTN_0_PORT=1", "PROXIMA_WORKERS=secret",
                                               "PROXIMA_ZZZZZZ=1", NULL };
    assert_null(laid_over(environment, NULL, 0, text, sizeof(text)));
    assert_string_equal(text,
                        "W PROXIMA_LISTN_0_PORT: names no member; did you mean \"listen\"?\n"
                        "W PROXIMA_ZZZZZZ: names no member\n"
                        "E PROXIMA_WORKERS: workers: expected \"auto\" or an integer from 1 to "
                        "64, found \"secret\"");
}

static void test_a_path_or_a_value_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char path[600], text[1000];
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    write_file("p.json", "{" BASE "}");
    struct px_config_set set = { "--set", path, "1" };
    assert_null(laid_over(no_environment, &set, 1, text, sizeof(text)));
    assert_string_equal(text, "E --set: path or value is too long");
    char *value = malloc(PX_CONFIG_VALUE_MAX + 2);
    memset(value, 'a', PX_CONFIG_VALUE_MAX + 1);
    value[PX_CONFIG_VALUE_MAX + 1] = '\0';
    set = (struct px_config_set){ "--set", "vars.x", value };
    assert_null(laid_over(no_environment, &set, 1, text, sizeof(text)));
    assert_string_equal(text, "E --set: path or value is too long");
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_shipped_file_is_sound_and_says_what_it_says),
        TEST(test_defaults_stand_where_nothing_is_said),
        TEST(test_values_are_read_in_every_form),
        TEST(test_lua_gets_everything_resolved),
        TEST(test_a_file_in_the_scripts_folder_makes_its_type_known),
        TEST(test_a_prompts_file_becomes_its_text),
        TEST(test_flags_win_over_the_environment_and_that_over_the_file),
        TEST(test_mistakes_in_flags_and_environment_are_named_by_path),
        TEST(test_a_path_or_a_value_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests_name("config_values", tests, NULL, NULL);
}
