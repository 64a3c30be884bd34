#include "base_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "px/log.h"

#define MAX_OUTPUT (8 << 20)

/// A pipe and a thread that reads all of it.
struct reader {
    int fds[2];
    pthread_t thread;
    char *text;
    size_t len;
};

static void *read_all(void *user)
{
    struct reader *reader = user;
    ssize_t part;
    while ((part = read(reader->fds[0], reader->text + reader->len, MAX_OUTPUT - reader->len)) >
           0) {
        reader->len += (size_t)part;
    }
    return NULL;
}

static void open_reader(struct reader *reader)
{
    *reader = (struct reader){ .text = calloc(1, MAX_OUTPUT + 1) };
    assert_int_equal(pipe(reader->fds), 0);
}

static void start_reading(struct reader *reader)
{
    pthread_create(&reader->thread, NULL, read_all, reader);
}

static void finish_reading(struct reader *reader)
{
    close(reader->fds[1]);
    pthread_join(reader->thread, NULL);
    close(reader->fds[0]);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; (text = strchr(text, '\n')); text++) {
        lines++;
    }
    return lines;
}

/// Logs `text` alone and gives back the line without its end and without the time.
static void log_one(enum px_log_format format, const char *text, char *out, size_t size)
{
    struct reader reader;
    open_reader(&reader);
    start_reading(&reader);
    struct px_error err = { 0 };
    px_log_set(PX_LOG_INFO, format);
    assert_int_equal(px_log_start(reader.fds[1], &err), PX_OK);
    px_log(PX_LOG_DEBUG, "test", "not written at this level");
    px_log(PX_LOG_INFO, "test", "%s", text);
    px_log_stop();
    finish_reading(&reader);
    assert_int_equal(count_lines(reader.text), 1);
    reader.text[reader.len - 1] = 0;
    const char *from = format == PX_LOG_JSON ? strchr(reader.text, ',') : strchr(reader.text, ' ');
    assert_non_null(from);
    snprintf(out, size, "%s", from + 1);
    free(reader.text);
}

static void test_text_lines_are_readable_and_safe(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
    } cases[] = {
        { "plain \"quoted\" \\", "info test: plain \"quoted\" \\" },
        { "two\nlines", "info test: two\\nlines" },
        { "\033[31mred\r\177", "info test: \\x1b[31mred\\x0d\\x7f" },
        { "caf\303\251", "info test: caf\303\251" },
        { "bad \377 \303 \355\240\200", "info test: bad ? ? ???" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char line[300];
        log_one(PX_LOG_TEXT, cases[i].text, line, sizeof(line));
        assert_string_equal(line, cases[i].line);
    }
}

static void test_json_lines_are_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        { "plain", "plain" },
        { "\"quoted\" \\", "\\\"quoted\\\" \\\\" },
        { "two\nlines\t\001", "two\\nlines\\u0009\\u0001" },
        { "bad \360\237\230", "bad ???" },
        { "good \360\237\230\200", "good \360\237\230\200" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char line[300], want[300];
        log_one(PX_LOG_JSON, cases[i].text, line, sizeof(line));
        snprintf(want, sizeof(want), "\"level\":\"info\",\"area\":\"test\",\"text\":\"%s\"}",
                 cases[i].value);
        assert_string_equal(line, want);
    }
}

