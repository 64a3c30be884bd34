#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "px/http.h"

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define OLD "GET / HTTP/1.0\r\n" HOST

static struct px_http_header slots[PX_HTTP_HEADERS_MAX];

/// Parses a copy that ends where the head ends, so that reading on is found.
static enum px_status parse_bytes(struct px_str bytes, struct px_http_head *head, char **copy)
{
    struct px_error err;
    *copy = malloc(bytes.len + 1);
    assert_non_null(*copy);
    char *start = *copy + 1;
    memcpy(start, bytes.ptr, bytes.len);
    head->status = -1;
    return px_http_head_parse((struct px_str){ start, bytes.len }, slots, PX_HTTP_HEADERS_MAX, head,
                              &err);
}

static void refuse(struct px_str bytes, int status)
{
    struct px_http_head head;
    char *copy;
    enum px_status st = parse_bytes(bytes, &head, &copy);
    free(copy);
    if (st == PX_OK || head.status != status) {
        print_error("%.*s: %d instead of %d\n", (int)bytes.len, bytes.ptr, head.status, status);
    }
    assert_int_equal(head.status, status);
    assert_int_equal(st, status == 431 ? PX_ETOOBIG : PX_EINVAL);
}

static struct px_http_head accept_head(const char *text)
{
    struct px_http_head head;
    struct px_error err = { 0 };
    struct px_str bytes = { text, strlen(text) };
    enum px_status st = px_http_head_parse(bytes, slots, PX_HTTP_HEADERS_MAX, &head, &err);
    if (st) {
        print_error("%s: %s\n", text, err.text);
    }
    assert_int_equal(st, PX_OK);
    assert_int_equal(head.status, 0);
    return head;
}

static void assert_str(struct px_str str, const char *text)
{
    assert_int_equal(str.len, strlen(text));
    assert_memory_equal(str.ptr, text, str.len);
}

static void test_a_head_is_read_into_spans(void **state)
{
    (void)state;
    struct px_http_head head = accept_head("POST /v1/messages?beta=true HTTP/1.1\r\n"
                                           "Host: localhost:3000\r\n"
                                           "X-Api-Key:secret\r\n"
                                           "content-length: 42\r\n"
                                           "Content-Encoding: zstd\r\n"
                                           "x-empty:\r\n"
                                           "x-blank: \t \r\n"
                                           "x-spaces: \t a, \xc3\xa4  b\t \r\n\r\n");
    assert_str(head.method, "POST");
    assert_str(head.target, "/v1/messages?beta=true");
    assert_str(head.host, "localhost:3000");
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.content_length, 42);
    assert_str(head.content_encoding, "zstd");
    assert_false(head.chunked);
    assert_true(head.keep_alive);
    assert_false(head.expect_continue);
    assert_false(head.upgrade_websocket);
    assert_int_equal(head.count, 7);
    assert_str(head.headers[1].name, "X-Api-Key");
    assert_str(head.headers[1].value, "secret");
    assert_str(head.headers[4].value, "");
    assert_str(head.headers[5].value, "");
    assert_str(head.headers[6].name, "x-spaces");
    assert_str(head.headers[6].value, "a, \xc3\xa4  b");
}

static void test_a_plain_head_has_no_body(void **state)
{
    (void)state;
    struct px_http_head head = accept_head(GET "\r\n");
    assert_int_equal(head.content_length, -1);
    assert_false(head.chunked);
    assert_int_equal(head.content_encoding.len, 0);
}

