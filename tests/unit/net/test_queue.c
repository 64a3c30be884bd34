#include "net_test.h"

#include "queue.h"

struct work {
    struct px_queue queue;
    struct px_pool pool;
    size_t in, out;
};

static void push(struct work *work, size_t len)
{
    char *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = pattern(work->in + i);
    }
    assert_int_equal(px_queue_add(&work->queue, &work->pool, (struct px_str){ bytes, len }), PX_OK);
    free(bytes);
    work->in += len;
}

static void push_block(struct work *work, size_t len)
{
    struct px_block *block = px_block_new(len + 10);
    block->len = len + 10;
    for (size_t i = 0; i < len; i++) {
        block->ptr[5 + i] = pattern(work->in + i);
    }
    struct px_str part = { block->ptr + 5, len };
    assert_int_equal(px_queue_add_block(&work->queue, &work->pool, block, part), PX_OK);
    px_block_drop(block);
    work->in += len;
}

/// Takes up to `max` bytes and checks them.
static void pull(struct work *work, size_t max)
{
    uv_buf_t bufs[3];
    size_t size = max, taken = 0;
    unsigned count = px_queue_peek(&work->queue, bufs, 3, &size);
    for (unsigned i = 0; i < count; i++) {
        for (size_t at = 0; at < bufs[i].len; at++, taken++) {
            assert_int_equal(bufs[i].base[at], pattern(work->out + taken));
        }
    }
    assert_int_equal(taken, size);
    assert_true(taken <= max);
    char copy[5000];
    size_t len = px_queue_copy(&work->queue, copy, sizeof(copy));
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(copy[i], pattern(work->out + i));
    }
    px_queue_drop(&work->queue, &work->pool, taken);
    work->out += taken;
    assert_int_equal(work->queue.bytes, work->in - work->out);
}

static void test_bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 100, 1023, 1024, 4063, 4064, 4065, 9000, 0, 50000 };
    enum { COUNT = sizeof(sizes) / sizeof(*sizes) };
    struct work work = { 0 };
    for (size_t round = 0; round < 300; round++) {
        if (round % 3) {
            push(&work, sizes[round * 7 % COUNT]);
        } else {
            push_block(&work, sizes[round * 3 % COUNT]);
        }
        pull(&work, sizes[round * 5 % COUNT]);
    }
    while (work.queue.bytes) {
        pull(&work, 3000);
    }
    assert_null(work.queue.first);
    assert_null(work.queue.last);
    px_pool_free(&work.pool);
}

static void test_a_drained_queue_holds_nothing_and_the_pool_is_bounded(void **state)
{
    (void)state;
    struct work work = { 0 };
    push(&work, 4 << 20);
    px_queue_drop(&work.queue, &work.pool, work.queue.bytes);
    assert_null(work.queue.first);
    assert_int_equal(work.pool.count, PX_POOL_MAX);
    work.out = work.in;
    push(&work, 100000);
    px_queue_clear(&work.queue, &work.pool);
    assert_int_equal(work.queue.bytes, 0);
    assert_int_equal(work.pool.count, PX_POOL_MAX);
    px_pool_free(&work.pool);
    assert_null(work.pool.free);
}

static void test_small_parts_of_blocks_are_copied_and_large_ones_held(void **state)
{
    (void)state;
    struct px_queue queue = { 0 };
    struct px_pool pool = { 0 };
    struct px_block *block = px_block_new(5000);
    memset(block->ptr, 'x', 5000);
    block->len = 5000;
    assert_int_equal(px_queue_add_block(&queue, &pool, block, (struct px_str){ block->ptr, 100 }),
                     PX_OK);
    assert_int_equal(block->refs, 1);
    assert_int_equal(px_queue_add_block(&queue, &pool, block, px_block_str(block)), PX_OK);
    assert_int_equal(block->refs, 2);
    px_queue_drop(&queue, &pool, 5099);
    assert_int_equal(block->refs, 2);
    px_queue_drop(&queue, &pool, 1);
    assert_int_equal(block->refs, 1);
    px_block_drop(block);
    px_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_out_as_they_went_in),
        cmocka_unit_test(test_a_drained_queue_holds_nothing_and_the_pool_is_bounded),
        cmocka_unit_test(test_small_parts_of_blocks_are_copied_and_large_ones_held),
    };
    return cmocka_run_group_tests_name("net/queue", tests, NULL, NULL);
}
