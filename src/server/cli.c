#include "px/cli.h"

#include "cli_help.h"
#include "config_load.h"
#include "near.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_FILE "configs/proxima.json"

static const struct command {
    const char *name, *help;
    enum px_cli_command command;
} commands[] = {
    { "serve", px_cli_help_serve, PX_CLI_SERVE },
    { "check", px_cli_help_check, PX_CLI_CHECK },
    { "version", px_cli_help_version, PX_CLI_VERSION },
};

static const struct flag {
    const char *name;
    const char *path;  ///< The member that it is short for.
} flags[] = {
    { "--config", NULL },
    { "--set", NULL },
    { "--host", "listen[0].address" },
    { "--port", "listen[0].port" },
    { "--default-provider", "default_provider" },
    { "--system-prompt-file", NULL },
    { "--system-prompt-mode", NULL },
    { "--help", NULL },
};

// Members of struct px_cli while they grow.
struct parse {
    struct px_cli *cli;
    const struct command *command;
    const char *file, *prompt_file, *prompt_mode;
    struct px_error *err;
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static enum px_status unknown_command(const char *name, struct px_error *err)
{
    struct px_near near = { 0 };
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        px_near_try(&near, name, commands[i].name);
    }
    if (near.best) {
        return px_fail(err, PX_EINVAL, "unknown command \"%.60s\"; did you mean \"%s\"?", name,
                       near.best);
    }
    return px_fail(err, PX_EINVAL, "unknown command \"%.60s\"; `proxima --help` lists them", name);
}

// The value of a flag is not shown: it may be a secret.
static enum px_status unknown_flag(const struct parse *parse, const char *argument)
{
    struct px_near near = { 0 };
    int len = (int)strcspn(argument, "=");
    char name[64];
    snprintf(name, sizeof(name), "%.*s", len, argument);
    if (*argument != '-') {
        return px_fail(parse->err, PX_EINVAL,
                       "%s takes no argument without a flag; `proxima %s --help` tells more",
                       parse->command->name, parse->command->name);
    }
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        px_near_try(&near, name, flags[i].name);
    }
    if (near.best && parse->command->command != PX_CLI_VERSION) {
        return px_fail(parse->err, PX_EINVAL, "unknown flag %s; did you mean %s?", name, near.best);
    }
    return px_fail(parse->err, PX_EINVAL, "unknown flag %s; `proxima %s --help` lists them", name,
                   parse->command->name);
}

static enum px_status no_memory(struct px_error *err)
{
    return px_fail(err, PX_ENOMEM, "out of memory");
}

// Every set is owned by `cli`: path and value are freed with it, the name is static.
static enum px_status add_set(const struct parse *parse, const char *name, struct px_str path,
                              const char *value)
{
    struct px_cli *cli = parse->cli;
    struct px_config_set *sets = realloc(cli->sets, (cli->set_count + 1) * sizeof(*sets));
    if (!sets) {
        return no_memory(parse->err);
    }
    cli->sets = sets;
    char *own_path = strndup(path.ptr, path.len), *own_value = strdup(value);
    if (!own_path || !own_value) {
        free(own_path);
        free(own_value);
        return no_memory(parse->err);
    }
    sets[cli->set_count++] = (struct px_config_set){ name, own_path, own_value };
    return PX_OK;
}

static enum px_status take_set(const struct parse *parse, const char *value)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value) {
        return px_fail(parse->err, PX_EINVAL,
                       "--set wants PATH=VALUE, for example --set log.level=debug");
    }
    return add_set(parse, "--set", (struct px_str){ value, (size_t)(equals - value) }, equals + 1);
}

static enum px_status take_flag(struct parse *parse, const struct flag *flag, const char *value)
{
    if (strcmp(flag->name, "--config") == 0) {
        parse->file = value;
    } else if (strcmp(flag->name, "--set") == 0) {
        return take_set(parse, value);
    } else if (strcmp(flag->name, "--system-prompt-file") == 0) {
        parse->prompt_file = value;
    } else if (strcmp(flag->name, "--system-prompt-mode") == 0) {
        parse->prompt_mode = value;
    } else {
        return add_set(parse, flag->name, (struct px_str){ flag->path, strlen(flag->path) }, value);
    }
    return PX_OK;
}

static const struct flag *find_flag(const char *argument, const char **value)
{
    *value = NULL;
    if (strncmp(argument, "-c", 2) == 0 && argument[2] != '-') {
        *value = argument[2] ? argument + 2 : NULL;
        return &flags[0];
    }
    size_t len = strcspn(argument, "=");
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        if (strlen(flags[i].name) == len && strncmp(flags[i].name, argument, len) == 0) {
            *value = argument[len] ? argument + len + 1 : NULL;
            return &flags[i];
        }
    }
    return NULL;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0;
}

