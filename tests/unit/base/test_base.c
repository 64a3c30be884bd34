#include "base_test.h"

#include <signal.h>
#include <unistd.h>

#include "px/block.h"
#include "px/buf.h"
#include "px/clock.h"
#include "px/thread.h"

static void test_an_error_is_filled_cut_and_optional(void **state)
{
    (void)state;
    struct px_error err = { 0 };
    assert_int_equal(px_fail(&err, PX_EINVAL, "port %d", 7), PX_EINVAL);
    assert_int_equal(err.status, PX_EINVAL);
    assert_string_equal(err.text, "port 7");
    assert_int_equal(px_fail(NULL, PX_EIO, "nobody hears"), PX_EIO);

    char text[1000];
    memset(text, 'x', sizeof(text));
    assert_int_equal(px_fail(&err, PX_EIO, "%.*s", (int)sizeof(text), text), PX_EIO);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_every_status_has_a_name(void **state)
{
    (void)state;
    for (int i = PX_OK; i <= PX_EIO; i++) {
        assert_string_not_equal(px_status_name((enum px_status)i), "unknown");
    }
    assert_string_equal(px_status_name((enum px_status)1000), "unknown");
    assert_string_equal(px_status_name((enum px_status) - 1), "unknown");
}

static void test_strings_compare_by_bytes(void **state)
{
    (void)state;
    assert_true(px_str_eq(PX_STR("a\0b"), PX_STR("a\0b")));
    assert_false(px_str_eq(PX_STR("a\0b"), PX_STR("a\0c")));
    assert_false(px_str_eq(PX_STR("a"), PX_STR("ab")));
    assert_true(px_str_eq(PX_STR(""), (struct px_str){ NULL, 0 }));
}

static void test_a_buffer_grows_to_its_limit_and_not_beyond(void **state)
{
    (void)state;
    struct px_buf buf = PX_BUF(1000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(px_buf_add(&buf, PX_STR("0123456789")), PX_OK);
    }
    assert_int_equal(buf.len, 1000);
    assert_int_equal(px_buf_add(&buf, PX_STR("")), PX_OK);
    assert_int_equal(px_buf_add(&buf, PX_STR("x")), PX_ETOOBIG);
    assert_int_equal(px_buf_reserve(&buf, 1), PX_ETOOBIG);
    assert_int_equal(px_buf_reserve(&buf, SIZE_MAX), PX_ETOOBIG);
    assert_int_equal(buf.len, 1000);
    assert_memory_equal(buf.ptr + 990, "0123456789", 10);

    char *kept = buf.ptr;
    px_buf_reset(&buf);
    assert_int_equal(px_buf_str(&buf).len, 0);
    assert_int_equal(px_buf_add(&buf, PX_STR("again")), PX_OK);
    assert_ptr_equal(buf.ptr, kept);
    px_buf_free(&buf);
    assert_null(buf.ptr);
    assert_int_equal(px_buf_add(&buf, PX_STR("new")), PX_OK);
    px_buf_free(&buf);
}

static void test_reserved_room_may_be_written(void **state)
{
    (void)state;
    struct px_buf buf = PX_BUF(5000);
    for (size_t room = 1; room <= 1000; room *= 3) {
        assert_int_equal(px_buf_reserve(&buf, room), PX_OK);
        memset(buf.ptr + buf.len, 'x', room);
        buf.len += room;
    }
    px_buf_free(&buf);
}

static void test_a_block_lives_as_long_as_its_last_holder(void **state)
{
    (void)state;
    struct px_block *block = px_block_copy(PX_STR("abc"));
    assert_true(px_str_eq(px_block_str(block), PX_STR("abc")));
    assert_ptr_equal(px_block_hold(block), block);
    px_block_drop(block);
    assert_true(px_str_eq(px_block_str(block), PX_STR("abc")));
    px_block_drop(block);
    px_block_drop(NULL);

    struct px_block *empty = px_block_copy((struct px_str){ NULL, 0 });
    assert_non_null(empty->ptr);
    assert_int_equal(empty->len, 0);
    px_block_drop(empty);
}

static void test_a_block_grows(void **state)
{
    (void)state;
    struct px_block *block = px_block_new(0);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(px_block_add(block, PX_STR("0123456")), PX_OK);
    }
    assert_int_equal(px_block_add(block, PX_STR("")), PX_OK);
    assert_int_equal(block->len, 14000);
    assert_memory_equal(block->ptr + 13993, "0123456", 7);
    px_block_drop(block);
}

static void *look_at_signals(void *user)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    *(int *)user = sigismember(&set, SIGTERM) && sigismember(&set, SIGHUP);
    return NULL;
}

static void test_a_thread_has_a_name_and_hears_no_signals(void **state)
{
    (void)state;
    int blocked = 0;
    pthread_t thread;
    struct px_error err = { 0 };
    assert_int_equal(px_thread_start(&thread, "worker", look_at_signals, &blocked, &err), PX_OK);
    pthread_join(thread, NULL);
    assert_true(blocked);
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    assert_false(sigismember(&set, SIGTERM));
}

static void test_clocks_agree(void **state)
{
    (void)state;
    uint64_t ms = px_clock_ms(), ns = px_clock_ns(), cpu = px_clock_cpu_ns();
    assert_true(ns / 1000000 - ms < 1000);
    assert_true(px_clock_ns() >= ns);
    assert_true(px_clock_cpu_ns() >= cpu);
    assert_true(px_clock_wall_ms() > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error_is_filled_cut_and_optional),
        cmocka_unit_test(test_every_status_has_a_name),
        cmocka_unit_test(test_strings_compare_by_bytes),
        cmocka_unit_test(test_a_buffer_grows_to_its_limit_and_not_beyond),
        cmocka_unit_test(test_reserved_room_may_be_written),
        cmocka_unit_test(test_a_block_lives_as_long_as_its_last_holder),
        cmocka_unit_test(test_a_block_grows),
        cmocka_unit_test(test_a_thread_has_a_name_and_hears_no_signals),
        cmocka_unit_test(test_clocks_agree),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
