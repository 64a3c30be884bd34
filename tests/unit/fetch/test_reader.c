// One answer read from bytes, split in every way.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

/// What came out, as text: "status length fields | data | end".
struct trace {
    char text[400];
    enum px_reader_step last;
};

static void note_head(struct trace *trace, const struct px_fetch_head *head)
{
    char *at = trace->text;
    at += sprintf(at, "%d %d ", head->status, (int)head->content_length);
    for (size_t i = 0; i < head->header_count; i++) {
        at += sprintf(at, "%.*s=%.*s;", (int)head->headers[i].name.len, head->headers[i].name.ptr,
                      (int)head->headers[i].value.len, head->headers[i].value.ptr);
    }
    strcpy(at, "|");
}

/// Feeds one piece. @return The bytes that do not belong to the answer.
static size_t feed(struct px_reader *reader, struct trace *trace, char *piece, size_t len)
{
    struct px_str bytes = { piece, len };
    for (;;) {
        struct px_reader_found found;
        trace->last = px_reader_next(reader, &bytes, &found);
        if (trace->last == PX_READER_HEAD) {
            note_head(trace, &found.head);
        } else if (trace->last == PX_READER_DATA) {
            strncat(trace->text, found.data.ptr, found.data.len);
        } else {
            return bytes.len;
        }
    }
}

static void read_all(const char *text, bool head_only, size_t step, struct trace *trace)
{
    struct px_reader reader;
    px_reader_init(&reader, head_only);
    size_t len = strlen(text), spare = 0;
    *trace = (struct trace){ .last = PX_READER_MORE };
    for (size_t at = 0; at < len && trace->last == PX_READER_MORE; at += step) {
        size_t piece = len - at < step ? len - at : step;
        char *copy = malloc(piece);
        memcpy(copy, text + at, piece);
        spare = feed(&reader, trace, copy, piece);
        spare += trace->last == PX_READER_DONE ? len - at - piece : 0;
        free(copy);
    }
    bool ends = px_reader_ends_here(&reader);
    const char *end = trace->last == PX_READER_BAD ? "bad" : ends ? "whole" : "cut";
    sprintf(trace->text + strlen(trace->text), "|%s", end);
    if (trace->last == PX_READER_DONE) {
        strcat(trace->text, reader.keep ? " keep" : " close");
        sprintf(trace->text + strlen(trace->text), "%s", spare ? " spare" : "");
    }
    px_reader_deinit(&reader);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct {
    const char *text, *trace;
    bool head_only;
} cases[] = {
    { OK "Content-Length: 2\r\n\r\nhi", "200 2 Content-Length=2;|hi|whole keep", false },
    { OK "Content-Length: 2\r\n\r\nhix", "200 2 Content-Length=2;|hi|whole keep spare", false },
    { OK "content-length:0\r\n\r\n", "200 0 content-length=0;||whole keep", false },
    { OK "Content-Length: 2\r\n\r\nh", "200 2 Content-Length=2;|h|cut", false },
    { OK "A: b\r\n\r\nhi", "200 -1 A=b;|hi|whole", false },
    { "HTTP/1.1 200 OK\nA:b\n\nhi", "200 -1 A=b;|hi|whole", false },
    { OK "A: b\r\n\tc\r\nContent-Length: 0\r\n\r\n", "200 0 A=b  \tc;Content-Length=0;||whole keep",
      false },
    { OK CHUNKED "\r\n2\r\nhi\r\n0\r\n\r\n", "200 -1 Transfer-Encoding=chunked;|hi|whole keep",
      false },
    { OK CHUNKED "\r\n2\nhi\n0\n\n", "200 -1 Transfer-Encoding=chunked;||bad", false },
    { OK CHUNKED "\r\n2\r\nhi\r\n", "200 -1 Transfer-Encoding=chunked;|hi|cut", false },
    { OK CHUNKED "Content-Length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n",
      "200 -1 Transfer-Encoding=chunked;Content-Length=9;|a|whole close", false },
    { OK "Content-Length: x\r\n" CHUNKED "\r\n0\r\n\r\n",
      "200 -1 Content-Length=x;Transfer-Encoding=chunked;||whole close", false },
    { OK "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na",
      "200 1 Transfer-Encoding=identity;Content-Length=1;|a|whole keep", false },
    { OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "|bad", false },
    { OK CHUNKED CHUNKED "\r\n", "|bad", false },
    { OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
      "200 1 Content-Length=1;Content-Length=1;|a|whole keep", false },
    { OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", "|bad", false },
    { OK "Content-Length: 1, 1\r\n\r\na", "|bad", false },
    { OK "Content-Length: -1\r\n\r\n", "|bad", false },
    { OK "Content-Length: 9999999999999999999\r\n\r\n", "|bad", false },
    { OK "Content-Length:\r\n\r\n", "|bad", false },
    { OK "Connection: x, Close\r\nContent-Length: 0\r\n\r\n",
      "200 0 Connection=x, Close;Content-Length=0;||whole close", false },
    { "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200 0 Content-Length=0;||whole close",
      false },
    { "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
      "200 0 Connection=Keep-Alive;Content-Length=0;||whole keep", false },
    { OK "Content-Length: 9\r\n\r\n", "200 9 Content-Length=9;||whole keep", true },
    { "HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n", "204 9 Content-Length=9;||whole keep",
      false },
    { "HTTP/1.1 304 Same\r\n" CHUNKED "\r\n", "304 -1 Transfer-Encoding=chunked;||whole keep",
      false },
    { "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hm\r\nL: x\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
      "200 0 Content-Length=0;||whole keep", false },
    { "HTTP/1.1 100 Go\r\n\r\n", "|cut", false },
    { "HTTP/1.1 101 Switch\r\n\r\n", "|bad", false },
    { "HTTP/1.1 2", "|cut", false },
    { "HTTP/2 200 OK\r\n\r\n", "|bad", false },
    { "HTTP/1.2 200 OK\r\n\r\n", "|bad", false },
    { "HTTP/1.1 20\r\n\r\n", "|bad", false },
    { "\r\n" OK "\r\n", "|bad", false },
    { "<html>", "|bad", false },
};

static void test_answers_do_not_depend_on_how_bytes_are_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].text); step++) {
            struct trace trace;
            read_all(cases[i].text, cases[i].head_only, step, &trace);
            if (strcmp(trace.text, cases[i].trace) != 0) {
                fail_msg("%s\nin steps of %zu: %s", cases[i].text, step, trace.text);
            }
        }
    }
}