static void test_the_time_stands_in_front(void **state)
{
    (void)state;
    struct reader reader;
    open_reader(&reader);
    start_reading(&reader);
    struct px_error err = { 0 };
    px_log_set(PX_LOG_INFO, PX_LOG_TEXT);
    assert_int_equal(px_log_start(reader.fds[1], &err), PX_OK);
    px_log(PX_LOG_ERROR, "test", "x");
    px_log_stop();
    finish_reading(&reader);
    int year, month, day, hour, minute, second, ms;
    char zone;
    assert_int_equal(sscanf(reader.text, "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c error", &year, &month, &day,
                            &hour, &minute, &second, &ms, &zone),
                     8);
    assert_int_equal(zone, 'Z');
    assert_true(year >= 2024);
    free(reader.text);
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    char text[5000], line[5000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    log_one(PX_LOG_TEXT, text, line, sizeof(line));
    assert_int_equal(strlen(line), strlen("info test: ") + 2000);
    memset(text, 1, sizeof(text) - 1);  // The longest that escaping can make of it.
    char longest[13000];
    log_one(PX_LOG_JSON, text, longest, sizeof(longest));
    assert_true(strlen(longest) > 2000 * 6);
}

static void test_lines_beyond_the_queue_are_counted(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    struct reader reader;
    open_reader(&reader);
    struct px_error err = { 0 };
    px_log_set(PX_LOG_INFO, PX_LOG_TEXT);
    assert_int_equal(px_log_start(reader.fds[1], &err), PX_OK);
    for (int i = 0; i < LINES; i++) {
        px_log(PX_LOG_INFO, "test", "line %d of many, and nobody reads", i);
    }
    start_reading(&reader);
    px_log_stop();
    finish_reading(&reader);

    size_t lost = 0, got = 0;
    char *rest = reader.text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        unsigned long some;
        char *told = strstr(line, "warn log: ");
        if (told && sscanf(told, "warn log: %lu lines were lost", &some) == 1) {
            lost += some;
        } else {
            got++;
        }
    }
    assert_true(lost > LINES / 2);
    assert_true(got >= 4096);
    assert_int_equal(got + lost, LINES);
    free(reader.text);
}

static void test_a_descriptor_that_does_not_block_gets_every_line(void **state)
{
    (void)state;
    enum { LINES = 4000 };
    struct reader reader;
    open_reader(&reader);
    fcntl(reader.fds[1], F_SETFL, O_NONBLOCK);
    struct px_error err = { 0 };
    px_log_set(PX_LOG_INFO, PX_LOG_TEXT);
    assert_int_equal(px_log_start(reader.fds[1], &err), PX_OK);
    for (int i = 0; i < LINES; i++) {
        px_log(PX_LOG_INFO, "test", "line %d fills the pipe long before it is read", i);
    }
    start_reading(&reader);
    px_log_stop();
    finish_reading(&reader);
    assert_int_equal(count_lines(reader.text), LINES);
    free(reader.text);
}

#define WRITERS 4

static void *write_lines(void *user)
{
    for (int i = 0; i < 500; i++) {
        px_log(PX_LOG_INFO, "test", "writer %d line %d", *(int *)user, i);
    }
    return NULL;
}

static void test_lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    struct reader reader;
    open_reader(&reader);
    start_reading(&reader);
    struct px_error err = { 0 };
    px_log_set(PX_LOG_INFO, PX_LOG_TEXT);
    assert_int_equal(px_log_start(reader.fds[1], &err), PX_OK);
    pthread_t threads[WRITERS];
    int names[WRITERS], next[WRITERS] = { 0 };
    for (int i = 0; i < WRITERS; i++) {
        names[i] = i;
        pthread_create(&threads[i], NULL, write_lines, &names[i]);
    }
    px_log_set(PX_LOG_INFO, PX_LOG_TEXT);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    px_log_stop();
    finish_reading(&reader);
    char *rest = reader.text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        int writer, number;
        assert_int_equal(
            sscanf(strchr(line, ' '), " info test: writer %d line %d", &writer, &number), 2);
        assert_int_equal(number, next[writer]++);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(next[i], 500);
    }
    free(reader.text);
}

static void test_without_a_thread_lines_go_to_stderr_at_once(void **state)
{
    (void)state;
    struct reader reader;
    open_reader(&reader);
    int saved = dup(STDERR_FILENO);
    dup2(reader.fds[1], STDERR_FILENO);
    px_log(PX_LOG_WARN, "test", "early");
    dup2(saved, STDERR_FILENO);
    close(saved);
    start_reading(&reader);
    finish_reading(&reader);
    assert_non_null(strstr(reader.text, "warn test: early\n"));
    free(reader.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_lines_are_readable_and_safe),
        cmocka_unit_test(test_json_lines_are_json),
        cmocka_unit_test(test_the_time_stands_in_front),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_lines_beyond_the_queue_are_counted),
        cmocka_unit_test(test_a_descriptor_that_does_not_block_gets_every_line),
        cmocka_unit_test(test_lines_of_threads_do_not_mix),
        cmocka_unit_test(test_without_a_thread_lines_go_to_stderr_at_once),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
