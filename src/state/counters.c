// One table under one lock: adding is a look-up by hash.

#include "px/counters.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 10000
#define SLOTS 16384
#define TEXT_MAX 1024  ///< Of one series: a longer one is dropped.

struct series {
    uint64_t value;
    struct series *next;
    size_t len;
    char text[];
};

struct px_counters {
    pthread_mutex_t lock;
    size_t count;
    uint64_t dropped;
    struct series *slots[SLOTS];
};

struct px_counters *px_counters_new(void)
{
    struct px_counters *counters = calloc(1, sizeof(*counters));
    if (counters) {
        pthread_mutex_init(&counters->lock, NULL);
    }
    return counters;
}

void px_counters_free(struct px_counters *counters)
{
    if (!counters) {
        return;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        struct series *next;
        for (struct series *at = counters->slots[i]; at; at = next) {
            next = at->next;
            free(at);
        }
    }
    pthread_mutex_destroy(&counters->lock);
    free(counters);
}

static size_t slot_of(struct px_str text)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    }
    return (hash ^ hash >> 32) % SLOTS;
}

static struct series *find_or_add(struct px_counters *counters, struct px_str text)
{
    struct series **slot = &counters->slots[slot_of(text)];
    for (struct series *at = *slot; at; at = at->next) {
        if (px_str_eq((struct px_str){ at->text, at->len }, text)) {
            return at;
        }
    }
    struct series *fresh = NULL;
    if (counters->count < SERIES_MAX && text.len <= TEXT_MAX) {
        fresh = calloc(1, sizeof(*fresh) + text.len);
    }
    if (fresh) {
        memcpy(fresh->text, text.ptr, text.len);
        fresh->len = text.len;
        fresh->next = *slot;
        *slot = fresh;
        counters->count++;
    }
    return fresh;
}

void px_counters_add(struct px_counters *counters, struct px_str series, uint64_t n)
{
    pthread_mutex_lock(&counters->lock);
    struct series *at = find_or_add(counters, series);
    if (at) {
        at->value += n;
    } else {
        counters->dropped++;
    }
    pthread_mutex_unlock(&counters->lock);
}

static size_t name_len(const struct series *series)
{
    const char *brace = memchr(series->text, '{', series->len);
    return brace ? (size_t)(brace - series->text) : series->len;
}

static int compare(struct px_str a, struct px_str b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/// By metric, then by labels: a metric's series must stand together.
static int by_text(const void *a, const void *b)
{
    const struct series *left = *(struct series *const *)a, *right = *(struct series *const *)b;
    int order = compare((struct px_str){ left->text, name_len(left) },
                        (struct px_str){ right->text, name_len(right) });
    return order ? order
                 : compare((struct px_str){ left->text, left->len },
                           (struct px_str){ right->text, right->len });
}

static enum px_status print_series(struct px_buf *out, const struct series *series,
                                   const struct series *before)
{
    size_t len = name_len(series);
    enum px_status st = PX_OK;
    bool first = !before || name_len(before) != len || memcmp(before->text, series->text, len) != 0;
    if (first) {
        st = px_buf_add(out, PX_STR("# TYPE "));
        st = st ? st : px_buf_add(out, (struct px_str){ series->text, len });
        st = st ? st : px_buf_add(out, PX_STR(" counter\n"));
    }
    char value[32];
    int digits = snprintf(value, sizeof(value), " %llu\n", (unsigned long long)series->value);
    st = st ? st : px_buf_add(out, (struct px_str){ series->text, series->len });
    return st ? st : px_buf_add(out, (struct px_str){ value, (size_t)digits });
}

static size_t gather(struct px_counters *counters, struct series **all)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        for (struct series *at = counters->slots[i]; at; at = at->next) {
            all[count++] = at;
        }
    }
    return count;
}

enum px_status px_counters_print(struct px_counters *counters, struct px_buf *out)
{
    struct series **all = malloc(SERIES_MAX * sizeof(*all));
    if (!all) {
        return PX_ENOMEM;
    }
    pthread_mutex_lock(&counters->lock);
    size_t count = gather(counters, all);
    qsort(all, count, sizeof(*all), by_text);
    enum px_status st = PX_OK;
    for (size_t i = 0; i < count && !st; i++) {
        st = print_series(out, all[i], i ? all[i - 1] : NULL);
    }
    char line[120];
    int len = snprintf(line, sizeof(line),
                       "# TYPE proxima_counters_dropped_total counter\n"
                       "proxima_counters_dropped_total %llu\n",
                       (unsigned long long)counters->dropped);
    st = st ? st : px_buf_add(out, (struct px_str){ line, (size_t)len });
    pthread_mutex_unlock(&counters->lock);
    free(all);
    return st;
}
