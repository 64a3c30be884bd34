#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/status.h"
#include "px/str.h"

/// Bytes by key, in memory, for all threads. Bounded: what was used least recently goes when there
/// is no room, and everything goes when its time is over.
struct px_cache;

struct px_cache_stats {
    size_t entries;
    size_t bytes;      ///< With what an entry itself takes.
    uint64_t evicted;  ///< For want of room, since the start.
};

/// @param max bytes that all entries may take; 0 keeps nothing.
/// @return NULL if out of memory.
struct px_cache *px_cache_new(size_t max);

/// NULL is allowed.
void px_cache_free(struct px_cache *cache);

/// Changes the bound; what is over it goes at once.
void px_cache_limit(struct px_cache *cache, size_t max);

/// Keeps a copy of `value` under `key`, in place of what was there, for `ms` milliseconds.
///
/// @return PX_ETOOBIG for an entry that alone takes more than a quarter of the bound (what was
///         under the key is gone then), PX_ENOMEM.
PX_CHECK enum px_status px_cache_put(struct px_cache *cache, struct px_str key, struct px_str value,
                                     uint64_t ms);

/// Copies a value to `into` if it has room for `room` bytes; counts as a use in any case.
///
/// @return the value's length, SIZE_MAX if there is none.
size_t px_cache_get(struct px_cache *cache, struct px_str key, char *into, size_t room);

/// Tells whether there was something under the key.
bool px_cache_remove(struct px_cache *cache, struct px_str key);

struct px_cache_stats px_cache_stats(struct px_cache *cache);
