#include "net_test.h"

#include "px/clock.h"

struct trace {
    struct px_loop *loop;
    char text[256];
};

static void note(struct trace *trace, const char *word)
{
    strncat(trace->text, word, sizeof(trace->text) - strlen(trace->text) - 1);
}

struct step {
    struct px_defer defer;
    struct px_timer timer;
    struct trace *trace;
    const char *word;
    struct step *then;
};

static void on_step(void *user)
{
    struct step *step = user;
    note(step->trace, step->word);
    if (step->then) {
        px_loop_defer(step->trace->loop, &step->then->defer);
    }
}

static struct step make_step(struct trace *trace, const char *word)
{
    return (struct step){ .trace = trace, .word = word };
}

static void queue_step(struct step *step)
{
    step->defer = (struct px_defer){ .fn = on_step, .user = step };
    px_loop_defer(step->trace->loop, &step->defer);
}

static void test_deferred_work_keeps_its_order_and_new_work_waits_a_round(void **state)
{
    (void)state;
    struct trace trace = { px_loop_new(), "" };
    struct step c = make_step(&trace, "c"), a = make_step(&trace, "a"), b = make_step(&trace, "b");
    c.defer = (struct px_defer){ .fn = on_step, .user = &c };
    a.then = &c;
    queue_step(&a);
    queue_step(&b);
    px_loop_defer(trace.loop, &a.defer);  // Queued already.
    run_loop(trace.loop);
    assert_string_equal(trace.text, "abc");
    px_loop_free(trace.loop);
}

static void test_work_can_be_taken_back_from_every_place(void **state)
{
    (void)state;
    static const char *const left[] = { "bcd", "acd", "abd" };
    for (int gone = 0; gone < 3; gone++) {
        struct trace trace = { px_loop_new(), "" };
        struct step steps[3] = { make_step(&trace, "a"), make_step(&trace, "b"),
                                 make_step(&trace, "c") };
        for (int i = 0; i < 3; i++) {
            queue_step(&steps[i]);
        }
        px_loop_undefer(trace.loop, &steps[gone].defer);
        px_loop_undefer(trace.loop, &steps[gone].defer);
        queue_step(&(struct step){ .trace = &trace, .word = "" });
        struct step last = make_step(&trace, "d");
        queue_step(&last);
        run_loop(trace.loop);
        assert_string_equal(trace.text, left[gone]);
        px_loop_free(trace.loop);
    }
}

static void defer_again(void *user)
{
    struct step *step = user;
    note(step->trace, step->word);
    if (strlen(step->trace->text) < 5) {
        px_loop_defer(step->trace->loop, &step->defer);
    }
}

static void test_work_that_queues_itself_runs_once_a_round(void **state)
{
    (void)state;
    struct trace trace = { px_loop_new(), "" };
    struct step step = make_step(&trace, "x");
    step.defer = (struct px_defer){ .fn = defer_again, .user = &step };
    px_loop_defer(trace.loop, &step.defer);
    uint64_t before = px_loop_beats(trace.loop);
    run_loop(trace.loop);
    assert_string_equal(trace.text, "xxxxx");
    assert_true(px_loop_beats(trace.loop) - before >= 5);
    px_loop_free(trace.loop);
}

static void start(struct step *step, uint64_t ms)
{
    if (!step->timer.slot) {
        step->timer = (struct px_timer){ .fn = on_step, .user = step };
    }
    assert_int_equal(px_timer_start(step->trace->loop, &step->timer, ms), PX_OK);
}

static void test_timers_fire_in_order_and_moved_ones_where_they_were_moved(void **state)
{
    (void)state;
    struct trace trace = { px_loop_new(), "" };
    struct step a = make_step(&trace, "a"), b = make_step(&trace, "b"), c = make_step(&trace, "c"),
                d = make_step(&trace, "d");
    start(&c, 30);
    start(&a, 1);
    start(&b, 10);
    start(&d, 5000);
    start(&a, 20);
    px_timer_stop(trace.loop, &d.timer);
    px_timer_stop(trace.loop, &d.timer);
    uint64_t before = px_clock_ms();
    run_loop(trace.loop);
    assert_string_equal(trace.text, "bac");
    assert_true(px_clock_ms() - before >= 29);
    px_loop_free(trace.loop);
}

static void test_timers_of_one_time_fire_in_the_order_they_were_armed(void **state)
{
    (void)state;
    struct trace trace = { px_loop_new(), "" };
    struct step steps[26];
    char words[26][2];
    for (int i = 0; i < 26; i++) {
        words[i][0] = (char)('a' + i);
        words[i][1] = 0;
        steps[i] = make_step(&trace, words[i]);
        steps[i].timer = (struct px_timer){ .fn = on_step, .user = &steps[i] };
    }
    for (int i = 0; i < 26; i++) {
        assert_int_equal(px_timer_start(trace.loop, &steps[i].timer, 0), PX_OK);
    }
    run_loop(trace.loop);
    assert_string_equal(trace.text, "abcdefghijklmnopqrstuvwxyz");
    px_loop_free(trace.loop);
}

