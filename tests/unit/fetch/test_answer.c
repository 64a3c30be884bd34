// What comes back over plain HTTP: every kind of answer, whole and damaged.

#include "fake.h"

/// What the server sends after a request before it closes.
struct script {
    const char *name, *text;
    bool reset;  ///< Close with a reset.
};

static void serve_script(struct peer *peer)
{
    const struct script *script = peer->fake->user;
    if (!fake_read(peer)) {
        return;
    }
    fake_say(peer, script->text);
    if (script->reset) {
        // The bytes must arrive before the reset overtakes them.
        usleep(50000);
        fake_reset(peer);
    }
}

static void serve_bytewise(struct peer *peer)
{
    const struct script *script = peer->fake->user;
    if (fake_read(peer)) {
        for (const char *c = script->text; *c && fake_send(peer, c, 1); c++) {
        }
    }
}

struct expect {
    struct script script;
    const char *method;
    enum px_fetch_failure failure;
    int heads, status;
    int64_t length;
    const char *headers, *data, *text;
};

static void check_answer(const struct expect *expect, void (*serve)(struct peer *))
{
    struct fake fake = { .user = (void *)&expect->script };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128], origin[64];
    fake_start(&fake, serve);
    client_open(&client, 8);
    struct px_fetch_request request = { .url = str_of(url_of(&fake, url)) };
    if (expect->method) {
        request.method = str_of(expect->method);
    }
    ask(&client, &request, &heard);
    if (heard.failure != expect->failure || heard.heads != expect->heads ||
        heard.status != expect->status) {
        fail_msg("%s: failure %d (%s), %d heads, status %d", expect->script.name, heard.failure,
                 heard.text, heard.heads, heard.status);
    }
    if (expect->heads) {
        assert_int_equal(heard.content_length, expect->length);
        assert_string_equal(heard.headers, expect->headers);
    }
    assert_string_equal(heard.data ? heard.data : "", expect->data);
    if (expect->text) {
        sprintf(origin, "127.0.0.1:%d", fake.port);
        assert_non_null(strstr(heard.text, expect->text));
        assert_non_null(strstr(heard.text, origin));
    }
    assert_null(strstr(heard.text, "hidden"));
    assert_int_equal(heard.failure == PX_FETCH_NONE, heard.text[0] == '\0');
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct expect whole[] = {
    { .script = { "length", OK "Content-Length: 2\r\n\r\nhi" },
      .heads = 1,
      .status = 200,
      .length = 2,
      .headers = "Content-Length=2;",
      .data = "hi" },
    { .script = { "until close", OK "\r\nall there is" },
      .heads = 1,
      .status = 200,
      .length = -1,
      .headers = "",
      .data = "all there is" },
    { .script = { "HTTP/1.0", "HTTP/1.0 200 OK\r\nA: b\r\n\r\nold" },
      .heads = 1,
      .status = 200,
      .length = -1,
      .headers = "A=b;",
      .data = "old" },
    { .script = { "chunked",
                  OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n" },
      .heads = 1,
      .status = 200,
      .length = -1,
      .headers = "Transfer-Encoding=chunked;",
      .data = "hi yo" },
    { .script = { "trailers",
                  OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n" },
      .heads = 1,
      .status = 200,
      .length = -1,
      .headers = "Transfer-Encoding=chunked;",
      .data = "hi" },
    { .script = { "interim",
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK
                  "Content-Length: 1\r\n\r\n!" },
      .heads = 1,
      .status = 200,
      .length = 1,
      .headers = "Content-Length=1;",
      .data = "!" },
    { .script = { "HEAD", OK "Content-Length: 1000\r\n\r\n" },
      .method = "HEAD",
      .heads = 1,
      .status = 200,
      .length = 1000,
      .headers = "Content-Length=1000;",
      .data = "" },
    { .script = { "204", "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n" },
      .heads = 1,
      .status = 204,
      .length = -1,
      .headers = "A=b;",
      .data = "" },
    { .script = { "304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n" },
      .heads = 1,
      .status = 304,
      .length = 7,
      .headers = "Content-Length=7;",
      .data = "" },
    { .script = { "a redirect is not followed",
                  "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" },
      .heads = 1,
      .status = 302,
      .length = 0,
      .headers = "Location=/x;Content-Length=0;",
      .data = "" },
    { .script = { "an error is an answer",
                  "HTTP/1.1 529 Overloaded\r\nContent-Length: 4\r\n\r\nbusy" },
      .heads = 1,
      .status = 529,
      .length = 4,
      .headers = "Content-Length=4;",
      .data = "busy" },
    { .script = { "same names stay apart", OK "A: 1\r\nB: 2\r\nA: 3\r\nContent-Length: 0\r\n\r\n" },
      .heads = 1,
      .status = 200,
      .length = 0,
      .headers = "A=1;B=2;A=3;Content-Length=0;",
      .data = "" },
    { .script = { "no reason phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n" },
      .heads = 1,
      .status = 200,
      .length = 0,
      .headers = "Content-Length=0;",
      .data = "" },
    { .script = { "empty body until close", OK "\r\n" },
      .heads = 1,
      .status = 200,
      .length = -1,
      .headers = "",
      .data = "" },
    { .script = { "a coding is not undone",
                  OK "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nraw" },
      .heads = 1,
      .status = 200,
      .length = 3,
      .headers = "Content-Encoding=gzip;Content-Length=3;",
      .data = "raw" },
};

static void test_whole_answers_are_handed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        check_answer(&whole[i], serve_script);
    }
}

