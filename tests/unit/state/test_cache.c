#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "px/cache.h"
#include "px/clock.h"

#define HOUR 3600000u

static struct px_str str(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

static enum px_status put(struct px_cache *cache, const char *key, const char *value)
{
    return px_cache_put(cache, str(key), str(value), HOUR);
}

static void assert_holds(struct px_cache *cache, const char *key, const char *want)
{
    char value[64];
    size_t len = px_cache_get(cache, str(key), value, sizeof(value));
    if (!want) {
        assert_int_equal(len, SIZE_MAX);
        return;
    }
    assert_int_equal(len, strlen(want));
    assert_memory_equal(value, want, len);
}

static void test_values_are_kept_exchanged_and_removed(void **state)
{
    (void)state;
    struct px_cache *cache = px_cache_new(1 << 20);
    assert_holds(cache, "a", NULL);
    assert_int_equal(put(cache, "a", "one"), PX_OK);
    assert_int_equal(put(cache, "b", ""), PX_OK);
    assert_holds(cache, "a", "one");
    assert_holds(cache, "b", "");
    assert_int_equal(put(cache, "a", "another"), PX_OK);
    assert_holds(cache, "a", "another");
    assert_int_equal(px_cache_stats(cache).entries, 2);
    assert_true(px_cache_remove(cache, str("a")));
    assert_false(px_cache_remove(cache, str("a")));
    assert_holds(cache, "a", NULL);
    assert_true(px_cache_remove(cache, str("b")));
    assert_int_equal(px_cache_stats(cache).entries, 0);
    assert_int_equal(px_cache_stats(cache).bytes, 0);
    px_cache_free(cache);
}

static void test_a_value_that_has_no_room_is_measured_alone(void **state)
{
    (void)state;
    struct px_cache *cache = px_cache_new(1 << 20);
    assert_int_equal(put(cache, "a", "12345"), PX_OK);
    char value[4] = "xxx";
    assert_int_equal(px_cache_get(cache, str("a"), value, sizeof(value)), 5);
    assert_string_equal(value, "xxx");
    assert_int_equal(px_cache_get(cache, str("a"), NULL, 0), 5);
    px_cache_free(cache);
}

static void test_keys_and_values_are_bytes(void **state)
{
    (void)state;
    struct px_cache *cache = px_cache_new(1 << 20);
    struct px_str one = { "k\0a", 3 }, other = { "k\0b", 3 }, value = { "\0\n", 2 };
    assert_int_equal(px_cache_put(cache, one, value, HOUR), PX_OK);
    char out[2];
    assert_int_equal(px_cache_get(cache, one, out, 2), 2);
    assert_memory_equal(out, value.ptr, 2);
    assert_int_equal(px_cache_get(cache, other, out, 2), SIZE_MAX);
    px_cache_free(cache);
}

static void test_the_least_recently_used_goes_first(void **state)
{
    (void)state;
    static char value[1000];
    struct px_cache *cache = px_cache_new(12000);  // Room for 11 of these.
    char key[20];
    for (int i = 0; i < 11; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(px_cache_put(cache, str(key), (struct px_str){ value, 1000 }, HOUR),
                         PX_OK);
    }
    assert_int_equal(px_cache_stats(cache).evicted, 0);
    assert_int_equal(px_cache_get(cache, str("k0"), NULL, 0), 1000);
    assert_int_equal(px_cache_put(cache, str("k11"), (struct px_str){ value, 1000 }, HOUR), PX_OK);
    assert_int_equal(px_cache_get(cache, str("k0"), NULL, 0), 1000);
    assert_int_equal(px_cache_get(cache, str("k1"), NULL, 0), SIZE_MAX);
    assert_int_equal(px_cache_stats(cache).evicted, 1);
    assert_true(px_cache_stats(cache).bytes <= 12000);
    px_cache_limit(cache, 3000);
    assert_int_equal(px_cache_stats(cache).entries, 2);
    assert_int_equal(px_cache_get(cache, str("k0"), NULL, 0), 1000);
    assert_int_equal(px_cache_get(cache, str("k11"), NULL, 0), 1000);
    px_cache_limit(cache, 0);
    assert_int_equal(px_cache_stats(cache).bytes, 0);
    px_cache_free(cache);
}

static void test_one_entry_may_take_a_quarter(void **state)
{
    (void)state;
    static char value[4000];
    struct px_cache *cache = px_cache_new(4000);
    assert_int_equal(px_cache_put(cache, str("a"), (struct px_str){ value, 800 }, HOUR), PX_OK);
    assert_int_equal(px_cache_put(cache, str("a"), (struct px_str){ value, 1000 }, HOUR),
                     PX_ETOOBIG);
    assert_holds(cache, "a", NULL);
    px_cache_limit(cache, 0);
    assert_int_equal(put(cache, "a", "x"), PX_ETOOBIG);
    px_cache_free(cache);
}

static void test_a_value_goes_when_its_time_is_over(void **state)
{
    (void)state;
    struct px_cache *cache = px_cache_new(1 << 20);
    assert_int_equal(px_cache_put(cache, str("a"), str("x"), 0), PX_OK);
    assert_holds(cache, "a", NULL);
    assert_int_equal(px_cache_stats(cache).entries, 0);
    uint64_t begun = px_clock_ms();
    assert_int_equal(px_cache_put(cache, str("a"), str("x"), 20), PX_OK);
    while (px_cache_get(cache, str("a"), NULL, 0) != SIZE_MAX) {
    }
    assert_true(px_clock_ms() - begun >= 20);
    px_cache_free(cache);
}

static void test_many_entries_are_found(void **state)
{
    (void)state;
    struct px_cache *cache = px_cache_new(64 << 20);
    char key[20];
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(put(cache, key, key), PX_OK);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        assert_holds(cache, key, key);
    }
    assert_int_equal(px_cache_stats(cache).entries, 20000);
    px_cache_free(cache);
}

static void *hammer(void *user)
{
    struct px_cache *cache = user;
    unsigned seed = (unsigned)(uintptr_t)pthread_self();
    for (int i = 0; i < 20000; i++) {
        char key[20], value[20];
        snprintf(key, sizeof(key), "%d", rand_r(&seed) % 200);
        size_t len = px_cache_get(cache, str(key), value, sizeof(value));
        if (len != SIZE_MAX && (len != strlen(key) || memcmp(value, key, len) != 0)) {
            return (void *)"a value of another key";
        }
        if (i % 3 == 0 && px_cache_put(cache, str(key), str(key), HOUR)) {
            return (void *)"not kept";
        }
        if (i % 7 == 0) {
            px_cache_remove(cache, str(key));
        }
    }
    return NULL;
}

static void test_threads_share_it(void **state)
{
    (void)state;
    struct px_cache *cache = px_cache_new(10000);  // Fewer than are asked for.
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, cache), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *problem;
        assert_int_equal(pthread_join(threads[i], &problem), 0);
        assert_null(problem);
    }
    assert_true(px_cache_stats(cache).bytes <= 10000);
    assert_true(px_cache_stats(cache).evicted > 0);
    px_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_kept_exchanged_and_removed),
        cmocka_unit_test(test_a_value_that_has_no_room_is_measured_alone),
        cmocka_unit_test(test_keys_and_values_are_bytes),
        cmocka_unit_test(test_the_least_recently_used_goes_first),
        cmocka_unit_test(test_one_entry_may_take_a_quarter),
        cmocka_unit_test(test_a_value_goes_when_its_time_is_over),
        cmocka_unit_test(test_many_entries_are_found),
        cmocka_unit_test(test_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
