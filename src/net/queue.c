#include "queue.h"

#include <stdlib.h>

// A reference costs an allocation and a buffer of its own in the system call.
#define COPY_BELOW 1024

static struct px_chunk *take_chunk(struct px_pool *pool)
{
    struct px_chunk *chunk = pool->free;
    if (chunk) {
        pool->free = chunk->next;
        pool->count--;
    } else {
        chunk = malloc(PX_CHUNK_SIZE);
        if (!chunk) {
            return NULL;
        }
    }
    *chunk = (struct px_chunk){ .ptr = chunk->room };
    return chunk;
}

static void give_chunk(struct px_pool *pool, struct px_chunk *chunk)
{
    if (chunk->block) {
        px_block_drop(chunk->block);
        free(chunk);
    } else if (pool->count < PX_POOL_MAX) {
        chunk->next = pool->free;
        pool->free = chunk;
        pool->count++;
    } else {
        free(chunk);
    }
}

static size_t room_left(const struct px_chunk *chunk)
{
    if (!chunk || chunk->block) {
        return 0;
    }
    return (size_t)(chunk->room + PX_CHUNK_ROOM - (chunk->ptr + chunk->len));
}

static void append(struct px_queue *queue, struct px_chunk *first, struct px_chunk *last)
{
    if (queue->last) {
        queue->last->next = first;
    } else {
        queue->first = first;
    }
    queue->last = last;
}

enum px_status px_queue_add(struct px_queue *queue, struct px_pool *pool, struct px_str bytes)
{
    struct px_chunk *tail = queue->last;
    size_t head = room_left(tail);
    head = head < bytes.len ? head : bytes.len;

    struct px_queue more = { 0 };
    for (size_t at = head; at < bytes.len;) {
        struct px_chunk *chunk = take_chunk(pool);
        if (!chunk) {
            px_queue_clear(&more, pool);
            return PX_ENOMEM;
        }
        size_t left = bytes.len - at;
        chunk->len = left < PX_CHUNK_ROOM ? left : PX_CHUNK_ROOM;
        memcpy(chunk->room, bytes.ptr + at, chunk->len);
        at += chunk->len;
        append(&more, chunk, chunk);
    }
    if (head) {
        memcpy(tail->ptr + tail->len, bytes.ptr, head);
        tail->len += head;
    }
    if (more.first) {
        append(queue, more.first, more.last);
    }
    queue->bytes += bytes.len;
    return PX_OK;
}

enum px_status px_queue_add_block(struct px_queue *queue, struct px_pool *pool,
                                  struct px_block *block, struct px_str part)
{
    if (part.len < COPY_BELOW) {
        return px_queue_add(queue, pool, part);
    }
    struct px_chunk *chunk = malloc(sizeof(*chunk));
    if (!chunk) {
        return PX_ENOMEM;
    }
    *chunk = (struct px_chunk){ .block = px_block_hold(block),
                                .ptr = block->ptr + (part.ptr - block->ptr),
                                .len = part.len };
    append(queue, chunk, chunk);
    queue->bytes += part.len;
    return PX_OK;
}

unsigned px_queue_peek(const struct px_queue *queue, uv_buf_t *bufs, unsigned max, size_t *size)
{
    unsigned count = 0;
    size_t left = *size;
    for (const struct px_chunk *at = queue->first; at && left && count < max; at = at->next) {
        if (at->len) {
            size_t len = at->len < left ? at->len : left;
            bufs[count++] = (uv_buf_t){ .base = at->ptr, .len = len };
            left -= len;
        }
    }
    *size -= left;
    return count;
}

size_t px_queue_copy(const struct px_queue *queue, char *out, size_t max)
{
    size_t done = 0;
    for (const struct px_chunk *at = queue->first; at && done < max; at = at->next) {
        size_t len = at->len < max - done ? at->len : max - done;
        memcpy(out + done, at->ptr, len);
        done += len;
    }
    return done;
}

void px_queue_drop(struct px_queue *queue, struct px_pool *pool, size_t size)
{
    queue->bytes -= size;
    while (size || (queue->first && !queue->first->len)) {
        struct px_chunk *chunk = queue->first;
        if (size < chunk->len) {
            chunk->ptr += size;
            chunk->len -= size;
            return;
        }
        size -= chunk->len;
        queue->first = chunk->next;
        if (!queue->first) {
            queue->last = NULL;
        }
        give_chunk(pool, chunk);
    }
}

void px_queue_clear(struct px_queue *queue, struct px_pool *pool)
{
    for (struct px_chunk *next, *at = queue->first; at; at = next) {
        next = at->next;
        give_chunk(pool, at);
    }
    *queue = (struct px_queue){ 0 };
}

void px_pool_free(struct px_pool *pool)
{
    for (struct px_chunk *next, *at = pool->free; at; at = next) {
        next = at->next;
        free(at);
    }
    *pool = (struct px_pool){ 0 };
}