static void test_answers_do_not_depend_on_how_bytes_are_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        check_answer(&whole[i], serve_bytewise);
    }
}

static void test_a_cut_answer_is_never_a_whole_one(void **state)
{
    (void)state;
    static const struct expect cases[] = {
        { .script = { "nothing", "" },
          .failure = PX_FETCH_CUT,
          .data = "",
          .text = "before its answer" },
        { .script = { "half a status line", "HTTP/1.1 2" }, .failure = PX_FETCH_CUT, .data = "" },
        { .script = { "half a head", OK "Content-Le" }, .failure = PX_FETCH_CUT, .data = "" },
        { .script = { "only an interim head", "HTTP/1.1 100 Continue\r\n\r\n" },
          .failure = PX_FETCH_CUT,
          .data = "" },
        { .script = { "half a body", OK "Content-Length: 10\r\n\r\nhalf" },
          .failure = PX_FETCH_CUT,
          .heads = 1,
          .status = 200,
          .length = 10,
          .headers = "Content-Length=10;",
          .data = "half",
          .text = "before the end" },
        { .script = { "no last chunk", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n" },
          .failure = PX_FETCH_CUT,
          .heads = 1,
          .status = 200,
          .length = -1,
          .headers = "Transfer-Encoding=chunked;",
          .data = "hi",
          .text = "before the end" },
        { .script = { "half a chunk", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhi" },
          .failure = PX_FETCH_CUT,
          .heads = 1,
          .status = 200,
          .length = -1,
          .headers = "Transfer-Encoding=chunked;",
          .data = "hi" },
        { .script = { "reset", OK "\r\nhalf", .reset = true },
          .failure = PX_FETCH_CUT,
          .heads = 1,
          .status = 200,
          .length = -1,
          .headers = "",
          .data = "half",
          .text = "broke" },
        { .script = { "reset at once", "", .reset = true }, .failure = PX_FETCH_CUT, .data = "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_answer(&cases[i], serve_script);
    }
}

static void test_what_is_not_http_is_said_to_be_so(void **state)
{
    (void)state;
    static const struct expect cases[] = {
        { .script = { "HTTP/0.9", "<html>hello</html>" },
          .failure = PX_FETCH_PROTOCOL,
          .data = "",
          .text = "not HTTP" },
        { .script = { "ssh", "SSH-2.0-OpenSSH_9.2\r\n" },
          .failure = PX_FETCH_PROTOCOL,
          .data = "" },
        { .script = { "no status", "HTTP/1.1 okay\r\n\r\n" },
          .failure = PX_FETCH_PROTOCOL,
          .data = "" },
        { .script = { "short status", "HTTP/1.1 20\r\n\r\n" },
          .failure = PX_FETCH_PROTOCOL,
          .data = "" },
        { .script = { "unasked switch", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" },
          .failure = PX_FETCH_PROTOCOL,
          .data = "" },
        { .script = { "bad chunk", OK "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n" },
          .failure = PX_FETCH_PROTOCOL,
          .heads = 1,
          .status = 200,
          .length = -1,
          .headers = "Transfer-Encoding=chunked;",
          .data = "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_answer(&cases[i], serve_script);
    }
}

static void check_large_head(size_t lines, size_t line_len, enum px_fetch_failure failure)
{
    char *text = malloc(lines * (line_len + 8) + 100);
    size_t at = (size_t)sprintf(text, OK);
    for (size_t i = 0; i < lines; i++) {
        at += (size_t)sprintf(text + at, "X: ");
        memset(text + at, 'a', line_len - 5);
        at += line_len - 5;
        at += (size_t)sprintf(text + at, "\r\n");
    }
    sprintf(text + at, "Content-Length: 0\r\n\r\n");
    struct script script = { .name = "large", .text = text };
    struct fake fake = { .user = &script };
    struct client client = { 0 };
    struct heard heard = { 0 };
    char url[128];
    fake_start(&fake, serve_script);
    client_open(&client, 8);
    ask(&client, &(struct px_fetch_request){ .url = str_of(url_of(&fake, url)) }, &heard);
    if (heard.failure != failure) {
        fail_msg("%zu lines of %zu: %d %s", lines, line_len, heard.failure, heard.text);
    }
    assert_int_equal(heard.heads, failure == PX_FETCH_NONE);
    heard_free(&heard);
    client_close(&client);
    fake_stop(&fake);
    free(text);
}

static void test_a_head_over_64_kib_is_refused(void **state)
{
    (void)state;
    check_large_head(63, 1024, PX_FETCH_NONE);
    check_large_head(64, 1024, PX_FETCH_PROTOCOL);
    check_large_head(1, 60000, PX_FETCH_NONE);
    check_large_head(1, 66000, PX_FETCH_PROTOCOL);
    check_large_head(1, 400000, PX_FETCH_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answers_are_handed_over),
        cmocka_unit_test(test_answers_do_not_depend_on_how_bytes_are_split),
        cmocka_unit_test(test_a_cut_answer_is_never_a_whole_one),
        cmocka_unit_test(test_what_is_not_http_is_said_to_be_so),
        cmocka_unit_test(test_a_head_over_64_kib_is_refused),
    };
    return cmocka_run_group_tests_name("answer", tests, fetch_setup, fetch_teardown);
}
