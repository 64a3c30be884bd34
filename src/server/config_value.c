// `env:NAME`, `file:PATH` and paths.

#include "config_load.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *px_config_getenv(const char *const *environment, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; environment && environment[i]; i++) {
        if (strncmp(environment[i], name, len) == 0 && environment[i][len] == '=') {
            return environment[i] + len + 1;
        }
    }
    return NULL;
}

// Takes "." and ".." out of an absolute path, in place.
static void simplify(char *path)
{
    char *out = path, *at = path;
    while (*at) {
        at += strspn(at, "/");
        size_t len = strcspn(at, "/");
        if (len == 2 && at[0] == '.' && at[1] == '.') {
            while (out > path && *--out != '/') {
            }
        } else if (len > 1 || (len == 1 && *at != '.')) {
            *out++ = '/';
            memmove(out, at, len);
            out += len;
        }
        at += len;
    }
    if (out == path) {
        *out++ = '/';
    }
    *out = '\0';
}

char *px_config_full_path(struct px_config_load *load, const char *path)
{
    const char *home = px_config_getenv(load->source->environment, "HOME");
    char *full;
    if (path[0] == '~' && (path[1] == '/' || path[1] == '\0') && home && *home == '/') {
        full = px_config_print(&load->work, "%s/%s", home, path + 1);
    } else if (path[0] == '/') {
        full = px_config_print(&load->work, "%s", path);
    } else {
        full = px_config_print(&load->work, "%s/%s", load->dir, path);
    }
    if (full) {
        simplify(full);
    }
    return full;
}

bool px_config_is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        if ((*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || (*at == 0xe0 && at[1] < 0xa0) ||
            (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
            (*at == 0xf4 && at[1] > 0x8f)) {
            return false;
        }
        for (at++; more; more--, at++) {
            if ((*at & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

static enum px_status read_all(int fd, char *text, size_t *len, const char **problem)
{
    size_t size = *len;
    *len = 0;
    while (*len < size) {
        ssize_t got = read(fd, text + *len, size - *len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            *problem = strerror(errno);
            return PX_EIO;
        }
        if (got == 0) {
            break;
        }
        *len += (size_t)got;
    }
    return PX_OK;
}

enum px_status px_config_read_bytes(struct px_config_pool *pool, const char *path, size_t max,
                                    struct px_str *out, const char **problem)
{
    // A pipe without a writer would hold up the program; a folder reads as an error.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *problem = strerror(errno);
        return PX_EIO;
    }
    enum px_status st = PX_EINVAL;
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        *problem = "it is not a file";
    } else if (about.st_size > (off_t)max) {
        *problem =
            max == PX_CONFIG_FILE_MAX ? "it is larger than 4 MiB" : "it is larger than 1 MiB";
    } else {
        size_t len = (size_t)about.st_size;
        char *text = px_config_take(pool, len + 1);
        st = text ? read_all(fd, text, &len, problem) : PX_ENOMEM;
        if (!st) {
            *out = (struct px_str){ text, len };
        }
    }
    close(fd);
    return st;
}

enum px_status px_config_read_value(struct px_config_pool *pool, const char *path, char **out,
                                    const char **problem)
{
    struct px_str bytes = { 0 };
    enum px_status st = px_config_read_bytes(pool, path, PX_CONFIG_VALUE_MAX, &bytes, problem);
    if (st) {
        return st;
    }
    char *text = (char *)bytes.ptr;
    if (memchr(text, '\0', bytes.len) || !px_config_is_utf8(text)) {
        *problem = "it is not a text file in UTF-8";
        return PX_EINVAL;
    }
    while (bytes.len && isspace((unsigned char)text[bytes.len - 1])) {
        text[--bytes.len] = '\0';
    }
    *out = text;
    return PX_OK;
}

enum px_status px_config_watch(struct px_config_load *load, const char *path)
{
    struct watch_list *list = &load->watch;
    for (size_t i = 0; i < list->count && list->count < 1000; i++) {
        if (strcmp(list->paths[i], path) == 0) {
            return PX_OK;
        }
    }
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        const char **paths = px_config_take(&load->work, cap * sizeof(*paths));
        if (!paths) {
            return PX_ENOMEM;
        }
        if (list->count) {
            memcpy(paths, list->paths, list->count * sizeof(*paths));
        }
        list->paths = paths;
        list->cap = cap;
    }
    const char *copy = px_config_copy(&load->work, (struct px_str){ path, strlen(path) });
    if (!copy) {
        return PX_ENOMEM;
    }
    list->paths[list->count++] = copy;
    return PX_OK;
}

static bool is_in_account(const struct px_config_node *node)
{
    for (node = node->parent; node; node = node->parent) {
        if (node->name && strcmp(node->name, "accounts") == 0) {
            return true;
        }
    }
    return false;
}

static void resolve_env(struct px_config_load *load, struct px_config_node *node)
{
    const char *name = node->text + strlen("env:");
    const char *value = px_config_getenv(load->source->environment, name);
    if (value && px_config_is_utf8(value)) {
        node->raw = value;
        return;
    }
    node->absent = true;
    if (load->forgiving) {
        return;
    }
    if (value) {
        px_config_complain(load, true, node, "env:%.100s is not text in UTF-8", name);
    } else {
        px_config_complain(load, true, node, "env:%.100s is not set; export it or remove %s", name,
                           is_in_account(node) ? "the account" : "this member");
    }
}

static enum px_status resolve_file(struct px_config_load *load, struct px_config_node *node,
                                   const struct px_config_rule *rule)
{
    const char *shown = node->text + strlen("file:"), *problem = NULL;
    char *path = px_config_full_path(load, shown), *value = NULL;
    if (!path) {
        return PX_ENOMEM;
    }
    enum px_status st = px_config_watch(load, path);
    st = st ? st : px_config_read_value(&load->work, path, &value, &problem);
    node->file = path;
    if (!st) {
        node->raw = value;
        return PX_OK;
    }
    if (st == PX_ENOMEM) {
        return st;
    }
    node->absent = true;
    size_t len = load->data_dir ? strlen(load->data_dir) : 0;
    bool ours = len && strncmp(path, load->data_dir, len) == 0 && path[len] == '/';
    if (ours && rule->flags & PX_CONFIG_MAKE && access(path, F_OK) != 0 && errno == ENOENT) {
        return PX_OK;
    }
    if (!load->forgiving) {
        px_config_complain(load, true, node, "file:%.300s cannot be read (%s): %s", shown, path,
                           problem);
    }
    return PX_OK;
}

enum px_status px_config_resolve(struct px_config_load *load, struct px_config_node *node,
                                 const struct px_config_rule *rule)
{
    enum px_status st = PX_OK;
    if (strncmp(node->text, "env:", 4) == 0) {
        resolve_env(load, node);
    } else if (strncmp(node->text, "file:", 5) == 0) {
        st = resolve_file(load, node, rule);
    } else {
        return PX_OK;
    }
    node->hidden = true;
    if (!node->absent && !st) {
        node->text = node->raw;
    }
    return st;
}
