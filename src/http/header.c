#include <string.h>

#include "chars.h"
#include "px/http.h"

bool px_http_same(struct px_str a, struct px_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (char_lower(a.ptr[i]) != char_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

static const struct px_http_header *find_from(const struct px_http_head *head, size_t at,
                                              struct px_str name)
{
    for (; at < head->count; at++) {
        if (px_http_same(head->headers[at].name, name)) {
            return &head->headers[at];
        }
    }
    return NULL;
}

const struct px_http_header *px_http_header_find(const struct px_http_head *head,
                                                 struct px_str name)
{
    return find_from(head, 0, name);
}

const struct px_http_header *px_http_header_next(const struct px_http_head *head,
                                                 const struct px_http_header *last)
{
    return find_from(head, (size_t)(last - head->headers) + 1, last->name);
}

struct px_str px_http_header_get(const struct px_http_head *head, struct px_str name)
{
    const struct px_http_header *header = find_from(head, 0, name);
    return header ? header->value : (struct px_str){ NULL, 0 };
}

static struct px_str trim(const char *start, const char *stop)
{
    while (start < stop && (*start == ' ' || *start == '\t')) {
        start++;
    }
    while (start < stop && (stop[-1] == ' ' || stop[-1] == '\t')) {
        stop--;
    }
    return (struct px_str){ start, (size_t)(stop - start) };
}

bool px_http_has_token(struct px_str value, struct px_str token)
{
    while (value.len) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.ptr) : value.len;
        if (px_http_same(trim(value.ptr, value.ptr + len), token)) {
            return true;
        }
        len += comma ? 1 : 0;
        value.ptr += len;
        value.len -= len;
    }
    return false;
}

bool px_http_header_is_hop(const struct px_http_head *head, struct px_str name)
{
    static const struct px_str hops[] = {
        { "connection", 10 },
        { "keep-alive", 10 },
        { "proxy-authenticate", 18 },
        { "proxy-authentication-info", 25 },
        { "proxy-authorization", 19 },
        { "proxy-connection", 16 },
        { "te", 2 },
        { "trailer", 7 },
        { "transfer-encoding", 17 },
        { "upgrade", 7 },
    };
    for (size_t i = 0; i < sizeof(hops) / sizeof(*hops); i++) {
        if (px_http_same(name, hops[i])) {
            return true;
        }
    }
    const struct px_http_header *header = NULL;
    if (head) {
        header = px_http_header_find(head, PX_STR("connection"));
    }
    while (header) {
        if (px_http_has_token(header->value, name)) {
            return true;
        }
        header = px_http_header_next(head, header);
    }
    return false;
}

bool px_http_is_name(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!char_is(name.ptr[i], CHAR_TOKEN)) {
            return false;
        }
    }
    return name.len > 0;
}

bool px_http_is_value(struct px_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!char_is(value.ptr[i], CHAR_VALUE)) {
            return false;
        }
    }
    return true;
}
