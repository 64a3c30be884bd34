#include "px/block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct px_block *px_block_new(size_t cap)
{
    struct px_block *block = malloc(sizeof(*block));
    if (!block) {
        return NULL;
    }
    cap = cap ? cap : 1;
    *block = (struct px_block){ .refs = 1, .cap = cap, .ptr = malloc(cap) };
    if (!block->ptr) {
        free(block);
        return NULL;
    }
    return block;
}

struct px_block *px_block_copy(struct px_str bytes)
{
    struct px_block *block = px_block_new(bytes.len);
    if (block && bytes.len) {
        memcpy(block->ptr, bytes.ptr, bytes.len);
        block->len = bytes.len;
    }
    return block;
}

enum px_status px_block_add(struct px_block *block, struct px_str bytes)
{
    assert(block->refs == 1);
    if (block->cap - block->len < bytes.len) {
        size_t cap = block->cap;
        while (cap - block->len < bytes.len) {
            cap = cap < 1024 ? 1024 : cap * 2;
        }
        char *ptr = realloc(block->ptr, cap);
        if (!ptr) {
            return PX_ENOMEM;
        }
        block->ptr = ptr;
        block->cap = cap;
    }
    if (bytes.len) {
        memcpy(block->ptr + block->len, bytes.ptr, bytes.len);
        block->len += bytes.len;
    }
    return PX_OK;
}

struct px_block *px_block_hold(struct px_block *block)
{
    block->refs++;
    return block;
}

void px_block_drop(struct px_block *block)
{
    if (block && --block->refs == 0) {
        free(block->ptr);
        free(block);
    }
}
