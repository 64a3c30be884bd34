// Lines are formatted by the thread that logs and queued in one ring of bytes; the log's own thread
// takes the whole content at once and writes it without holding the lock.

#include "px/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "px/clock.h"
#include "px/thread.h"

#define MAX_TEXT 2000
#define MAX_LINE (6 * MAX_TEXT + 200)  // Every byte escaped, and what stands around the text.
#define MAX_QUEUED ((size_t)1024 * 1024)
#define MAX_LINES 4096

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stopping;
    int fd;
    char *queued, *writing;  ///< Two buffers of MAX_QUEUED bytes that change places.
    size_t len, lines;
    unsigned long lost;
} queue = { .mutex = PTHREAD_MUTEX_INITIALIZER,
            .wake = PTHREAD_COND_INITIALIZER,
            .fd = STDERR_FILENO };

static atomic_int max_level = PX_LOG_INFO;
static atomic_int line_format = PX_LOG_TEXT;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/// Writes all of it, or as much as a broken descriptor lets through.
static void write_all(int fd, const char *ptr, size_t len)
{
    while (len) {
        ssize_t done = write(fd, ptr, len);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 && errno == EAGAIN) {
            struct pollfd writable = { .fd = fd, .events = POLLOUT };
            if (poll(&writable, 1, 1000) > 0) {
                continue;
            }
        }
        if (done <= 0) {
            return;
        }
        ptr += done;
        len -= (size_t)done;
    }
}

/// Appends `text` with control characters escaped, and with what JSON wants escaped if `json`.
static size_t escape(char *out, const char *text, bool json)
{
    char *at = out;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (json && (c == '"' || c == '\\')) {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c == '\n') {
            *at++ = '\\';
            *at++ = 'n';
        } else if (c < 0x20 || c == 0x7f) {
            at += sprintf(at, json ? "\\u%04x" : "\\x%02x", c);
        } else {
            *at++ = (char)c;
        }
    }
    return (size_t)(at - out);
}

/// "2026-11-25T10:00:00.123Z"
static void format_time(char out[32])
{
    int64_t ms = px_clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + len, 32 - len, ".%03dZ", (int)(ms % 1000));
}

/// Cuts `text` where no character of UTF-8 is torn, and replaces bytes that are not UTF-8, so that
/// a line is valid JSON whatever a peer sent.
static void clean_utf8(char *text)
{
    unsigned char *at = (unsigned char *)text;
    while (*at) {
        int more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 : 3;
        bool good = *at < 0x80 || (*at >= 0xc2 && *at < 0xf5);
        for (int i = 1; good && i <= more; i++) {
            good = (at[i] & 0xc0) == 0x80;
        }
        good = good && !(*at == 0xe0 && at[1] < 0xa0) && !(*at == 0xed && at[1] >= 0xa0) &&
               !(*at == 0xf0 && at[1] < 0x90) && !(*at == 0xf4 && at[1] >= 0x90);
        if (good) {
            at += 1 + more;
        } else {
            *at++ = '?';
        }
    }
}

static size_t format_line(char *out, enum px_log_level level, const char *area, const char *text)
{
    char when[32];
    format_time(when);
    bool json = atomic_load_explicit(&line_format, memory_order_relaxed) == PX_LOG_JSON;
    const char *name = level_names[level];
    size_t len = (size_t)sprintf(
        out,
        json ? "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%.40s\",\"text\":\"" : "%s %s %.40s: ",
        when, name, area);
    len += escape(out + len, text, json);
    if (json) {
        out[len++] = '"';
        out[len++] = '}';
    }
    out[len++] = '\n';
    return len;
}

/// With the lock held. False: there is no room.
static bool put(const char *line, size_t len)
{
    if (queue.lines >= MAX_LINES || len > MAX_QUEUED - queue.len) {
        return false;
    }
    memcpy(queue.queued + queue.len, line, len);
    queue.len += len;
    if (queue.lines++ == 0) {
        pthread_cond_signal(&queue.wake);
    }
    return true;
}

/// With the lock held. Queues a line that says how many were lost, if any.
static bool put_lost(void)
{
    if (!queue.lost) {
        return true;
    }
    char text[80], line[400];
    snprintf(text, sizeof(text), "%lu lines were lost: the log could not keep up", queue.lost);
    if (!put(line, format_line(line, PX_LOG_WARN, "log", text))) {
        return false;
    }
    queue.lost = 0;
    return true;
}

static void *run(void *user)
{
    (void)user;
    pthread_mutex_lock(&queue.mutex);
    while (queue.len || queue.lost || !queue.stopping) {
        if (!queue.len && queue.lost) {
            put_lost();
        }
        if (!queue.len) {
            pthread_cond_wait(&queue.wake, &queue.mutex);
            continue;
        }
        char *full = queue.queued;
        size_t len = queue.len;
        queue.queued = queue.writing;
        queue.writing = full;
        queue.len = queue.lines = 0;
        pthread_mutex_unlock(&queue.mutex);
        write_all(queue.fd, full, len);
        pthread_mutex_lock(&queue.mutex);
    }
    pthread_mutex_unlock(&queue.mutex);
    return NULL;
}

enum px_status px_log_start(int fd, struct px_error *err)
{
    queue.queued = malloc(MAX_QUEUED);
    queue.writing = malloc(MAX_QUEUED);
    enum px_status st = PX_ENOMEM;
    if (!queue.queued || !queue.writing) {
        px_fail(err, st, "log: out of memory");
        goto fail;
    }
    pthread_mutex_lock(&queue.mutex);
    queue.fd = fd;
    queue.stopping = false;
    st = px_thread_start(&queue.thread, "log", run, NULL, err);
    queue.running = !st;
    pthread_mutex_unlock(&queue.mutex);
    if (!st) {
        return PX_OK;
    }

fail:
    free(queue.queued);
    free(queue.writing);
    queue.queued = queue.writing = NULL;
    return st;
}

void px_log_stop(void)
{
    pthread_mutex_lock(&queue.mutex);
    bool running = queue.running;
    queue.running = false;  // From here on lines are written at once, to the same place at first.
    queue.stopping = true;
    pthread_cond_signal(&queue.wake);
    pthread_mutex_unlock(&queue.mutex);
    if (running) {
        pthread_join(queue.thread, NULL);
        free(queue.queued);
        free(queue.writing);
        queue.queued = queue.writing = NULL;
        queue.fd = STDERR_FILENO;
    }
}

void px_log_set(enum px_log_level level, enum px_log_format format)
{
    atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
    atomic_store_explicit(&line_format, (int)format, memory_order_relaxed);
}

int px_log_on(enum px_log_level level)
{
    return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

void px_log(enum px_log_level level, const char *area, const char *fmt, ...)
{
    if (!px_log_on(level)) {
        return;
    }
    char text[MAX_TEXT + 1], line[MAX_LINE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    clean_utf8(text);
    size_t len = format_line(line, level, area, text);

    pthread_mutex_lock(&queue.mutex);
    bool running = queue.running;
    if (running && (!put_lost() || !put(line, len))) {
        queue.lost++;
    }
    int fd = queue.fd;
    pthread_mutex_unlock(&queue.mutex);
    if (!running) {
        write_all(fd, line, len);
    }
}
