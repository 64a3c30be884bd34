#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/// Lets the n-th allocation of the code under test fail. For one file of a test program, which
/// extra.cmake links with px_wrap(TARGET malloc calloc realloc). A library's own allocations are
/// not reached.

static size_t failing_at;     ///< The allocation that fails; 0 for none.
static size_t failing_count;  ///< Allocations since failing_start().

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

/// From now on the n-th allocation fails, and only that one; 0 for none.
static inline void failing_start(size_t n)
{
    failing_at = n;
    failing_count = 0;
}

/// Ends it. True if an allocation failed.
static inline bool failing_stop(void)
{
    bool failed = failing_at && failing_count >= failing_at;
    failing_at = 0;
    return failed;
}

static inline bool failing_now(void)
{
    failing_count++;
    return failing_count == failing_at;
}

void *__wrap_malloc(size_t size)
{
    return failing_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return failing_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return failing_now() ? NULL : __real_realloc(ptr, size);
}
