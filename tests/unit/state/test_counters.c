#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "px/counters.h"

static void add(struct px_counters *counters, const char *series, uint64_t n)
{
    px_counters_add(counters, (struct px_str){ series, strlen(series) }, n);
}

/// Prints into a text that the caller frees with the buffer.
static const char *print(struct px_counters *counters, struct px_buf *out)
{
    px_buf_reset(out);
    assert_int_equal(px_counters_print(counters, out), PX_OK);
    assert_int_equal(px_buf_add(out, (struct px_str){ "", 1 }), PX_OK);
    return out->ptr;
}

#define DROPPED(n)                                                                                 \
    "# TYPE proxima_counters_dropped_total counter\nproxima_counters_dropped_total " n "\n"

static void test_series_are_summed_sorted_and_typed_once(void **state)
{
    (void)state;
    struct px_counters *counters = px_counters_new();
    struct px_buf out = PX_BUF(4096);
    assert_string_equal(print(counters, &out), DROPPED("0"));
    add(counters, "b_total{x=\"2\"}", 1);
    add(counters, "a_total", 40);
    add(counters, "b_total{x=\"1\"}", 5);
    add(counters, "a_total", 2);
    add(counters, "b_total{x=\"1\"}", 0);
    assert_string_equal(print(counters, &out), "# TYPE a_total counter\n"
                                               "a_total 42\n"
                                               "# TYPE b_total counter\n"
                                               "b_total{x=\"1\"} 5\n"
                                               "b_total{x=\"2\"} 1\n" DROPPED("0"));
    px_buf_free(&out);
    px_counters_free(counters);
}

static void test_a_metrics_series_stay_together(void **state)
{
    (void)state;
    struct px_counters *counters = px_counters_new();
    struct px_buf out = PX_BUF(4096);
    add(counters, "a{x=\"1\"}", 1);
    add(counters, "a_b", 2);
    add(counters, "a", 3);
    assert_string_equal(print(counters, &out), "# TYPE a counter\n"
                                               "a 3\n"
                                               "a{x=\"1\"} 1\n"
                                               "# TYPE a_b counter\n"
                                               "a_b 2\n" DROPPED("0"));
    px_buf_free(&out);
    px_counters_free(counters);
}

static void test_more_than_10000_series_are_only_counted(void **state)
{
    (void)state;
    struct px_counters *counters = px_counters_new();
    char name[40];
    for (int i = 0; i < 10003; i++) {
        snprintf(name, sizeof(name), "c_total{n=\"%05d\"}", i);
        add(counters, name, 1);
    }
    add(counters, "c_total{n=\"09999\"}", 6);  // Known ones still count.
    struct px_buf out = PX_BUF(4 << 20);
    const char *text = print(counters, &out);
    assert_non_null(strstr(text, "c_total{n=\"09999\"} 7\n"));
    assert_null(strstr(text, "c_total{n=\"10000\"}"));
    assert_non_null(strstr(text, DROPPED("3")));
    px_buf_free(&out);
    px_counters_free(counters);
}

static void test_a_series_longer_than_1_kib_is_only_counted(void **state)
{
    (void)state;
    struct px_counters *counters = px_counters_new();
    static char name[1025];
    memset(name, 'a', sizeof(name));
    px_counters_add(counters, (struct px_str){ name, 1025 }, 1);
    px_counters_add(counters, (struct px_str){ name, 1024 }, 1);
    struct px_buf out = PX_BUF(1 << 16);
    assert_int_equal(px_counters_print(counters, &out), PX_OK);
    assert_non_null(memmem(out.ptr, out.len, "proxima_counters_dropped_total 1\n", 33));
    px_buf_free(&out);
    px_counters_free(counters);
}

static void test_printing_stays_below_the_buffers_limit(void **state)
{
    (void)state;
    struct px_counters *counters = px_counters_new();
    add(counters, "some_total", 1);
    struct px_buf out = PX_BUF(20);
    assert_int_equal(px_counters_print(counters, &out), PX_ETOOBIG);
    px_buf_free(&out);
    px_counters_free(counters);
    px_counters_free(NULL);
}

static void *count_up(void *user)
{
    struct px_counters *counters = user;
    char name[40];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "t_total{n=\"%d\"}", i % 7);
        add(counters, name, 1);
    }
    return NULL;
}

static void test_threads_lose_no_count(void **state)
{
    (void)state;
    struct px_counters *counters = px_counters_new();
    struct px_buf out = PX_BUF(4096);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, counters), 0);
    }
    print(counters, &out);  // While they write.
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    unsigned long long sum = 0, value;
    for (const char *at = print(counters, &out); (at = strstr(at, "\nt_total{")); at++) {
        assert_int_equal(sscanf(strchr(at, '}'), "} %llu", &value), 1);
        sum += value;
    }
    assert_int_equal(sum, 4 * 20000);
    px_buf_free(&out);
    px_counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_are_summed_sorted_and_typed_once),
        cmocka_unit_test(test_a_metrics_series_stay_together),
        cmocka_unit_test(test_more_than_10000_series_are_only_counted),
        cmocka_unit_test(test_a_series_longer_than_1_kib_is_only_counted),
        cmocka_unit_test(test_printing_stays_below_the_buffers_limit),
        cmocka_unit_test(test_threads_lose_no_count),
    };
    return cmocka_run_group_tests_name("state/counters", tests, NULL, NULL);
}
