// The caller's request becomes a transfer: one block of memory with the header lines in the form
// that the library wants, their list, and the texts.

#include <stdlib.h>
#include <string.h>

#include "inner.h"
#include "px/http.h"

#define MAX_HEADERS 256
#define MAX_HEADER_BYTES (128 * 1024)

/// Lines of ours: Expect, Accept-Encoding, Content-Type, Transfer-Encoding.
#define OWN_LINES 4

bool px_request_is_framing(struct px_str name)
{
    return px_http_header_is_hop(NULL, name) || px_http_same(name, PX_STR("content-length")) ||
           px_http_same(name, PX_STR("expect"));
}

static enum px_status check_headers(const struct px_fetch_request *request, size_t *bytes,
                                    struct px_error *err)
{
    if (request->header_count > MAX_HEADERS) {
        return px_fail(err, PX_ETOOBIG, "the request has more than %d header fields", MAX_HEADERS);
    }
    size_t sum = 128;  // Room for the lines of ours.
    for (size_t i = 0; i < request->header_count; i++) {
        struct px_str name = request->headers[i].name, value = request->headers[i].value;
        if (!px_http_is_name(name)) {
            return px_fail(err, PX_EINVAL, "header field %zu has no valid name", i + 1);
        }
        if (!px_http_is_value(value)) {
            return px_fail(err, PX_EINVAL, "the value of header field %.*s holds a control byte",
                           (int)(name.len < 100 ? name.len : 100), name.ptr);
        }
        sum += name.len + value.len + 4;
        if (sum > MAX_HEADER_BYTES) {
            return px_fail(err, PX_ETOOBIG, "the request's head is larger than 128 KiB");
        }
    }
    *bytes = sum;
    return PX_OK;
}

static enum px_status check(const struct px_fetch_request *request, struct px_error *err)
{
    struct px_str method = request->method;
    if (method.len && (!px_http_is_name(method) || method.len > 32)) {
        return px_fail(err, PX_EINVAL, "the method is not valid");
    }
    if ((request->body || request->source) && px_str_eq(method, PX_STR("HEAD"))) {
        return px_fail(err, PX_EINVAL, "a HEAD request has no body");
    }
    if (px_str_eq(method, PX_STR("CONNECT"))) {
        return px_fail(err, PX_EINVAL, "CONNECT is not for requests");
    }
    if (request->guarded && request->proxy.len) {
        return px_fail(err, PX_EINVAL, "a guarded request takes no proxy");
    }
    if (memchr(request->ca_file.ptr ? request->ca_file.ptr : "", '\0', request->ca_file.len)) {
        return px_fail(err, PX_EINVAL, "the name of the CA file holds a zero byte");
    }
    return PX_OK;
}

/// Writes behind the list of lines.
struct writer {
    struct px_fetch *fetch;
    size_t lines;
    char *at;
};

static char *put_text(struct writer *to, struct px_str text)
{
    char *start = to->at;
    memcpy(start, text.ptr ? text.ptr : "", text.len);
    start[text.len] = '\0';
    to->at += text.len + 1;
    return start;
}

static void put(struct writer *to, struct px_str text)
{
    memcpy(to->at, text.ptr ? text.ptr : "", text.len);
    to->at += text.len;
}

/// Adds a line. The library spells an empty value with a semicolon, and a bare colon means that it
/// shall not send the field at all.
static void put_line(struct writer *to, struct px_str name, struct px_str middle,
                     struct px_str value)
{
    struct curl_slist *node = &to->fetch->nodes[to->lines++];
    node->data = to->at;
    put(to, name);
    put(to, middle);
    put(to, value);
    *to->at++ = '\0';
    node->next = to->lines > 1 ? to->fetch->headers : NULL;
    to->fetch->headers = node;
}

static void put_headers(struct writer *to, const struct px_fetch_request *request)
{
    bool encoding = false, type = false;
    // The list grows at its front, so it is built from the end.
    put_line(to, PX_STR("Expect"), PX_STR(":"), PX_STR(""));
    if (request->source && px_source_length(request->source) < 0) {
        put_line(to, PX_STR("Transfer-Encoding"), PX_STR(": "), PX_STR("chunked"));
    }
    for (size_t i = request->header_count; i-- > 0;) {
        struct px_str name = request->headers[i].name, value = request->headers[i].value;
        encoding = encoding || px_http_same(name, PX_STR("accept-encoding"));
        type = type || px_http_same(name, PX_STR("content-type"));
        if (!px_request_is_framing(name)) {
            put_line(to, name, value.len ? PX_STR(": ") : PX_STR(";"), value);
        }
    }
    if (!encoding) {
        put_line(to, PX_STR("accept-encoding"), PX_STR(": "), PX_STR("identity"));
    }
    if (!type) {
        put_line(to, PX_STR("Content-Type"), PX_STR(":"), PX_STR(""));
    }
}

void px_request_copy_front(struct px_fetch *fetch, const struct px_fetch_request *request)
{
    if (request->body) {
        fetch->body = px_block_hold(request->body);
        fetch->body_len = request->body->len;
    }
    if (request->source) {
        px_upload_begin(fetch, request->source);
    }
    fetch->times = request->times;
    fetch->streamed = request->streamed;
    fetch->guarded = request->guarded;
}

enum px_status px_request_copy(const struct px_fetch_request *request, struct px_fetch **out,
                               struct px_error *err)
{
    struct px_target target, proxy = { .host = PX_STR("") };
    size_t bytes = 0;
    enum px_status st = check(request, err);
    st = st ? st : check_headers(request, &bytes, err);
    st = st ? st : px_target_parse(request->url, &target, err);
    if (!st && request->proxy.len) {
        st = px_target_parse_proxy(request->proxy, &proxy, err);
    }
    if (st) {
        return st;
    }
    if (px_lane_takes(request, &target)) {
        return px_lane_request(request, &target, bytes, out, err);
    }
    size_t nodes = (request->header_count + OWN_LINES) * sizeof(struct curl_slist);
    bytes += request->method.len + request->url.len + request->proxy.len + request->ca_file.len + 8;
    struct px_fetch *fetch = calloc(1, sizeof(*fetch) + nodes + bytes);
    if (!fetch) {
        return px_fail(err, PX_ENOMEM, "no memory for a transfer");
    }
    struct writer to = { .fetch = fetch, .at = (char *)fetch + sizeof(*fetch) + nodes };
    put_headers(&to, request);
    fetch->method = request->method.len ? put_text(&to, request->method) : NULL;
    fetch->url = put_text(&to, request->url);
    fetch->ca_file = request->ca_file.len ? put_text(&to, request->ca_file) : NULL;
    if (request->proxy.len) {
        fetch->proxy_url = put_text(&to, request->proxy);
        st = px_target_parse_proxy((struct px_str){ fetch->proxy_url, request->proxy.len },
                                   &fetch->proxy, NULL);
    }
    st =
        st ? st
           : px_target_parse((struct px_str){ fetch->url, request->url.len }, &fetch->target, NULL);
    if (st) {
        free(fetch);
        return st;
    }
    px_request_copy_front(fetch, request);
    px_answer_init(&fetch->answer);
    *out = fetch;
    return PX_OK;
}
