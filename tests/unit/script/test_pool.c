#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// The lists are off in sanitizer builds: here they are what is tested.
#undef PX_SANITIZED
#include "pool.c"

#define BLOCKS 2000

struct held {
    unsigned char *ptr;
    size_t size;
    unsigned char mark;
};

static unsigned next_random(unsigned *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

static void check_mark(const struct held *held)
{
    for (size_t i = 0; i < held->size; i++) {
        assert_int_equal(held->ptr[i], held->mark);
    }
}

static void test_blocks_never_overlap_and_keep_their_bytes(void **state)
{
    (void)state;
    struct px_pool pool = { 0 };
    static struct held held[BLOCKS];
    unsigned random = 7;
    for (unsigned turn = 0; turn < 60000; turn++) {
        struct held *one = &held[next_random(&random) % BLOCKS];
        size_t size = next_random(&random) % 3 ? next_random(&random) % 600 : 0;
        if (one->ptr) {
            check_mark(one);
        }
        unsigned char *fresh = px_pool_realloc(&pool, one->ptr, one->size, size);
        assert_true(size == 0 ? fresh == NULL : fresh != NULL);
        for (size_t i = 0; i < one->size && i < size; i++) {
            assert_int_equal(fresh[i], one->mark);
        }
        *one = (struct held){ fresh, size, (unsigned char)next_random(&random) };
        if (fresh) {
            memset(fresh, one->mark, size);
        }
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        px_pool_realloc(&pool, held[i].ptr, held[i].size, 0);
    }
    px_pool_deinit(&pool);
}

static void test_a_freed_block_serves_the_next_of_its_size(void **state)
{
    (void)state;
    struct px_pool pool = { 0 };
    void *first = px_pool_realloc(&pool, NULL, 0, 40);
    px_pool_realloc(&pool, first, 40, 0);
    assert_ptr_equal(px_pool_realloc(&pool, NULL, 0, 33), first);
    assert_ptr_equal(px_pool_realloc(&pool, first, 33, 48), first);
    assert_ptr_not_equal(px_pool_realloc(&pool, first, 48, 49), first);
    px_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_never_overlap_and_keep_their_bytes),
        cmocka_unit_test(test_a_freed_block_serves_the_next_of_its_size),
    };
    return cmocka_run_group_tests_name("script/pool", tests, NULL, NULL);
}
