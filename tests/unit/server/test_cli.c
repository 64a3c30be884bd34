#include "server/config_help.h"

#include "px/cli.h"

static enum px_status parse(const char *line, struct px_cli *cli, struct px_error *err)
{
    static char copy[500];
    char *argv[20];
    int argc = 0;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    *err = (struct px_error){ 0 };
    return px_cli_parse(argc, argv, no_environment, cli, err);
}

static void test_wrong_usage_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        { "proxima", "a command is missing: serve, check or version; `proxima --help` tells more" },
        { "proxima sevre", "unknown command \"sevre\"; did you mean \"serve\"?" },
        { "proxima xyzzy", "unknown command \"xyzzy\"; `proxima --help` lists them" },
        { "proxima help xyzzy", "unknown command \"xyzzy\"; `proxima --help` lists them" },
        { "proxima serve --prot=1", "unknown flag --prot; did you mean --port?" },
        { "proxima serve --quux=secret", "unknown flag --quux; `proxima serve --help` lists them" },
        { "proxima serve file.json",
          "serve takes no argument without a flag; `proxima serve --help` tells more" },
        { "proxima version --port 1", "unknown flag --port; `proxima version --help` lists them" },
        { "proxima serve --port", "--port wants a value" },
        { "proxima serve -c", "--config wants a value" },
        { "proxima serve --set secret",
          "--set wants PATH=VALUE, for example --set log.level=debug" },
        { "proxima serve --set =secret",
          "--set wants PATH=VALUE, for example --set log.level=debug" },
        { "proxima serve -c x --system-prompt-mode append",
          "--system-prompt-mode wants --system-prompt-file too" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_cli cli;
        struct px_error err;
        assert_int_equal(parse(cases[i].line, &cli, &err), PX_EINVAL);
        assert_string_equal(err.text, cases[i].text);
        px_cli_free(&cli);
    }
}

static void test_flags_become_values_over_the_file(void **state)
{
    const struct place *place = *state;
    struct px_cli cli;
    struct px_error err;
    char prompt[200];
    assert_int_equal(parse("proxima serve -c my.json --port=8080 --host 0.0.0.0 --set a.b=c=d "
                           "--default-provider demo --system-prompt-mode overwrite "
                           "--system-prompt-file s.txt",
                           &cli, &err),
                     PX_OK);
    snprintf(prompt, sizeof(prompt), "{\"file\":\"%s/s.txt\",\"mode\":\"overwrite\"}",
             place->folder);
    const struct px_config_set expected[] = {
        { "--port", "listen[0].port", "8080" },
        { "--host", "listen[0].address", "0.0.0.0" },
        { "--set", "a.b", "c=d" },
        { "--default-provider", "default_provider", "demo" },
        { "--system-prompt-file", "prompt[+]", prompt },
    };
    assert_int_equal(cli.command, PX_CLI_SERVE);
    assert_string_equal(cli.config, "my.json");
    assert_int_equal(cli.set_count, sizeof(expected) / sizeof(*expected));
    for (size_t i = 0; i < cli.set_count; i++) {
        assert_string_equal(cli.sets[i].name, expected[i].name);
        assert_string_equal(cli.sets[i].path, expected[i].path);
        assert_string_equal(cli.sets[i].value, expected[i].value);
    }
    px_cli_free(&cli);
    assert_int_equal(parse("proxima check -cmy.json", &cli, &err), PX_OK);
    assert_int_equal(cli.command, PX_CLI_CHECK);
    assert_string_equal(cli.config, "my.json");
    px_cli_free(&cli);
}

static void test_help_is_there_for_every_command(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "proxima --help",       "proxima -h",
        "proxima help",         "proxima serve --help",
        "proxima help serve",   "proxima serve --port 1 -h",
        "proxima check --help", "proxima version --help",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct px_cli cli;
        struct px_error err;
        assert_int_equal(parse(lines[i], &cli, &err), PX_OK);
        assert_int_equal(cli.command, PX_CLI_HELP);
        assert_non_null(strstr(cli.text, "Usage: proxima"));
        assert_non_null(strstr(cli.text, "Example"));
        px_cli_free(&cli);
    }
}

