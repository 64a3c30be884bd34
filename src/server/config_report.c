#include "config_load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A line is shown on a terminal: what a file says must not steer it.
static void defuse(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

static void add(struct px_config_report *report, bool error, const char *fmt, va_list args)
{
    if (error) {
        report->errors++;
    } else {
        report->warnings++;
    }
    if (report->count == PX_CONFIG_REPORT_MAX) {
        return;
    }
    if (!report->lines) {
        report->lines = calloc(PX_CONFIG_REPORT_MAX, sizeof(*report->lines));
    }
    char *text = NULL;
    if (!report->lines || vasprintf(&text, fmt, args) < 0) {
        return;
    }
    defuse(text);
    report->lines[report->count++] = (struct px_config_line){ error, text };
}

void px_config_report_add(struct px_config_report *report, bool error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(report, error, fmt, args);
    va_end(args);
}

static void print_kind(const struct px_config_report *report, bool error, FILE *out)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->lines[i].error == error) {
            fprintf(out, "%s: %s\n", error ? "error" : "warning", report->lines[i].text);
        }
    }
}

void px_config_report_print(const struct px_config_report *report, FILE *out)
{
    print_kind(report, true, out);
    print_kind(report, false, out);
    size_t all = report->errors + report->warnings;
    if (all > report->count) {
        fprintf(out, "and %zu more\n", all - report->count);
    }
}

void px_config_report_free(struct px_config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->lines[i].text);
    }
    free(report->lines);
    *report = (struct px_config_report){ 0 };
}

// Where a value came from: its place in the file, the flag or variable that set it, or, for
// something that is missing, where it should have been.
static void print_place(const struct px_config_load *load, const struct px_config_node *node,
                        char *out, size_t size)
{
    while (node && !node->from && !node->origin) {
        node = node->parent;
    }
    if (!node) {
        snprintf(out, size, "%s", load->source->file);
    } else if (node->origin) {
        snprintf(out, size, "%s", node->origin);
    } else {
        unsigned line = 0, column = 0;
        px_json_where(load->json, node->from, &line, &column);
        snprintf(out, size, "%s:%u:%u", load->source->file, line, column);
    }
}

void px_config_complain(struct px_config_load *load, bool error, const struct px_config_node *node,
                        const char *fmt, ...)
{
    // Finding a place walks the text: not for lines that nobody will see.
    if (load->report->count == PX_CONFIG_REPORT_MAX) {
        px_config_report_add(load->report, error, "more");
        return;
    }
    char place[4200], path[512], words[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    print_place(load, node, place, sizeof(place));
    px_config_node_path(node, path, sizeof(path));
    px_config_report_add(load->report, error, "%s: %s%s%s", place, path, *path ? ": " : "", words);
}
