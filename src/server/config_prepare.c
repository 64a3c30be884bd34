// What has to exist before the program can serve: the data folder, its lock, client keys, inherited
// sockets.

#include "config_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES 32

// systemd hands over sockets from this descriptor on.
#define FIRST_FD 3

// Makes a folder and those above it, for the owner alone.
static enum px_status make_folder(const char *path, struct px_error *err)
{
    char copy[4096];
    if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy)) {
        return px_fail(err, PX_ETOOBIG, "%.100s…: the path is too long", path);
    }
    for (char *at = copy + 1;; at++) {
        char here = *at;
        if (here != '/' && here != '\0') {
            continue;
        }
        *at = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
            return px_fail(err, PX_EIO, "%s: the folder cannot be made: %s", copy, strerror(errno));
        }
        *at = here;
        if (here == '\0') {
            break;
        }
    }
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return px_fail(err, PX_EIO, "%s: is not a folder", path);
    }
    return PX_OK;
}

// base64url of `bytes`, without padding.
static void encode(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < len; i++) {
        held = held << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6) {
            *out++ = digits[held >> (bits - 6) & 63];
        }
        held &= 63;
    }
    if (bits) {
        *out++ = digits[held << (6 - bits) & 63];
    }
    *out = '\0';
}

static enum px_status write_new(const char *path, const char *text, struct px_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return px_fail(err, PX_EIO, "%s: the client key cannot be written: %s", path,
                       strerror(errno));
    }
    size_t len = strlen(text);
    bool written = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    int reason = errno;
    close(fd);
    if (!written) {
        unlink(path);
        return px_fail(err, PX_EIO, "%s: the client key cannot be written: %s", path,
                       strerror(reason));
    }
    return PX_OK;
}

static enum px_status make_key(struct px_config_box *box, struct px_config_client *client,
                               struct px_error *err)
{
    unsigned char bytes[KEY_BYTES];
    char text[3 + KEY_BYTES * 4 / 3 + 4] = "px-";
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
        return px_fail(err, PX_EIO, "the system gives no random bytes: %s", strerror(errno));
    }
    encode(bytes, sizeof(bytes), text + 3);
    char *key = px_config_copy(&box->pool, (struct px_str){ text, strlen(text) });
    char *folder =
        px_config_copy(&box->pool, (struct px_str){ client->file, strlen(client->file) });
    if (!key || !folder) {
        return px_fail(err, PX_ENOMEM, "no memory for a client key");
    }
    *strrchr(folder, '/') = '\0';
    enum px_status st = make_folder(folder, err);
    strcat(text, "\n");
    st = st ? st : write_new(client->file, text, err);
    if (!st) {
        client->key = key;
    }
    explicit_bzero(text, sizeof(text));
    explicit_bzero(bytes, sizeof(bytes));
    return st;
}

// Two clients may name the same new file: the second one takes what the first one made.
static enum px_status make_keys(struct px_config_box *box, size_t *made, struct px_error *err)
{
    struct px_config_client *all = (struct px_config_client *)box->config.clients;
    for (size_t i = 0; i < box->config.client_count; i++) {
        if (all[i].key) {
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            if (all[j].file && strcmp(all[j].file, all[i].file) == 0) {
                return px_fail(err, PX_EINVAL,
                               "clients \"%s\" and \"%s\" name the same key file %s", all[j].name,
                               all[i].name, all[i].file);
            }
        }
        enum px_status st = make_key(box, &all[i], err);
        if (st) {
            return st;
        }
        *made += 1;
    }
    return PX_OK;
}

static enum px_status take_sockets(struct px_config_box *box, struct px_error *err)
{
    struct px_config_listener *all = (struct px_config_listener *)box->config.listeners;
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    long given = pid && count && atol(pid) == (long)getpid() ? atol(count) : 0;
    long used = 0;
    for (size_t i = 0; i < box->config.listener_count; i++) {
        if (!all[i].systemd) {
            continue;
        }
        if (used >= given) {
            return px_fail(err, PX_EINVAL,
                           "listen[%zu]: systemd handed over %ld sockets; add one to the socket "
                           "unit, or remove \"fd\"",
                           i, given);
        }
        all[i].fd = FIRST_FD + (int)used++;
    }
    return PX_OK;
}

enum px_status px_config_prepare(struct px_config *config, size_t *made, struct px_error *err)
{
    struct px_config_box *box = (struct px_config_box *)config;
    size_t keys = 0;
    enum px_status st = make_folder(config->data_dir, err);
    st = st ? st : take_sockets(box, err);
    st = st ? st : make_keys(box, &keys, err);
    if (!st && made) {
        *made = keys;
    }
    return st;
}

enum px_status px_config_lock(const char *data_dir, int *out, struct px_error *err)
{
    char path[4096], text[24] = "";
    snprintf(path, sizeof(path), "%s/lock", data_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return px_fail(err, PX_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
        close(fd);
        if (reason != EWOULDBLOCK) {
            return px_fail(err, PX_EIO, "%s: cannot be locked: %s", path, strerror(reason));
        }
        return px_fail(err, PX_EIO,
                       "%s is in use by process %ld; stop it, or give this one its own data_dir",
                       data_dir, len > 0 ? atol(text) : 0L);
    }
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
        int reason = errno;
        close(fd);
        return px_fail(err, PX_EIO, "%s: cannot be written: %s", path, strerror(reason));
    }
    *out = fd;
    return PX_OK;
}