/// Reads an answer whose head has `fields` lines of `len` bytes, behind `interims` interim heads.
static enum px_reader_step read_large(size_t interims, size_t fields, size_t len, size_t step)
{
    char *text = malloc(interims * 25 + fields * len + 100), *at = text;
    for (size_t i = 0; i < interims; i++) {
        at += sprintf(at, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    at += sprintf(at, OK);
    for (size_t i = 0; i < fields; i++) {
        at += sprintf(at, "a: %0*d\r\n", (int)len - 5, 0);
    }
    at += sprintf(at, "\r\n");
    struct px_reader reader;
    enum px_reader_step last = PX_READER_MORE;
    px_reader_init(&reader, true);
    for (char *piece = text; piece < at && last == PX_READER_MORE; piece += step) {
        struct px_str bytes = { piece, (size_t)(at - piece) < step ? (size_t)(at - piece) : step };
        struct px_reader_found found;
        last = px_reader_next(&reader, &bytes, &found);
        assert_true(reader.head.cap <= PX_ANSWER_HEAD_MAX);
    }
    px_reader_deinit(&reader);
    free(text);
    return last;
}

static void test_a_head_over_its_limits_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t interims, fields, len;
        enum px_reader_step last;
    } sizes[] = {
        { 0, 256, 10, PX_READER_HEAD },   { 0, 257, 10, PX_READER_BAD },
        { 0, 63, 1024, PX_READER_HEAD },  { 0, 64, 1024, PX_READER_BAD },
        { 0, 1, 65510, PX_READER_HEAD },  { 0, 1, 65536, PX_READER_BAD },
        { 2600, 1, 100, PX_READER_HEAD }, { 2600, 1, 1000, PX_READER_BAD },
        { 3000, 1, 100, PX_READER_BAD },
    };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        for (size_t step = 100; step < 200000; step *= 3) {
            enum px_reader_step last =
                read_large(sizes[i].interims, sizes[i].fields, sizes[i].len, step);
            if (last != sizes[i].last) {
                fail_msg("case %zu in steps of %zu: %d", i, step, last);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_do_not_depend_on_how_bytes_are_split),
        cmocka_unit_test(test_a_head_over_its_limits_is_refused),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
