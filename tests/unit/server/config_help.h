#pragma once

// A folder of its own for each test, with helpers to write files there and to load them.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "px/config.h"

#define UNUSED __attribute__((unused))

struct place {
    char folder[64];
    char before[4096];
};

static UNUSED int enter_folder(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    strcpy(place->folder, "/tmp/px-test-XXXXXX");
    if (!mkdtemp(place->folder) || !getcwd(place->before, sizeof(place->before)) ||
        chdir(place->folder) != 0) {
        free(place);
        return -1;
    }
    *state = place;
    return 0;
}

static UNUSED int leave_folder(void **state)
{
    struct place *place = *state;
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", place->folder);
    int failed = chdir(place->before) != 0 || system(command) != 0;
    free(place);
    return failed ? -1 : 0;
}

static UNUSED void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static const char *const no_environment[] = { "HOME=/home/somebody", NULL };

static const struct px_config_setting regional[] = { { "region", PX_SETTING_STRING },
                                                     { "tries", PX_SETTING_NUMBER } };
static const struct px_config_type types[] = { { "openai", NULL, 0 },
                                               { "anthropic", NULL, 0 },
                                               { "demo", regional, 2 } };

static UNUSED struct px_config_source source_of(const char *file)
{
    return (struct px_config_source){
        .file = file, .environment = no_environment, .types = types, .type_count = 3
    };
}

// Loads and gives the report as one text, "E " or "W " before each line.
static UNUSED enum px_status load(const struct px_config_source *source, struct px_config **config,
                                  char *text, size_t size)
{
    struct px_config_report report = { 0 };
    *config = NULL;
    enum px_status st = px_config_load(source, config, &report);
    assert_true((st == PX_OK) == (*config != NULL));
    assert_true((st == PX_OK) == (report.errors == 0));
    text[0] = '\0';
    for (size_t i = 0, len = 0; i < report.count && len < size; i++) {
        len += (size_t)snprintf(text + len, size - len, "%s%s %s", i ? "\n" : "",
                                report.lines[i].error ? "E" : "W", report.lines[i].text);
    }
    px_config_report_free(&report);
    return st;
}

static UNUSED enum px_status load_text(const char *json, struct px_config **config, char *text,
                                       size_t size)
{
    write_file("p.json", json);
    struct px_config_source source = source_of("p.json");
    return load(&source, config, text, size);
}

// The same without a need to look at the report: there must be no error.
static UNUSED struct px_config *load_sound(const char *json)
{
    struct px_config *config;
    char text[4000];
    enum px_status st = load_text(json, &config, text, sizeof(text));
    if (st) {
        fail_msg("%s", text);
    }
    return config;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