static void test_what_breaks_the_rules_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct px_str head;
        int status;
    } cases[] = {
        // Request lines.
        { PX_STR(""), 400 },
        { PX_STR("\r\n"), 400 },
        { PX_STR("\r\n\r\n"), 400 },
        { PX_STR("\r\n\r\n" GET "\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1"), 400 },
        { PX_STR("GET / HTTP/1.1\r\n" HOST), 400 },
        { PX_STR(GET "\r\nmore\n"), 400 },
        { PX_STR("GET /\r\n\r\n"), 400 },
        { PX_STR("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET /  HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400 },
        { PX_STR(" GET / HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("G(T / HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET / http/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET / HTTP/1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET / HTTP/1.10\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET / HTTP/01.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET / HTTP/1.2\r\n" HOST "\r\n"), 505 },
        { PX_STR("GET / HTTP/0.9\r\n" HOST "\r\n"), 505 },
        { PX_STR("GET / HTTP/2.0\r\n" HOST "\r\n"), 505 },
        { PX_STR("PRI * HTTP/2.0\r\n\r\n"), 505 },
        { PX_STR("get / HTTP/1.1\r\n" HOST "\r\n"), 501 },
        { PX_STR("TRACE / HTTP/1.1\r\n" HOST "\r\n"), 501 },
        { PX_STR("PROPFIND / HTTP/1.1\r\n" HOST "\r\n"), 501 },
        { PX_STR("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"), 501 },
        // Targets.
        { PX_STR("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET * HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET a:443 HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET a/b HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET http:/a HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
        { PX_STR("GET http://a?q HTTP/1.1\r\n" HOST "\r\n"), 400 },
        // Line ends and control bytes.
        { PX_STR("GET / HTTP/1.1\nHost: a\n\n"), 400 },
        { PX_STR("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400 },
        { PX_STR(GET "\n"), 400 },
        { PX_STR(GET "a: b\rc\r\n\r\n"), 400 },
        { PX_STR(GET "X-Abc:\rxTransfer-Encoding: chunked\r\n\r\n"), 400 },
        { PX_STR(GET "a: b\nc: d\r\n\r\n"), 400 },
        { PX_STR(GET "a: b\0\r\n\r\n"), 400 },
        { PX_STR(GET "a: 0123456\x01 789abcdef\r\n\r\n"), 400 },
        { PX_STR(GET "a: 0123456\x7f 789abcdef\r\n\r\n"), 400 },
        { PX_STR(GET "a: b\x1b[1m\r\n\r\n"), 400 },
        { PX_STR(GET "\r\r\n"), 400 },
        // Header lines.
        { PX_STR(GET "a: b\r\n c\r\n\r\n"), 400 },
        { PX_STR(GET "a: b\r\n\tc\r\n\r\n"), 400 },
        { PX_STR(GET "a : b\r\n\r\n"), 400 },
        { PX_STR(GET "a\t: b\r\n\r\n"), 400 },
        { PX_STR(GET ": b\r\n\r\n"), 400 },
        { PX_STR(GET "a\r\n\r\n"), 400 },
        { PX_STR(GET "a b: c\r\n\r\n"), 400 },
        { PX_STR(GET "a(b): c\r\n\r\n"), 400 },
        { PX_STR(GET "\xc3\xa4: c\r\n\r\n"), 400 },
        { PX_STR(GET "a\0: c\r\n\r\n"), 400 },
        { PX_STR(GET "\"a\": c\r\n\r\n"), 400 },
        // Host.
        { PX_STR("GET / HTTP/1.1\r\n\r\n"), 400 },
        { PX_STR("GET / HTTP/1.0\r\n\r\n"), 400 },
        { PX_STR("GET http://a/ HTTP/1.1\r\n\r\n"), 400 },
        { PX_STR(GET HOST "\r\n"), 400 },
        { PX_STR(GET "hOST: b\r\n\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400 },
        { PX_STR("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400 },
        // Where the body ends.
        { PX_STR(GET "Content-Length:\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: +1\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: -1\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 1 1\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 0x1\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 1 \r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 1\t\r\n\r\n"), 400 },
        { PX_STR(GET "Transfer-Encoding: chunked \r\n\r\n"), 501 },
        { PX_STR(GET "Content-Length: 1.0\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 1,1\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 9223372036854775808\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 18446744073709551617\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 1\r\nContent-length: 2\r\n\r\n"), 400 },
        { PX_STR(GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
        { PX_STR(GET "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), 400 },
        { PX_STR(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
        { PX_STR(OLD "Transfer-Encoding: chunked\r\n\r\n"), 400 },
        { PX_STR(GET "Transfer-Encoding:\r\n\r\n"), 501 },
        { PX_STR(GET "Transfer-Encoding: gzip\r\n\r\n"), 501 },
        { PX_STR(GET "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501 },
        { PX_STR(GET "Transfer-Encoding: chunked, chunked\r\n\r\n"), 501 },
        { PX_STR(GET "Transfer-Encoding: chunked;a=b\r\n\r\n"), 501 },
        { PX_STR(GET "Transfer-Encoding: \"chunked\"\r\n\r\n"), 501 },
        { PX_STR(GET "Transfer-Encoding: xchunked\r\n\r\n"), 501 },
        { PX_STR(GET "Transfer-Encoding: identity\r\n\r\n"), 501 },
        // What else cannot be met.
        { PX_STR(GET "Expect: 200-ok\r\n\r\n"), 417 },
        { PX_STR(GET "Expect:\r\n\r\n"), 417 },
        { PX_STR(GET "Expect: 100-continue, x\r\n\r\n"), 417 },
        { PX_STR(GET "Expect: 100-continue\r\nExpect: x\r\n\r\n"), 417 },
        { PX_STR(GET "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n"), 415 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        refuse(cases[i].head, cases[i].status);
    }
}

static void test_no_byte_beside_the_allowed_ones_passes_in_a_name_or_value(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[] = GET "a_: b_b_01234567\r\n\r\n";
        size_t name = sizeof(GET), value = name + 4;
        bool token = byte && byte < 128 && strchr("!#$%&'*+-.^_`|~", byte);
        token |= (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                 (byte >= 'A' && byte <= 'Z');
        struct px_http_head head;
        struct px_str bytes = { text, sizeof(text) - 1 };
        text[name] = (char)byte;
        bool taken = px_http_head_parse(bytes, slots, 9, &head, NULL) == PX_OK;
        assert_int_equal(taken, token || byte == ':');
        text[name] = 'a';
        text[value] = (char)byte;
        taken = px_http_head_parse(bytes, slots, 9, &head, NULL) == PX_OK;
        assert_int_equal(taken, byte == '\t' || (byte >= ' ' && byte != 0x7f));
    }
}

static void test_a_head_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char text[] = "\r\nPOST http://h/p HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        refuse((struct px_str){ text, len }, 400);
    }
    accept_head(text);
}

static void test_one_empty_line_before_the_request_is_skipped(void **state)
{
    (void)state;
    struct px_http_head head = accept_head("\r\n" GET "\r\n");
    assert_str(head.method, "GET");
}

static void test_targets_lose_scheme_and_authority(void **state)
{
    (void)state;
    static const struct {
        const char *head, *target, *host;
    } cases[] = {
        { "GET /a?b HTTP/1.1\r\n" HOST "\r\n", "/a?b", "a" },
        { "GET //a HTTP/1.1\r\n" HOST "\r\n", "//a", "a" },
        { "GET http://b:80/c?d HTTP/1.1\r\n" HOST "\r\n", "/c?d", "b:80" },
        { "GET HTTPS://[::1]:3000/c HTTP/1.1\r\n" HOST "\r\n", "/c", "[::1]:3000" },
        { "GET http://b HTTP/1.1\r\n" HOST "\r\n", "/", "b" },
        { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "*", "a" },
        { "GET /{a}|b^\"c\\ HTTP/1.1\r\n" HOST "\r\n", "/{a}|b^\"c\\", "a" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_http_head head = accept_head(cases[i].head);
        assert_str(head.target, cases[i].target);
        assert_str(head.host, cases[i].host);
    }
}

static void test_all_methods_of_the_surface_pass(void **state)
{
    (void)state;
    static const char *const methods[] = { "GET",   "HEAD",   "POST",   "PUT",
                                           "PATCH", "DELETE", "OPTIONS" };
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        char text[100];
        snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" HOST "\r\n", methods[i]);
        assert_str(accept_head(text).method, methods[i]);
    }
}

static void test_connection_headers_decide_what_happens_next(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool keep_alive, expect_continue, websocket;
    } cases[] = {
        { GET "\r\n", true, false, false },
        { GET "Connection: close\r\n\r\n", false, false, false },
        { GET "Connection: a, CLOSE\r\n\r\n", false, false, false },
        { GET "Connection: a\r\nConnection: close\r\n\r\n", false, false, false },
        { GET "Connection: closed\r\n\r\n", true, false, false },
        { GET "Connection: ,, ,\r\n\r\n", true, false, false },
        { OLD "\r\n", false, false, false },
        { OLD "Connection: Keep-Alive\r\n\r\n", true, false, false },
        { OLD "Connection: keep-alive, close\r\n\r\n", false, false, false },
        { GET "Expect: 100-Continue\r\n\r\n", true, true, false },
        { OLD "Expect: 100-continue\r\n\r\n", false, false, false },
        { OLD "Expect: x\r\n\r\n", false, false, false },
        { GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", true, false, true },
        { GET "Connection: a, upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n", true, false, true },
        { GET "Upgrade: websocket\r\n\r\n", true, false, false },
        { GET "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", true, false, false },
        { OLD "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n", false, false, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct px_http_head head = accept_head(cases[i].head);
        assert_int_equal(head.keep_alive, cases[i].keep_alive);
        assert_int_equal(head.expect_continue, cases[i].expect_continue);
        assert_int_equal(head.upgrade_websocket, cases[i].websocket);
    }
}

static void test_bodies_are_announced_one_way(void **state)
{
    (void)state;
    assert_int_equal(accept_head(GET "Content-Length: 0\r\n\r\n").content_length, 0);
    assert_int_equal(accept_head(GET "Content-Length: 007\r\n\r\n").content_length, 7);
    struct px_http_head head = accept_head(GET "Content-Length: 9223372036854775807\r\n\r\n");
    assert_int_equal(head.content_length, INT64_MAX);
    head = accept_head(GET "Transfer-Encoding: CHUNKED\r\n\r\n");
    assert_true(head.chunked);
    assert_int_equal(head.content_length, -1);
    assert_int_equal(accept_head(OLD "Content-Length: 5\r\n\r\n").content_length, 5);
}

static void test_a_head_over_the_limit_is_refused(void **state)
{
    (void)state;
    static char text[PX_HTTP_HEAD_MAX + 2];
    static const char start[] = GET "a: ";
    struct px_http_head head;
    memset(text, 'x', sizeof(text));
    memcpy(text, start, sizeof(start) - 1);
    memcpy(text + PX_HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    struct px_str bytes = { text, PX_HTTP_HEAD_MAX };
    assert_int_equal(px_http_head_parse(bytes, slots, 9, &head, NULL), PX_OK);
    memcpy(text + PX_HTTP_HEAD_MAX - 4, "x\r\n\r\n", 5);
    bytes.len++;
    refuse(bytes, 431);
}

static void test_more_headers_than_slots_are_refused(void **state)
{
    (void)state;
    struct px_http_head head;
    struct px_str bytes = PX_STR(GET "a: 1\r\nb: 2\r\n\r\n");
    assert_int_equal(px_http_head_parse(bytes, slots, 3, &head, NULL), PX_OK);
    assert_int_equal(head.count, 3);
    assert_int_equal(px_http_head_parse(bytes, slots, 2, &head, NULL), PX_ETOOBIG);
    assert_int_equal(head.status, 431);
    assert_int_equal(px_http_head_parse(bytes, slots, 0, &head, NULL), PX_ETOOBIG);
}

static void test_a_refusal_says_why_and_changes_only_the_status(void **state)
{
    (void)state;
    struct px_http_head head = { .content_length = 77 };
    struct px_error err;
    struct px_str bytes = PX_STR("GET / HTTP/1.1\r\n\r\n");
    assert_int_equal(px_http_head_parse(bytes, slots, 9, &head, &err), PX_EINVAL);
    assert_string_equal(err.text, "bad request head: Host is missing");
    assert_int_equal(err.status, PX_EINVAL);
    assert_int_equal(head.status, 400);
    assert_int_equal(head.content_length, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_is_read_into_spans),
        cmocka_unit_test(test_a_plain_head_has_no_body),
        cmocka_unit_test(test_what_breaks_the_rules_is_refused),
        cmocka_unit_test(test_no_byte_beside_the_allowed_ones_passes_in_a_name_or_value),
        cmocka_unit_test(test_a_head_cut_anywhere_is_refused),
        cmocka_unit_test(test_one_empty_line_before_the_request_is_skipped),
        cmocka_unit_test(test_targets_lose_scheme_and_authority),
        cmocka_unit_test(test_all_methods_of_the_surface_pass),
        cmocka_unit_test(test_connection_headers_decide_what_happens_next),
        cmocka_unit_test(test_bodies_are_announced_one_way),
        cmocka_unit_test(test_a_head_over_the_limit_is_refused),
        cmocka_unit_test(test_more_headers_than_slots_are_refused),
        cmocka_unit_test(test_a_refusal_says_why_and_changes_only_the_status),
    };
    return cmocka_run_group_tests_name("http/head", tests, NULL, NULL);
}
