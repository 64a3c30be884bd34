#pragma once

#include <stddef.h>

/// Blocks up to this size come from the lists, in steps of PX_POOL_STEP.
#define PX_POOL_MAX 1024
#define PX_POOL_STEP 16

/// Memory of one Lua state. Zero-initialise it; one thread at a time.
struct px_pool {
    void *lists[PX_POOL_MAX / PX_POOL_STEP];
    char *at, *end;
    void *chunks;
};

/// As lua_Alloc: `old_size` is the block's true size; frees for a `new_size` of 0, and leaves the
/// block alone where it returns NULL for want of memory.
void *px_pool_realloc(struct px_pool *pool, void *ptr, size_t old_size, size_t new_size);

/// Frees everything that was small. Large blocks must be gone.
void px_pool_deinit(struct px_pool *pool);
