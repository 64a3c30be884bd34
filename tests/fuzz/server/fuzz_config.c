// The first line is a flag, PATH=VALUE; the rest is a configuration file.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "px/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file = -1;

static const struct px_config_setting settings[] = { { "region", PX_SETTING_STRING },
                                                     { "tries", PX_SETTING_NUMBER } };
static const struct px_config_type types[] = { { "openai", NULL, 0 }, { "demo", settings, 2 } };
static const char *const environment[] = { "HOME=/nowhere", "A=1", "PROXIMA_VARS_A=[]", NULL };

static void check_report(struct px_config_report *report, enum px_status st)
{
    if ((st == PX_OK) != (report->errors == 0) || report->count > PX_CONFIG_REPORT_MAX) {
        abort();
    }
    px_config_report_free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[40], flag[300];
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    if (!end || (size_t)(end - data) >= sizeof(flag)) {
        return 0;
    }
    snprintf(flag, sizeof(flag), "%.*s", (int)(end - data), (const char *)data);
    char *value = strchr(flag, '=');
    if (value) {
        *value++ = '\0';
    }
    if (file < 0) {
        file = memfd_create("config", 0);
    }
    size_t rest = size - (size_t)(end - data) - 1;
    if (ftruncate(file, 0) != 0 || pwrite(file, end + 1, rest, 0) != (ssize_t)rest) {
        abort();
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    struct px_config_set set = { "--set", flag, value };
    struct px_config_source source = { path, environment, &set, value != NULL, types, 2 };
    struct px_config_report report = { 0 };
    struct px_config *config = NULL;
    enum px_status st = px_config_load(&source, &config, &report);
    check_report(&report, st);
    px_config_free(config);
    return 0;
}
