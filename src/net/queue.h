#pragma once

#include <uv.h>

#include "px/block.h"
#include "px/str.h"

/// A queue of bytes to send: copies in pooled chunks, and references to blocks.

#define PX_CHUNK_SIZE 4096
#define PX_CHUNK_ROOM (PX_CHUNK_SIZE - sizeof(struct px_chunk))

struct px_chunk {
    struct px_chunk *next;
    struct px_block *block;  ///< Whose bytes these are; NULL if they are in `room`.
    char *ptr;
    size_t len;
    char room[];  ///< PX_CHUNK_ROOM bytes, absent beside a block.
};

/// Chunks that are free for the next queue of the same loop.
struct px_pool {
    struct px_chunk *free;
    size_t count;
};

/// Keeps at most this many free chunks (1 MiB); what comes back beyond goes to the system.
#define PX_POOL_MAX 256

struct px_queue {
    struct px_chunk *first, *last;
    size_t bytes;
};

/// Appends a copy. On failure (PX_ENOMEM) the queue is unchanged.
PX_CHECK enum px_status px_queue_add(struct px_queue *queue, struct px_pool *pool,
                                     struct px_str bytes);

/// Appends a part of `block` and holds the block; copies where that is cheaper.
PX_CHECK enum px_status px_queue_add_block(struct px_queue *queue, struct px_pool *pool,
                                           struct px_block *block, struct px_str part);

/// Fills up to `max` buffers with the oldest bytes, at most `size` of them; returns how many
/// buffers, and their bytes in `size`.
unsigned px_queue_peek(const struct px_queue *queue, uv_buf_t *bufs, unsigned max, size_t *size);

/// Copies up to `max` of the oldest bytes to `out` and returns how many.
size_t px_queue_copy(const struct px_queue *queue, char *out, size_t max);

/// Takes away the oldest `size` bytes.
void px_queue_drop(struct px_queue *queue, struct px_pool *pool, size_t size);

void px_queue_clear(struct px_queue *queue, struct px_pool *pool);

void px_pool_free(struct px_pool *pool);
