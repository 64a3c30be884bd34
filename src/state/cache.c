// A hash table with a list through its entries, most recently used first, under one lock.

#include "px/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "px/clock.h"

#define SLOTS_FIRST 1024
#define SHARE 4  ///< One entry may take this part of the bound.

struct entry {
    struct entry *chain;          ///< In its slot.
    struct entry *newer, *older;  ///< By use.
    uint64_t hash;
    uint64_t end_ms;
    size_t key_len, value_len;
    char text[];  ///< Key, then value.
};

struct px_cache {
    pthread_mutex_t lock;
    size_t max;
    struct px_cache_stats stats;
    struct entry *newest, *oldest;
    struct entry **slots;
    size_t slot_count;  ///< A power of two.
};

struct px_cache *px_cache_new(size_t max)
{
    struct px_cache *cache = calloc(1, sizeof(*cache));
    if (!cache) {
        return NULL;
    }
    cache->slots = calloc(SLOTS_FIRST, sizeof(*cache->slots));
    if (!cache->slots) {
        free(cache);
        return NULL;
    }
    cache->slot_count = SLOTS_FIRST;
    cache->max = max;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static uint64_t hash_of(struct px_str key)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    }
    return hash ^ hash >> 32;
}

static struct entry **slot_of(struct px_cache *cache, uint64_t hash)
{
    return &cache->slots[hash & (cache->slot_count - 1)];
}

/// The link that leads to an entry, or to NULL where it would stand.
static struct entry **find(struct px_cache *cache, struct px_str key)
{
    uint64_t hash = hash_of(key);
    struct entry **link = slot_of(cache, hash);
    while (*link && !((*link)->hash == hash &&
                      px_str_eq((struct px_str){ (*link)->text, (*link)->key_len }, key))) {
        link = &(*link)->chain;
    }
    return link;
}

static size_t size_of(const struct entry *entry)
{
    return sizeof(*entry) + sizeof(void *) + entry->key_len + entry->value_len;
}

static void unlink_use(struct px_cache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_use(struct px_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void drop(struct px_cache *cache, struct entry **link)
{
    struct entry *entry = *link;
    *link = entry->chain;
    unlink_use(cache, entry);
    cache->stats.entries--;
    cache->stats.bytes -= size_of(entry);
    free(entry);
}

static void make_room(struct px_cache *cache, size_t need)
{
    while (cache->oldest && cache->stats.bytes + need > cache->max) {
        struct entry *entry = cache->oldest;
        struct entry **link = slot_of(cache, entry->hash);
        while (*link != entry) {
            link = &(*link)->chain;
        }
        drop(cache, link);
        cache->stats.evicted++;
    }
}

/// More slots, so that chains stay short. Without memory they grow longer.
static void spread(struct px_cache *cache)
{
    size_t count = cache->slot_count * 4;
    struct entry **slots = calloc(count, sizeof(*slots));
    if (!slots) {
        return;
    }
    free(cache->slots);
    cache->slots = slots;
    cache->slot_count = count;
    for (struct entry *at = cache->newest; at; at = at->older) {
        struct entry **slot = slot_of(cache, at->hash);
        at->chain = *slot;
        *slot = at;
    }
}

static struct entry *entry_new(struct px_str key, struct px_str value, uint64_t ms)
{
    struct entry *entry = malloc(sizeof(*entry) + key.len + value.len);
    if (entry) {
        *entry = (struct entry){
            .hash = hash_of(key),
            .end_ms = px_clock_ms() + ms,
            .key_len = key.len,
            .value_len = value.len,
        };
        memcpy(entry->text, key.ptr, key.len);
        if (value.len) {
            memcpy(entry->text + key.len, value.ptr, value.len);
        }
    }
    return entry;
}

static enum px_status put(struct px_cache *cache, struct px_str key, struct entry *entry)
{
    struct entry **link = find(cache, key);
    if (*link) {
        drop(cache, link);
    }
    if (!entry) {
        return PX_ENOMEM;
    }
    size_t size = size_of(entry);
    if (size > cache->max / SHARE) {
        free(entry);
        return PX_ETOOBIG;
    }
    make_room(cache, size);
    if (cache->stats.entries >= cache->slot_count) {
        spread(cache);
    }
    struct entry **slot = slot_of(cache, entry->hash);
    entry->chain = *slot;
    *slot = entry;
    link_use(cache, entry);
    cache->stats.entries++;
    cache->stats.bytes += size;
    return PX_OK;
}

enum px_status px_cache_put(struct px_cache *cache, struct px_str key, struct px_str value,
                            uint64_t ms)
{
    struct entry *entry = entry_new(key, value, ms);
    pthread_mutex_lock(&cache->lock);
    enum px_status st = put(cache, key, entry);
    pthread_mutex_unlock(&cache->lock);
    return st;
}

size_t px_cache_get(struct px_cache *cache, struct px_str key, char *into, size_t room)
{
    size_t len = SIZE_MAX;
    pthread_mutex_lock(&cache->lock);
    struct entry **link = find(cache, key), *entry = *link;
    if (entry && entry->end_ms <= px_clock_ms()) {
        drop(cache, link);
    } else if (entry) {
        unlink_use(cache, entry);
        link_use(cache, entry);
        len = entry->value_len;
        if (len && len <= room) {
            memcpy(into, entry->text + entry->key_len, len);
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return len;
}

bool px_cache_remove(struct px_cache *cache, struct px_str key)
{
    pthread_mutex_lock(&cache->lock);
    struct entry **link = find(cache, key);
    bool found = *link != NULL;
    if (found) {
        drop(cache, link);
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void px_cache_limit(struct px_cache *cache, size_t max)
{
    pthread_mutex_lock(&cache->lock);
    cache->max = max;
    make_room(cache, 0);
    pthread_mutex_unlock(&cache->lock);
}

struct px_cache_stats px_cache_stats(struct px_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    struct px_cache_stats stats = cache->stats;
    pthread_mutex_unlock(&cache->lock);
    return stats;
}

void px_cache_free(struct px_cache *cache)
{
    if (!cache) {
        return;
    }
    px_cache_limit(cache, 0);
    pthread_mutex_destroy(&cache->lock);
    free(cache->slots);
    free(cache);
}
