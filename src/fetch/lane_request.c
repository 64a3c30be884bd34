// The caller's request becomes a transfer of the lean lane: one block of memory with the request's
// head as it goes out. It looks like the library's.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "inner.h"
#include "px/http.h"

bool px_lane_off;

static bool is_localhost(struct px_str host)
{
    return px_http_same(host, PX_STR("localhost"));
}

bool px_lane_takes(const struct px_fetch_request *request, const struct px_target *target)
{
    return !px_lane_off && !target->secure && !request->proxy.len && !request->guarded &&
           (target->numeric || is_localhost(target->host));
}

/// Path and query of a URL that px_target_parse() has taken.
static struct px_str path_of(struct px_str url)
{
    const char *at = (const char *)memmem(url.ptr, url.len, "://", 3) + 3;
    const char *end = url.ptr + url.len;
    while (at < end && !memchr("/?#", *at, 3)) {
        at++;
    }
    const char *fragment = memchr(at, '#', (size_t)(end - at));
    return (struct px_str){ at, (size_t)((fragment ? fragment : end) - at) };
}

struct writer {
    char *at;
};

static void put(struct writer *to, struct px_str text)
{
    if (text.len) {
        memcpy(to->at, text.ptr, text.len);
        to->at += text.len;
    }
}

static void put_field(struct writer *to, struct px_str name, struct px_str value)
{
    put(to, name);
    put(to, value.len ? PX_STR(": ") : PX_STR(":"));
    put(to, value);
    put(to, PX_STR("\r\n"));
}

static const struct px_fetch_header *find(const struct px_fetch_request *request,
                                          struct px_str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct px_fetch_header *field = &request->headers[i];
        if (field->name.len == name.len && px_http_same(field->name, name)) {
            return field;
        }
    }
    return NULL;
}

static void put_host(struct writer *to, const struct px_fetch_request *request,
                     const struct px_target *target)
{
    const struct px_fetch_header *own = find(request, PX_STR("host"));
    if (own) {
        put_field(to, PX_STR("Host"), own->value);
        return;
    }
    bool v6 = memchr(target->host.ptr, ':', target->host.len) != NULL;
    put(to, v6 ? PX_STR("Host: [") : PX_STR("Host: "));
    put(to, target->host);
    put(to, v6 ? PX_STR("]") : PX_STR(""));
    if (target->port != 80) {
        to->at += sprintf(to->at, ":%u", target->port);
    }
    put(to, PX_STR("\r\n"));
}

static void put_fields(struct writer *to, const struct px_fetch_request *request)
{
    if (!find(request, PX_STR("accept"))) {
        put(to, PX_STR("Accept: */*\r\n"));
    }
    if (!find(request, PX_STR("accept-encoding"))) {
        put(to, PX_STR("accept-encoding: identity\r\n"));
    }
    for (size_t i = 0; i < request->header_count; i++) {
        struct px_str name = request->headers[i].name;
        if (!px_request_is_framing(name) && !px_http_same(name, PX_STR("host"))) {
            put_field(to, name, request->headers[i].value);
        }
    }
}

/// @return True if the answer to this method has no body.
static bool put_head(struct writer *to, const struct px_fetch_request *request,
                     const struct px_target *target)
{
    struct px_str method = request->method, path = path_of(request->url);
    if (!method.len) {
        method = request->body || request->source ? PX_STR("POST") : PX_STR("GET");
    }
    put(to, method);
    put(to, path.len && path.ptr[0] == '/' ? PX_STR(" ") : PX_STR(" /"));
    put(to, path);
    put(to, PX_STR(" HTTP/1.1\r\n"));
    put_host(to, request, target);
    put_fields(to, request);
    if (request->source && px_source_length(request->source) < 0) {
        put(to, PX_STR("Transfer-Encoding: chunked\r\n"));
    } else if (request->source) {
        to->at +=
            sprintf(to->at, "Content-Length: %" PRId64 "\r\n", px_source_length(request->source));
    } else if (request->body || px_str_eq(method, PX_STR("POST")) ||
               px_str_eq(method, PX_STR("PUT")) || px_str_eq(method, PX_STR("PATCH"))) {
        to->at +=
            sprintf(to->at, "Content-Length: %zu\r\n", request->body ? request->body->len : 0);
    }
    put(to, PX_STR("\r\n"));
    return px_str_eq(method, PX_STR("HEAD"));
}

enum px_status px_lane_request(const struct px_fetch_request *request,
                               const struct px_target *target, size_t bytes, struct px_fetch **out,
                               struct px_error *err)
{
    // Beside the fields: the request line, Host, Accept, Accept-Encoding, Content-Length.
    bytes += request->method.len + request->url.len + 2 * target->host.len + 256;
    struct px_fetch *fetch = malloc(sizeof(*fetch) + bytes);
    if (!fetch) {
        return px_fail(err, PX_ENOMEM, "no memory for a transfer");
    }
    memset(fetch, 0, sizeof(*fetch));
    char *text = (char *)(fetch + 1);
    struct writer to = { .at = text };
    px_reader_init(&fetch->reader, put_head(&to, request, target));
    fetch->lean = true;
    fetch->out = text;
    fetch->out_len = (size_t)(to.at - text);
    fetch->target = *target;
    fetch->target.host.ptr = to.at;
    put(&to, target->host);
    px_request_copy_front(fetch, request);
    *out = fetch;
    return PX_OK;
}
