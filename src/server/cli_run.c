#include "px/cli.h"

#define VERSION "0.1.0"

int px_cli_check(const struct px_config_source *source, px_cli_proof_fn proof, void *user,
                 FILE *out)
{
    struct px_config_report report = { 0 };
    struct px_config *config = NULL;
    enum px_status st = px_config_load(source, &config, &report);
    if (!st && proof) {
        proof(config, &report, user);
    }
    px_config_report_print(&report, out);
    bool fine = !st && report.errors == 0;
    if (fine && report.warnings == 0) {
        fprintf(out, "%s: fine\n", source->file);
    } else {
        fprintf(out, "%s: %zu error%s, %zu warning%s\n", source->file, report.errors,
                report.errors == 1 ? "" : "s", report.warnings, report.warnings == 1 ? "" : "s");
    }
    px_config_report_free(&report);
    px_config_free(config);
    return fine ? PX_EXIT_FINE : PX_EXIT_FOUND;
}

void px_cli_version(const char *const *libraries, FILE *out)
{
    fprintf(out, "proxima %s\n", VERSION);
    for (; libraries && libraries[0] && libraries[1]; libraries += 2) {
        fprintf(out, "  %s %s\n", libraries[0], libraries[1]);
    }
}