static void test_the_default_file_is_looked_for_in_two_places(void **state)
{
    const struct place *place = *state;
    static char home[100], other[100];
    static const char *environment[] = { home, NULL, NULL };
    static char program[] = "proxima", command[] = "check";
    static char *argv[] = { program, command, NULL };
    struct px_cli cli;
    struct px_error err = { 0 };
    char expected[300];
    snprintf(home, sizeof(home), "HOME=%s", place->folder);
    assert_int_equal(px_cli_parse(2, argv, environment, &cli, &err), PX_EIO);
    snprintf(expected, sizeof(expected),
             "no configuration: neither configs/proxima.json nor %s/.config/proxima/proxima.json "
             "exists; name one with -c FILE",
             place->folder);
    assert_string_equal(err.text, expected);
    px_cli_free(&cli);

    snprintf(other, sizeof(other), "XDG_CONFIG_HOME=%s", place->folder);
    environment[1] = other;
    mkdir("proxima", 0700);
    write_file("proxima/proxima.json", "{}");
    assert_int_equal(px_cli_parse(2, argv, environment, &cli, &err), PX_OK);
    snprintf(expected, sizeof(expected), "%s/proxima/proxima.json", place->folder);
    assert_string_equal(cli.config, expected);
    px_cli_free(&cli);

    mkdir("configs", 0700);
    write_file("configs/proxima.json", "{}");
    assert_int_equal(px_cli_parse(2, argv, environment, &cli, &err), PX_OK);
    assert_string_equal(cli.config, "configs/proxima.json");
    px_cli_free(&cli);
}

static void find_fault(const struct px_config *config, struct px_config_report *report, void *user)
{
    assert_non_null(config);
    px_config_report_add(report, true, "rules/%s.lua:3: unexpected symbol", (const char *)user);
}

static int check(const char *json, px_cli_proof_fn proof, char *text, size_t size)
{
    write_file("p.json", json);
    struct px_config_source source = source_of("p.json");
    FILE *out = fmemopen(text, size, "w");
    char name[] = "a";
    int code = px_cli_check(&source, proof, name, out);
    fclose(out);
    return code;
}

static void test_check_prints_a_report_and_tells_by_its_code(void **state)
{
    (void)state;
    char text[1000];
    const char *sound =
        "{\"data_dir\":\"d\",\"clients\":[{\"name\":\"me\",\"key\":\"file:d/key\"}]}";
    assert_int_equal(check(sound, NULL, text, sizeof(text)), PX_EXIT_FINE);
    assert_string_equal(text, "p.json: fine\n");
    assert_int_not_equal(access("d", F_OK), 0);
    assert_int_equal(check("{\"data_dir\":\"d\"}", NULL, text, sizeof(text)), PX_EXIT_FINE);
    assert_string_equal(text,
                        "warning: p.json:1:1: clients: there are no clients: every request is "
                        "refused\np.json: 0 errors, 1 warning\n");
    assert_int_equal(check("{\"data_dir\":1}", NULL, text, sizeof(text)), PX_EXIT_FOUND);
    assert_string_equal(text,
                        "error: p.json:1:13: data_dir: expected a path, found 1\n"
                        "warning: p.json:1:1: clients: there are no clients: every request is "
                        "refused\np.json: 1 error, 1 warning\n");
    assert_int_equal(check(sound, find_fault, text, sizeof(text)), PX_EXIT_FOUND);
    assert_string_equal(text, "error: rules/a.lua:3: unexpected symbol\n"
                              "p.json: 1 error, 0 warnings\n");
}

static void test_version_names_the_libraries(void **state)
{
    (void)state;
    static const char *const libraries[] = { "libuv", "1.44.2", "libcurl", "7.88.1", NULL };
    char text[200];
    FILE *out = fmemopen(text, sizeof(text), "w");
    px_cli_version(libraries, out);
    fclose(out);
    assert_string_equal(text, "proxima 0.1.0\n  libuv 1.44.2\n  libcurl 7.88.1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wrong_usage_is_explained),
        TEST(test_flags_become_values_over_the_file),
        TEST(test_help_is_there_for_every_command),
        TEST(test_the_default_file_is_looked_for_in_two_places),
        TEST(test_check_prints_a_report_and_tells_by_its_code),
        TEST(test_version_names_the_libraries),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
