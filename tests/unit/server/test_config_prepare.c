#include "server/config_help.h"

#include <signal.h>
#include <sys/wait.h>

static const char *const with_key =
    "{\"data_dir\":\"a/b\",\"clients\":[{\"name\":\"me\",\"key\":\"file:a/b/keys/me\"}]}";

static unsigned mode_of(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 0777;
}

static void test_loading_makes_nothing(void **state)
{
    (void)state;
    struct px_config *config = load_sound(with_key);
    assert_null(config->clients[0].key);
    px_config_free(config);
    assert_int_not_equal(access("a", F_OK), 0);
}

static void test_prepare_makes_folder_and_key_for_the_owner_alone(void **state)
{
    (void)state;
    struct px_config *config = load_sound(with_key);
    struct px_error err = { 0 };
    size_t made = 9;
    mode_t before = umask(0);
    assert_int_equal(px_config_prepare(config, &made, &err), PX_OK);
    umask(before);
    assert_int_equal(made, 1);
    assert_int_equal(mode_of("a/b"), 0700);
    assert_int_equal(mode_of("a/b/keys/me"), 0600);
    assert_memory_equal(config->clients[0].key, "px-", 3);
    assert_int_equal(strlen(config->clients[0].key), 46);
    struct px_config *again = load_sound(with_key);
    assert_string_equal(again->clients[0].key, config->clients[0].key);
    assert_int_equal(px_config_prepare(again, &made, &err), PX_OK);
    assert_int_equal(made, 0);
    px_config_free(again);
    px_config_free(config);
}

static void test_two_keys_made_are_not_the_same(void **state)
{
    (void)state;
    struct px_config *config =
        load_sound("{\"data_dir\":\"d\",\"clients\":[{\"name\":\"a\",\"key\":\"file:d/a\"},"
                   "{\"name\":\"b\",\"key\":\"file:d/b\"}]}");
    size_t made = 0;
    assert_int_equal(px_config_prepare(config, &made, NULL), PX_OK);
    assert_int_equal(made, 2);
    assert_string_not_equal(config->clients[0].key, config->clients[1].key);
    px_config_free(config);
}

static void test_two_clients_cannot_share_a_key_file(void **state)
{
    (void)state;
    struct px_config *config =
        load_sound("{\"data_dir\":\"d\",\"clients\":[{\"name\":\"a\",\"key\":\"file:d/a\"},"
                   "{\"name\":\"b\",\"key\":\"file:d/a\"}]}");
    struct px_error err = { 0 };
    assert_int_equal(px_config_prepare(config, NULL, &err), PX_EINVAL);
    assert_memory_equal(err.text, "clients \"a\" and \"b\" name the same key file ", 43);
    px_config_free(config);
}

static void test_a_file_in_the_way_is_named(void **state)
{
    const struct place *place = *state;
    struct px_error err = { 0 };
    char expected[200];
    write_file("d", "");
    struct px_config *config = load_sound("{\"data_dir\":\"d\"}");
    assert_int_equal(px_config_prepare(config, NULL, &err), PX_EIO);
    snprintf(expected, sizeof(expected), "%s/d: is not a folder", place->folder);
    assert_string_equal(err.text, expected);
    px_config_free(config);
}

static void test_sockets_of_systemd_are_taken_in_order(void **state)
{
    (void)state;
    struct px_config *config = load_sound(
        "{\"data_dir\":\"d\",\"listen\":[{\"fd\":\"systemd\"},{},{\"fd\":\"systemd\"}]}");
    struct px_error err = { 0 };
    char pid[32];
    unsetenv("LISTEN_PID");
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(px_config_prepare(config, NULL, &err), PX_EINVAL);
    assert_string_equal(err.text, "listen[0]: systemd handed over 0 sockets; add one to the socket "
                                  "unit, or remove \"fd\"");
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    assert_int_equal(px_config_prepare(config, NULL, &err), PX_OK);
    assert_int_equal(config->listeners[0].fd, 3);
    assert_int_equal(config->listeners[1].fd, -1);
    assert_int_equal(config->listeners[2].fd, 4);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(px_config_prepare(config, NULL, &err), PX_EINVAL);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    px_config_free(config);
}

// The other process tells through a pipe that it holds the lock.
static pid_t lock_elsewhere(void)
{
    int ready[2], fd = -1;
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        byte = px_config_lock(".", &fd, NULL) == PX_OK;
        byte = write(ready[1], &byte, 1) == 1 && byte;
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void test_a_second_process_is_told_who_holds_the_folder(void **state)
{
    (void)state;
    struct px_error err = { 0 };
    char expected[200];
    int fd = -1;
    pid_t child = lock_elsewhere();
    assert_int_equal(px_config_lock(".", &fd, &err), PX_EIO);
    assert_int_equal(fd, -1);
    snprintf(expected, sizeof(expected),
             ". is in use by process %ld; stop it, or give this one its own data_dir", (long)child);
    assert_string_equal(err.text, expected);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(px_config_lock(".", &fd, &err), PX_OK);
    assert_int_equal(mode_of("lock"), 0600);
    close(fd);
    assert_int_equal(px_config_lock("nowhere", &fd, &err), PX_EIO);
    assert_string_equal(err.text, "nowhere/lock: cannot be opened: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_loading_makes_nothing),
        TEST(test_prepare_makes_folder_and_key_for_the_owner_alone),
        TEST(test_two_keys_made_are_not_the_same),
        TEST(test_two_clients_cannot_share_a_key_file),
        TEST(test_a_file_in_the_way_is_named),
        TEST(test_sockets_of_systemd_are_taken_in_order),
        TEST(test_a_second_process_is_told_who_holds_the_folder),
    };
    return cmocka_run_group_tests_name("config_prepare", tests, NULL, NULL);
}
