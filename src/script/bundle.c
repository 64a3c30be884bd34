// A bundle: the shipped scripts and what a person put beside them, read once.

#include "px/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "embed.h"
#include "px/buf.h"

#define FILE_MAX_BYTES (1u << 20)
#define FILES_MAX 1000

struct entry {
    struct px_bundle_file file;
    char *name, *path, *source;  ///< Owned; NULL for what is part of the binary.
};

struct px_bundle {
    atomic_size_t refs;
    struct entry *entries;
    size_t count, cap;
};

static struct px_str text(const char *s)
{
    return (struct px_str){ s, strlen(s) };
}

static struct entry *add_entry(struct px_bundle *bundle)
{
    if (bundle->count == bundle->cap) {
        size_t cap = bundle->cap ? bundle->cap * 2 : 64;
        struct entry *entries = realloc(bundle->entries, cap * sizeof(*entries));
        if (!entries) {
            return NULL;
        }
        bundle->entries = entries;
        bundle->cap = cap;
    }
    struct entry *entry = &bundle->entries[bundle->count++];
    memset(entry, 0, sizeof(*entry));
    return entry;
}

static enum px_status read_whole(const char *path, char **out, size_t *len, struct px_error *err)
{
    enum px_status st = PX_OK;
    FILE *file = fopen(path, "rbe");
    if (!file) {
        return px_fail(err, PX_EIO, "%s: cannot read: %s", path, strerror(errno));
    }
    char *bytes = malloc(FILE_MAX_BYTES + 1);
    if (!bytes) {
        st = px_fail(err, PX_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    *len = fread(bytes, 1, FILE_MAX_BYTES + 1, file);
    if (ferror(file)) {
        st = px_fail(err, PX_EIO, "%s: cannot read", path);
    } else if (*len > FILE_MAX_BYTES) {
        st = px_fail(err, PX_ETOOBIG, "%s: larger than 1 MiB", path);
    } else {
        char *fit = realloc(bytes, *len + 1);
        *out = fit ? fit : bytes;
        bytes = NULL;
    }

done:
    free(bytes);
    fclose(file);
    return st;
}

static enum px_status add_file(struct px_bundle *bundle, enum px_bundle_kind kind, const char *path,
                               const char *name, struct px_error *err)
{
    if (bundle->count - px_embedded_count >= FILES_MAX) {
        return px_fail(err, PX_ETOOBIG, "%s: more than %d scripts", path, FILES_MAX);
    }
    struct entry *entry = add_entry(bundle);
    if (!entry) {
        return px_fail(err, PX_ENOMEM, "%s: out of memory", path);
    }
    entry->name = strdup(name);
    entry->path = strdup(path);
    size_t len = 0;
    if (!entry->name || !entry->path) {
        return px_fail(err, PX_ENOMEM, "%s: out of memory", path);
    }
    enum px_status st = read_whole(path, &entry->source, &len, err);
    if (st) {
        return st;
    }
    entry->file = (struct px_bundle_file){
        .kind = kind,
        .name = text(entry->name),
        .path = text(entry->path),
        .source = { entry->source, len },
    };
    return PX_OK;
}

static int is_script(const struct dirent *item)
{
    size_t len = strlen(item->d_name);
    bool lua = len > 4 && strcmp(item->d_name + len - 4, ".lua") == 0;
    bool test = len > 9 && strcmp(item->d_name + len - 9, "_test.lua") == 0;
    return item->d_name[0] != '.' && lua && !test;
}

static int is_visible(const struct dirent *item)
{
    return item->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/// Adds the scripts of one folder. `prefix` is the start of their module names, NULL for rules.
static enum px_status add_folder(struct px_bundle *bundle, const char *folder, const char *prefix,
                                 struct px_error *err)
{
    struct dirent **items = NULL;
    int count = scandir(folder, &items, is_script, by_bytes);
    enum px_status st = PX_OK;
    if (count < 0 && errno != ENOENT && errno != ENOTDIR) {
        st = px_fail(err, PX_EIO, "%s: cannot read: %s", folder, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX], name[512];
        const char *file = items[i]->d_name;
        if (!st && snprintf(path, sizeof(path), "%s/%s", folder, file) >= PATH_MAX) {
            st = px_fail(err, PX_ETOOBIG, "%s: the path is too long", folder);
        }
        if (prefix) {
            snprintf(name, sizeof(name), "%s.%.*s", prefix, (int)strlen(file) - 4, file);
        } else {
            snprintf(name, sizeof(name), "%s", file);
        }
        if (!st) {
            st = add_file(bundle, prefix ? PX_BUNDLE_MODULE : PX_BUNDLE_RULES, path, name, err);
        }
        free(items[i]);
    }
    free(items);
    return st;
}

/// Adds `<scripts>/protocol/<name>/*.lua`.
static enum px_status add_protocols(struct px_bundle *bundle, const char *folder,
                                    struct px_error *err)
{
    struct dirent **items = NULL;
    int count = scandir(folder, &items, is_visible, by_bytes);
    enum px_status st = PX_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX], prefix[300];
        if (!st && snprintf(path, sizeof(path), "%s/%s", folder, items[i]->d_name) >= PATH_MAX) {
            st = px_fail(err, PX_ETOOBIG, "%s: the path is too long", folder);
        }
        snprintf(prefix, sizeof(prefix), "protocol.%s", items[i]->d_name);
        struct stat info;
        if (!st && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            st = add_folder(bundle, path, prefix, err);
        }
        free(items[i]);
    }
    free(items);
    return st;
}

static enum px_status add_shipped(struct px_bundle *bundle, struct px_error *err)
{
    for (size_t i = 0; i < px_embedded_count; i++) {
        struct entry *entry = add_entry(bundle);
        if (!entry) {
            return px_fail(err, PX_ENOMEM, "no memory for the shipped scripts");
        }
        const struct px_embedded *from = &px_embedded_files[i];
        entry->file = (struct px_bundle_file){
            .kind = PX_BUNDLE_MODULE,
            .name = text(from->name),
            .path = text(from->path),
            .source = { from->text, from->len },
            .shipped = true,
        };
    }
    return PX_OK;
}

static enum px_status join(char out[PATH_MAX], const char *scripts, const char *name,
                           struct px_error *err)
{
    bool fits = snprintf(out, PATH_MAX, "%s/%s", scripts, name) < PATH_MAX;
    return fits ? PX_OK : px_fail(err, PX_ETOOBIG, "%s: the path is too long", scripts);
}

enum px_status px_bundle_read(const char *scripts, struct px_bundle **out, struct px_error *err)
{
    struct px_bundle *bundle = calloc(1, sizeof(*bundle));
    if (!bundle) {
        return px_fail(err, PX_ENOMEM, "no memory for scripts");
    }
    bundle->refs = 1;
    char folder[PATH_MAX];
    enum px_status st = add_shipped(bundle, err);
    if (!st && scripts) {
        st = join(folder, scripts, "provider", err);
        st = st ? st : add_folder(bundle, folder, "provider", err);
    }
    if (!st && scripts) {
        st = join(folder, scripts, "protocol", err);
        st = st ? st : add_protocols(bundle, folder, err);
    }
    if (!st && scripts) {
        st = join(folder, scripts, "rules", err);
        st = st ? st : add_folder(bundle, folder, NULL, err);
    }
    if (st) {
        px_bundle_drop(bundle);
        return st;
    }
    *out = bundle;
    return PX_OK;
}

struct px_bundle *px_bundle_hold(struct px_bundle *bundle)
{
    bundle->refs++;
    return bundle;
}

void px_bundle_drop(struct px_bundle *bundle)
{
    if (!bundle || --bundle->refs) {
        return;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        free(bundle->entries[i].name);
        free(bundle->entries[i].path);
        free(bundle->entries[i].source);
    }
    free(bundle->entries);
    free(bundle);
}

size_t px_bundle_count(const struct px_bundle *bundle)
{
    return bundle->count;
}

const struct px_bundle_file *px_bundle_at(const struct px_bundle *bundle, size_t at)
{
    return &bundle->entries[at].file;
}

const struct px_bundle_file *px_bundle_module(const struct px_bundle *bundle, struct px_str name)
{
    for (size_t i = bundle->count; i-- > 0;) {  // A person's files come last: they win.
        const struct px_bundle_file *file = &bundle->entries[i].file;
        if (file->kind == PX_BUNDLE_MODULE && px_str_eq(file->name, name)) {
            return file;
        }
    }
    return NULL;
}
