#pragma once

#include <stddef.h>

#include "px/status.h"
#include "px/str.h"

/// Reference-counted bytes that many may read and nobody changes once they are shared: bodies of
/// requests and replies. A block and its holders live on one thread.
struct px_block {
    size_t refs;
    size_t len;
    size_t cap;
    char *ptr;  ///< Never NULL.
};

/// Creates a block with room for `cap` bytes and one holder. NULL if out of memory.
struct px_block *px_block_new(size_t cap);

/// Creates a block with a copy of `bytes`. NULL if out of memory.
struct px_block *px_block_copy(struct px_str bytes);

/// Appends `bytes`; only for the sole holder. On failure the block is unchanged.
PX_CHECK enum px_status px_block_add(struct px_block *block, struct px_str bytes);

/// Adds a holder and returns the block.
struct px_block *px_block_hold(struct px_block *block);

/// Takes a holder away; the last one frees the block. NULL is allowed.
void px_block_drop(struct px_block *block);

static inline struct px_str px_block_str(const struct px_block *block)
{
    return (struct px_str){ block->ptr, block->len };
}
