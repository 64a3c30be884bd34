#pragma once

#include <stdio.h>

#include "px/config.h"

/// The command line. Parsing touches nothing; the commands are run by others.

enum px_cli_command {
    PX_CLI_HELP,  ///< `text` was asked for: print it, exit 0.
    PX_CLI_SERVE,
    PX_CLI_CHECK,
    PX_CLI_VERSION,
};

/// Exit codes of every command.
enum { PX_EXIT_FINE = 0, PX_EXIT_FOUND = 1, PX_EXIT_USAGE = 2 };

struct px_cli {
    enum px_cli_command command;
    const char *text;            ///< For PX_CLI_HELP; static.
    char *config;                ///< `-c FILE` or the default one; NULL for help and version.
    struct px_config_set *sets;  ///< In the order of the flags; the last one wins.
    size_t set_count;
};

/// Parses arguments. `environment` ("NAME=VALUE" … NULL) is asked for HOME and XDG_CONFIG_HOME.
/// The result borrows from `argv` and is freed by px_cli_free() after any outcome.
///
/// @return PX_EINVAL for wrong usage (exit 2) and PX_EIO when no configuration file is found (exit
///         1); `err` has one or two lines for the person. PX_ENOMEM.
PX_CHECK enum px_status px_cli_parse(int argc, char *const *argv, const char *const *environment,
                                     struct px_cli *cli, struct px_error *err);

/// Frees what px_cli_parse() made and zeroes it.
void px_cli_free(struct px_cli *cli);

/// More that `check` looks at once the configuration is sound (scripts, certificates). It adds to
/// the report.
typedef void (*px_cli_proof_fn)(const struct px_config *config, struct px_config_report *report,
                                void *user);

/// `proxima check`: loads the configuration, asks `proof` (may be NULL), prints the report and one
/// line with the sum to `out`.
///
/// @return the exit code: 0 without errors (warnings are fine), else 1.
int px_cli_check(const struct px_config_source *source, px_cli_proof_fn proof, void *user,
                 FILE *out);

/// `proxima version`: "proxima 0.1.0" and one line for each pair of `libraries` (name, version, …,
/// NULL; may be NULL).
void px_cli_version(const char *const *libraries, FILE *out);