static enum px_status parse_flags(struct parse *parse, int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++) {
        if (is_help(argv[i])) {
            parse->cli->command = PX_CLI_HELP;
            parse->cli->text = parse->command->help;
            return PX_OK;
        }
        const char *value;
        const struct flag *flag = find_flag(argv[i], &value);
        if (!flag || parse->command->command == PX_CLI_VERSION) {
            return unknown_flag(parse, argv[i]);
        }
        if (!value && ++i < argc) {
            value = argv[i];
        }
        if (!value) {
            return px_fail(parse->err, PX_EINVAL, "%s wants a value", flag->name);
        }
        enum px_status st = take_flag(parse, flag, value);
        if (st) {
            return st;
        }
    }
    return PX_OK;
}

// The two flags of the system prompt are one element of `prompt`. A path on the command line begins
// where the person stands, not at the configuration's folder.
static enum px_status add_prompt(struct parse *parse)
{
    if (!parse->prompt_file) {
        return parse->prompt_mode ? px_fail(parse->err, PX_EINVAL,
                                            "--system-prompt-mode wants --system-prompt-file too")
                                  : PX_OK;
    }
    char here[4096] = "";
    if (*parse->prompt_file != '/' && *parse->prompt_file != '~' && !getcwd(here, sizeof(here))) {
        return px_fail(parse->err, PX_EIO, "the current folder is not known: %s", strerror(errno));
    }
    struct px_buf file = PX_BUF(8192), json = PX_BUF(65536);
    const char *mode = parse->prompt_mode ? parse->prompt_mode : "append";
    enum px_status st = px_buf_add(&file, (struct px_str){ here, strlen(here) });
    st = st || !*here ? st : px_buf_add(&file, PX_STR("/"));
    st = st ? st
            : px_buf_add(&file, (struct px_str){ parse->prompt_file, strlen(parse->prompt_file) });
    st = st ? st : px_buf_add(&json, PX_STR("{\"file\":"));
    st = st ? st : px_json_quote(&json, px_buf_str(&file));
    st = st ? st : px_buf_add(&json, PX_STR(",\"mode\":"));
    st = st ? st : px_json_quote(&json, (struct px_str){ mode, strlen(mode) });
    st = st ? st : px_buf_add(&json, (struct px_str){ "}", 2 });
    if (st) {
        st = px_fail(parse->err, st, "--system-prompt-file: %s", px_status_name(st));
    } else {
        st = add_set(parse, "--system-prompt-file", PX_STR("prompt[+]"), json.ptr);
    }
    px_buf_free(&file);
    px_buf_free(&json);
    return st;
}

static enum px_status choose_file(struct parse *parse, const char *const *environment)
{
    struct px_cli *cli = parse->cli;
    if (parse->file || access(DEFAULT_FILE, F_OK) == 0) {
        cli->config = strdup(parse->file ? parse->file : DEFAULT_FILE);
        return cli->config ? PX_OK : no_memory(parse->err);
    }
    const char *folder = px_config_getenv(environment, "XDG_CONFIG_HOME"), *between = "";
    if (!folder || *folder != '/') {
        folder = px_config_getenv(environment, "HOME");
        between = "/.config";
    }
    char *path = NULL;
    if (folder && asprintf(&path, "%s%s/proxima/proxima.json", folder, between) < 0) {
        return no_memory(parse->err);
    }
    if (path && access(path, F_OK) == 0) {
        cli->config = path;
        return PX_OK;
    }
    enum px_status st = px_fail(parse->err, PX_EIO,
                                "no configuration: neither " DEFAULT_FILE " nor %s exists; name "
                                "one with -c FILE",
                                path ? path : "a home folder");
    free(path);
    return st;
}

enum px_status px_cli_parse(int argc, char *const *argv, const char *const *environment,
                            struct px_cli *cli, struct px_error *err)
{
    struct parse parse = { .cli = cli, .err = err };
    *cli = (struct px_cli){ .command = PX_CLI_HELP, .text = px_cli_help_all };
    if (argc < 2) {
        return px_fail(
            err, PX_EINVAL,
            "a command is missing: serve, check or version; `proxima --help` tells more");
    }
    if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        const struct command *about = argc > 2 ? find_command(argv[2]) : NULL;
        cli->text = about ? about->help : px_cli_help_all;
        return argc > 2 && !about ? unknown_command(argv[2], err) : PX_OK;
    }
    parse.command = find_command(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    if (!parse.command) {
        return unknown_command(argv[1], err);
    }
    cli->command = parse.command->command;
    enum px_status st = parse_flags(&parse, argc - 2, argv + 2);
    if (st || cli->command == PX_CLI_HELP || cli->command == PX_CLI_VERSION) {
        return st;
    }
    st = add_prompt(&parse);
    return st ? st : choose_file(&parse, environment);
}

void px_cli_free(struct px_cli *cli)
{
    for (size_t i = 0; i < cli->set_count; i++) {
        free((char *)cli->sets[i].path);
        free((char *)cli->sets[i].value);
    }
    free(cli->sets);
    free(cli->config);
    *cli = (struct px_cli){ .command = PX_CLI_HELP };
}
