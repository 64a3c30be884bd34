#include "cli_help.h"

const char px_cli_help_all[] =
    "Proxima: one address for many model APIs, ruled by Lua.\n"
    "\n"
    "Usage: proxima COMMAND [FLAGS]\n"
    "\n"
    "Commands:\n"
    "  serve      run the gateway\n"
    "  check      look over configuration and scripts without running them\n"
    "  version    print the version and those of the libraries\n"
    "\n"
    "`proxima COMMAND --help` tells more about each.\n"
    "\n"
    "Examples:\n"
    "  proxima serve                          with configs/proxima.json\n"
    "  proxima check -c /etc/proxima/proxima.json\n"
    "  proxima serve --port 8080 --set log.level=debug\n"
    "\n"
    "Exit codes: 0 fine, 1 found something wrong, 2 wrong usage.\n";

#define CONFIG_HELP                                                                                \
    "  -c, --config FILE     the configuration; without it configs/proxima.json, then\n"           \
    "                        $XDG_CONFIG_HOME/proxima/proxima.json\n"                              \
    "  --set PATH=VALUE      put VALUE over a member of the file; may be repeated\n"

#define SHORT_HELP                                                                                 \
    "  --host ADDRESS        short for --set listen[0].address=ADDRESS\n"                          \
    "  --port PORT           short for --set listen[0].port=PORT\n"                                \
    "  --default-provider ID short for --set default_provider=ID\n"                                \
    "  --system-prompt-file FILE\n"                                                                \
    "                        add the text of FILE to every system prompt\n"                        \
    "  --system-prompt-mode append|prepend|overwrite\n"                                            \
    "                        where it goes; append if not said\n"                                  \
    "  -h, --help            print this\n"

#define LAYERS_HELP                                                                                \
    "A flag wins over the environment, and that over the file. In the environment the same\n"      \
    "member is PROXIMA_ and its path in capitals: PROXIMA_LISTEN_0_PORT=8080. The document\n"      \
    "docs/config.md lists all members.\n"

const char px_cli_help_serve[] =
    "Runs the gateway until SIGTERM or Ctrl-C.\n"
    "\n"
    "Usage: proxima serve [FLAGS]\n"
    "\n"
    "Flags:\n" CONFIG_HELP SHORT_HELP "\n" LAYERS_HELP "\n"
    "The first start makes data_dir and the client key and prints a curl line to try. A change\n"
    "of the file or of a script is taken over at once, without a restart; what does not load\n"
    "changes nothing. SIGHUP asks for the same.\n"
    "\n"
    "Examples:\n"
    "  proxima serve\n"
    "  proxima serve -c ~/proxima.json --port 8080\n"
    "  proxima serve --set 'limits.body=\"64MiB\"' --set log.level=debug\n";

const char px_cli_help_check[] =
    "Looks over configuration and scripts, without serving and without writing anything, and\n"
    "prints each mistake with its place.\n"
    "\n"
    "Usage: proxima check [FLAGS]\n"
    "\n"
    "Flags:\n" CONFIG_HELP SHORT_HELP "\n" LAYERS_HELP "\n"
    "Examples:\n"
    "  proxima check\n"
    "  proxima check -c new.json && cp new.json configs/proxima.json\n";

const char px_cli_help_version[] = "Prints the version of proxima and of the libraries it uses.\n"
                                   "\n"
                                   "Usage: proxima version\n"
                                   "\n"
                                   "Example:\n"
                                   "  proxima version\n";
