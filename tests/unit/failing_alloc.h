#pragma once

#include <stddef.h>
#include <stdlib.h>

// Lets the n-th allocation fail, in a test that is linked with
// -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. Allocations inside shared libraries are not seen.

/// Allocations that still succeed; below 0 all do.
static long allocations_left = -1;

static int allocation_fails(void)
{
    if (allocations_left < 0) {
        return 0;
    }
    if (allocations_left == 0) {
        return 1;
    }
    allocations_left--;
    return 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(ptr, size);
}
