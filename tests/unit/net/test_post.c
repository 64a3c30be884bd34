#include "net_test.h"

#define POSTERS 4
#define POSTS 20000

struct inbox {
    struct px_loop *loop;
    size_t next[POSTERS];
    size_t left;
};

struct letter {
    struct inbox *inbox;
    size_t from, number;
};

struct poster {
    pthread_t thread;
    struct inbox *inbox;
    struct letter *letters;
    size_t from;
};

static void on_letter(void *user)
{
    struct letter *letter = user;
    struct inbox *inbox = letter->inbox;
    assert_int_equal(inbox->next[letter->from]++, letter->number);
    if (--inbox->left == 0) {
        px_loop_stop(inbox->loop);
    }
}

static void *post_all(void *user)
{
    struct poster *poster = user;
    for (size_t i = 0; i < POSTS;) {
        struct letter *letter = &poster->letters[i];
        *letter = (struct letter){ poster->inbox, poster->from, i };
        enum px_status st = px_post(poster->inbox->loop, on_letter, letter);
        if (st == PX_ETOOBIG) {
            sched_yield();
            continue;
        }
        assert_int_equal(st, PX_OK);
        i++;
    }
    return NULL;
}

static void test_four_threads_post_and_each_ones_order_holds(void **state)
{
    (void)state;
    struct inbox inbox = { .loop = px_loop_new(), .left = (size_t)POSTERS * POSTS };
    struct poster posters[POSTERS];
    px_loop_keep(inbox.loop, true);
    for (size_t i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){ .inbox = &inbox,
                                      .letters = calloc(POSTS, sizeof(struct letter)),
                                      .from = i };
        pthread_create(&posters[i].thread, NULL, post_all, &posters[i]);
    }
    run_loop(inbox.loop);
    for (size_t i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        free(posters[i].letters);
        assert_int_equal(inbox.next[i], POSTS);
    }
    px_loop_free(inbox.loop);
}

static void count(void *user)
{
    ++*(size_t *)user;
}

static void test_a_full_mailbox_refuses_all_but_what_must_not_be_lost(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    size_t ran = 0;
    for (int i = 0; i < 4096; i++) {
        assert_int_equal(px_post(loop, count, &ran), PX_OK);
    }
    assert_int_equal(px_post(loop, count, &ran), PX_ETOOBIG);
    assert_int_equal(px_post_sure(loop, count, &ran), PX_OK);
    run_loop(loop);  // What waits keeps the loop alive until it has run.
    assert_int_equal(ran, 4097);
    assert_int_equal(px_post(loop, count, &ran), PX_OK);
    px_loop_free(loop);  // Dropped, not leaked.
    assert_int_equal(ran, 4097);
}

struct chain {
    struct px_loop *loop;
    int left;
};

static void post_next(void *user)
{
    struct chain *chain = user;
    if (chain->left-- > 0) {
        assert_int_equal(px_post(chain->loop, post_next, chain), PX_OK);
    }
}

static void test_a_message_may_post_the_next(void **state)
{
    (void)state;
    struct chain chain = { px_loop_new(), 1000 };
    assert_int_equal(px_post(chain.loop, post_next, &chain), PX_OK);
    run_loop(chain.loop);
    assert_int_equal(chain.left, -1);
    px_loop_free(chain.loop);
}

static void *post_stop(void *user)
{
    assert_int_equal(px_post_sure(user, stop_loop, user), PX_OK);
    return NULL;
}

static void test_a_kept_loop_waits_for_a_message_of_another_thread(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    px_loop_keep(loop, true);
    pthread_t thread;
    pthread_create(&thread, NULL, post_stop, loop);
    run_loop(loop);
    pthread_join(thread, NULL);
    px_loop_keep(loop, false);
    run_loop(loop);
    px_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_threads_post_and_each_ones_order_holds),
        cmocka_unit_test(test_a_full_mailbox_refuses_all_but_what_must_not_be_lost),
        cmocka_unit_test(test_a_message_may_post_the_next),
        cmocka_unit_test(test_a_kept_loop_waits_for_a_message_of_another_thread),
    };
    return cmocka_run_group_tests_name("net/post", tests, NULL, NULL);
}
