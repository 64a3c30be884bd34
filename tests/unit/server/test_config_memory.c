#include "server/config_help.h"

#include "failing.h"
#include "px/cli.h"

// Everything is done with the first, second, … allocation failing until it succeeds; sanitizers
// tell whether anything was lost.

static const char *const environment[] = { "HOME=/h", "PROXIMA_WORKERS=2",
                                           "PROXIMA_VARS_X=[1,\"a\"]", NULL };
static const struct px_config_set sets[] = { { "--port", "listen[0].port", "8080" } };

static enum px_status load_once(size_t failing, bool *failed)
{
    struct px_config_source source = source_of("p.json");
    struct px_config_report report = { 0 };
    struct px_config *config = NULL;
    source.environment = environment;
    source.sets = sets;
    source.set_count = 1;
    failing_start(failing);
    enum px_status st = px_config_load(&source, &config, &report);
    *failed = failing_stop();
    px_config_free(config);
    px_config_report_free(&report);
    return st;
}

static void test_a_load_survives_each_failing_allocation(void **state)
{
    (void)state;
    write_file("key", "0123456789abcdef");
    write_file("p.json",
               "{\"data_dir\":\"d\",\"clients\":[{\"name\":\"me\",\"key\":\"file:key\"}],"
               "\"workerz\":1,\"listen\":[{\"tls\":{\"cert_file\":\"a\",\"key_file\":\"b\"}}],"
               "\"fetch\":{\"allow\":[\"a\"]},\"default_provider\":\"p\","
               "\"providers\":{\"p\":{\"type\":\"openai\",\"base_url\":\"https://x/\","
               "\"accounts\":[{\"name\":\"a\",\"api_key\":\"k\"}]}},"
               "\"prompt\":[{\"file\":\"key\"}],\"fallback\":{\"p\":[\"p:x\"]}}");
    size_t n = 0;
    bool failed;
    do {
        enum px_status st = load_once(++n, &failed);
        // Where only a line of the report is lost, the load goes on.
        assert_true(st == PX_OK || (failed && st == PX_ENOMEM));
    } while (failed);
    assert_true(n > 100);
}

static void test_a_command_line_survives_each_failing_allocation(void **state)
{
    (void)state;
    char words[][40] = { "proxima", "serve", "-c", "p.json", "--port", "1", "--system-prompt-file",
                         "s.txt" };
    char *argv[9] = { NULL };
    size_t n = 0;
    bool failed;
    for (size_t i = 0; i < 8; i++) {
        argv[i] = words[i];
    }
    do {
        struct px_cli cli;
        failing_start(++n);
        enum px_status st = px_cli_parse(8, argv, environment, &cli, NULL);
        failed = failing_stop();
        assert_true(failed ? st == PX_ENOMEM : st == PX_OK);
        px_cli_free(&cli);
    } while (failed);
    assert_true(n > 3);
}

static void test_making_keys_survives_each_failing_allocation(void **state)
{
    (void)state;
    size_t n = 0;
    bool failed;
    do {
        struct px_config *config =
            load_sound("{\"data_dir\":\"d\",\"clients\":[{\"name\":\"a\",\"key\":\"file:d/a\"}]}");
        failing_start(++n);
        enum px_status st = px_config_prepare(config, NULL, NULL);
        failed = failing_stop();
        assert_true(failed ? st == PX_ENOMEM : st == PX_OK);
        px_config_free(config);
    } while (failed);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_load_survives_each_failing_allocation),
        TEST(test_a_command_line_survives_each_failing_allocation),
        TEST(test_making_keys_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests_name("config_memory", tests, NULL, NULL);
}