static void test_a_thousand_timers_come_back_sorted(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct px_loop *loop = px_loop_new();
    struct trace trace = { loop, "" };
    struct step *steps = calloc(COUNT, sizeof(*steps));
    unsigned seed = 7;
    for (int i = 0; i < COUNT; i++) {
        steps[i] = make_step(&trace, "");
        start(&steps[i], (seed = seed * 1103515245 + 12345) % 50);
    }
    for (int i = 0; i < COUNT; i += 3) {
        px_timer_stop(loop, &steps[i].timer);
        assert_int_equal(steps[i].timer.slot, 0);
    }
    for (int i = 1; i < COUNT; i += 3) {
        start(&steps[i], (seed = seed * 1103515245 + 12345) % 50);
    }
    run_loop(loop);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(steps[i].timer.slot, 0);
        assert_true(i % 3 == 0 || px_clock_ms() >= steps[i].timer.at);
    }
    free(steps);
    px_loop_free(loop);
}

struct stopper {
    struct px_timer timer;
    struct step *victim;
};

static void stop_victim(void *user)
{
    struct stopper *stopper = user;
    px_timer_stop(stopper->victim->trace->loop, &stopper->victim->timer);
}

static void test_a_timer_stopped_by_a_timer_of_the_same_time_does_not_fire(void **state)
{
    (void)state;
    struct trace trace = { px_loop_new(), "" };
    struct step victim = make_step(&trace, "never");
    struct stopper stopper = { { .fn = stop_victim, .user = &stopper }, &victim };
    assert_int_equal(px_timer_start(trace.loop, &stopper.timer, 5), PX_OK);
    start(&victim, 5);
    run_loop(trace.loop);
    assert_string_equal(trace.text, "");
    px_loop_free(trace.loop);
}

static void rearm(void *user)
{
    struct step *step = user;
    note(step->trace, step->word);
    if (strlen(step->trace->text) < 4) {
        assert_int_equal(px_timer_start(step->trace->loop, &step->timer, 0), PX_OK);
    }
}

static void test_a_timer_that_rearms_itself_with_zero_lets_the_loop_turn(void **state)
{
    (void)state;
    struct trace trace = { px_loop_new(), "" };
    struct step step = make_step(&trace, "x");
    step.timer = (struct px_timer){ .fn = rearm, .user = &step };
    assert_int_equal(px_timer_start(trace.loop, &step.timer, 0), PX_OK);
    run_loop(trace.loop);
    assert_string_equal(trace.text, "xxxx");
    assert_true(px_loop_beats(trace.loop) >= 3);
    px_loop_free(trace.loop);
}

static void note_elapsed(void *user)
{
    uint64_t *at = user;
    *at = px_clock_ns() - *at;
}

struct slow_start {
    struct px_loop *loop;
    struct px_timer timer;
    uint64_t at;
};

static void be_slow_then_arm(void *user)
{
    struct slow_start *slow = user;
    for (uint64_t from = px_clock_ms(); px_clock_ms() - from < 30;) {
    }
    slow->at = px_clock_ns();
    assert_int_equal(px_timer_start(slow->loop, &slow->timer, 20), PX_OK);
}

static void test_a_timer_is_not_early_when_its_round_was_long(void **state)
{
    (void)state;
    struct slow_start slow = { .loop = px_loop_new() };
    slow.timer = (struct px_timer){ .fn = note_elapsed, .user = &slow.at };
    struct px_defer work = { .fn = be_slow_then_arm, .user = &slow };
    px_loop_defer(slow.loop, &work);
    run_loop(slow.loop);
    assert_true(slow.at >= 19 * 1000000ull);
    px_loop_free(slow.loop);
}

static void test_a_loop_ends_when_it_is_stopped_or_has_nothing_left(void **state)
{
    (void)state;
    struct px_loop *loop = px_loop_new();
    px_loop_run(loop);  // Nothing hangs on it.
    struct px_timer later = { .fn = stop_loop, .user = loop };
    struct px_timer soon = { .fn = stop_loop, .user = loop };
    assert_int_equal(px_timer_start(loop, &later, 60000), PX_OK);
    assert_int_equal(px_timer_start(loop, &soon, 1), PX_OK);
    px_loop_run(loop);
    assert_int_not_equal(later.slot, 0);
    px_timer_stop(loop, &later);
    px_loop_run(loop);
    px_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deferred_work_keeps_its_order_and_new_work_waits_a_round),
        cmocka_unit_test(test_work_can_be_taken_back_from_every_place),
        cmocka_unit_test(test_work_that_queues_itself_runs_once_a_round),
        cmocka_unit_test(test_timers_fire_in_order_and_moved_ones_where_they_were_moved),
        cmocka_unit_test(test_timers_of_one_time_fire_in_the_order_they_were_armed),
        cmocka_unit_test(test_a_thousand_timers_come_back_sorted),
        cmocka_unit_test(test_a_timer_stopped_by_a_timer_of_the_same_time_does_not_fire),
        cmocka_unit_test(test_a_timer_that_rearms_itself_with_zero_lets_the_loop_turn),
        cmocka_unit_test(test_a_timer_is_not_early_when_its_round_was_long),
        cmocka_unit_test(test_a_loop_ends_when_it_is_stopped_or_has_nothing_left),
    };
    return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
