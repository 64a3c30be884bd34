// Memory of one Lua state: lists of free blocks by size.
//
// Lua says the size of what it frees, so blocks need no header and any block of a size serves the
// next request for it. Chunks are cut from the front and never given back while the state lives:
// its garbage is its own reserve. Large blocks are malloc()'s.

#include "pool.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK (32 * 1024)

#ifdef PX_SANITIZED
#define SMALL 0  // Every block comes from malloc(), so that the sanitizers see it.
#else
#define SMALL PX_POOL_MAX
#endif

static size_t list_of(size_t size)
{
    return (size - 1) / PX_POOL_STEP;
}

static void *take(struct px_pool *pool, size_t size)
{
    if (size > SMALL) {
        return malloc(size);
    }
    size_t list = list_of(size);
    void *block = pool->lists[list];
    if (block) {
        memcpy(&pool->lists[list], block, sizeof(void *));
        // The next one was freed long ago and is in no cache: it is fetched while this one is
        // filled.
        __builtin_prefetch(pool->lists[list], 1);
        return block;
    }
    size = (list + 1) * PX_POOL_STEP;
    if ((size_t)(pool->end - pool->at) < size) {
        char *chunk = malloc(CHUNK);
        if (!chunk) {
            return NULL;
        }
        memcpy(chunk, &pool->chunks, sizeof(void *));
        pool->chunks = chunk;
        pool->at = chunk + PX_POOL_STEP;
        pool->end = chunk + CHUNK;
    }
    block = pool->at;
    pool->at += size;
    return block;
}

static void give(struct px_pool *pool, void *block, size_t size)
{
    if (size > SMALL) {
        free(block);
        return;
    }
    memcpy(block, &pool->lists[list_of(size)], sizeof(void *));
    pool->lists[list_of(size)] = block;
}

void *px_pool_realloc(struct px_pool *pool, void *ptr, size_t old_size, size_t new_size)
{
    if (!new_size) {
        if (ptr) {
            give(pool, ptr, old_size);
        }
        return NULL;
    }
    if (!ptr) {
        return take(pool, new_size);
    }
    if (old_size > SMALL && new_size > SMALL) {
        return realloc(ptr, new_size);
    }
    if (old_size <= SMALL && new_size <= SMALL && list_of(old_size) == list_of(new_size)) {
        return ptr;
    }
    void *fresh = take(pool, new_size);
    if (fresh) {
        memcpy(fresh, ptr, old_size < new_size ? old_size : new_size);
        give(pool, ptr, old_size);
    }
    return fresh;
}

void px_pool_deinit(struct px_pool *pool)
{
    while (pool->chunks) {
        void *chunk = pool->chunks;
        memcpy(&pool->chunks, chunk, sizeof(void *));
        free(chunk);
    }
    *pool = (struct px_pool){ 0 };
}
