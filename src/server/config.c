// Loading: read the file, lay values over it, check it, cross-check it, build the result.

#include "config_load.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

// Finds the file's folder and absolute path.
static enum px_status find_folder(struct px_config_load *load)
{
    char *copy = px_config_print(&load->work, "%s", load->source->file);
    char *again = px_config_print(&load->work, "%s", load->source->file);
    if (!copy || !again) {
        return PX_ENOMEM;
    }
    char *folder = realpath(dirname(copy), NULL);
    if (!folder) {
        if (errno == ENOMEM) {
            return PX_ENOMEM;
        }
        px_config_report_add(load->report, true, "%s: cannot be read: %s", load->source->file,
                             strerror(errno));
        return PX_EINVAL;
    }
    load->dir = px_config_print(&load->work, "%s", folder);
    free(folder);
    char *full = load->dir ? px_config_full_path(load, basename(again)) : NULL;
    return full ? px_config_watch(load, full) : PX_ENOMEM;
}

static enum px_status read_tree(struct px_config_load *load)
{
    struct px_str text = { 0 };
    struct px_error err;
    const char *problem = "";
    enum px_status st =
        px_config_read_bytes(&load->work, load->source->file, PX_CONFIG_FILE_MAX, &text, &problem);
    if (st) {
        if (st != PX_ENOMEM) {
            px_config_report_add(load->report, true, "%s: cannot be read: %s", load->source->file,
                                 problem);
        }
        return st == PX_ENOMEM ? st : PX_EINVAL;
    }
    st = px_json_parse(text, &load->json, &err);
    if (st) {
        if (st != PX_ENOMEM) {
            px_config_report_add(load->report, true, "%s:%s", load->source->file, err.text);
        }
        return st;
    }
    const struct px_json_node *root = px_json_root(load->json);
    if (px_json_node_type(root) != PX_JSON_OBJECT) {
        px_config_report_add(load->report, true, "%s:1:1: expected an object, found %s",
                             load->source->file, px_json_type_name(px_json_node_type(root)));
        return PX_EINVAL;
    }
    load->root = px_config_node_read(&load->work, root, NULL);
    return load->root ? PX_OK : PX_ENOMEM;
}

static enum px_status run(struct px_config_load *load, struct px_config **out)
{
    size_t errors = load->report->errors;
    enum px_status st = find_folder(load);
    st = st ? st : read_tree(load);
    st = st ? st : px_config_overlay(load);
    if (!st && load->report->errors > errors) {
        return PX_EINVAL;  // The tree is not what the person meant: more lines would mislead.
    }
    st = st ? st : px_config_check(load, load->root, &px_config_root);
    st = st ? st : px_config_cross(load);
    if (st || load->report->errors > errors) {
        return st ? st : PX_EINVAL;
    }
    struct px_config_box *box = calloc(1, sizeof(*box));
    if (!box) {
        return PX_ENOMEM;
    }
    st = px_config_build(load, box);
    if (st) {
        px_config_free(&box->config);
        return st;
    }
    *out = &box->config;
    return PX_OK;
}

enum px_status px_config_load(const struct px_config_source *source, struct px_config **out,
                              struct px_config_report *report)
{
    struct px_config_load load = { .source = source, .report = report };
    enum px_status st = run(&load, out);
    if (st == PX_ENOMEM) {
        px_config_report_add(report, true, "%s: out of memory", source->file);
    }
    px_json_tree_free(load.json);
    px_config_pool_free(&load.work);
    return st;
}

void px_config_free(struct px_config *config)
{
    if (config) {
        struct px_config_box *box = (struct px_config_box *)config;
        px_config_pool_free(&box->pool);
        free(box);
    }
}
