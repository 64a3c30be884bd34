#include "target.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <strings.h>

static const struct scheme {
    struct px_str name;
    unsigned port;
    bool secure, url, proxy, local;
} schemes[] = {
    { PX_STR("https"), 443, true, true, true, false },
    { PX_STR("http"), 80, false, true, true, false },
    { PX_STR("socks5h"), 1080, false, false, true, false },
    { PX_STR("socks5"), 1080, false, false, true, true },
};

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Takes "scheme://" off the front of `rest`. NULL if there is none that we know.
static const struct scheme *take_scheme(struct px_str *rest)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        struct px_str name = schemes[i].name;
        if (rest->len > name.len + 3 && strncasecmp(rest->ptr, name.ptr, name.len) == 0 &&
            memcmp(rest->ptr + name.len, "://", 3) == 0) {
            rest->ptr += name.len + 3;
            rest->len -= name.len + 3;
            return &schemes[i];
        }
    }
    return NULL;
}

static bool parse_port(struct px_str text, unsigned *port)
{
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || value > UINT16_MAX) {
            return false;
        }
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *port = value;
    return value > 0 && value <= UINT16_MAX;
}

static bool is_address(struct px_str host, int family)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(family, text, bytes) == 1;
}

/// Reads "host", "host:port" or "[address]:port".
static bool parse_host(struct px_str text, struct px_target *target)
{
    struct px_str port = { NULL, 0 };
    if (text.len && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (!end) {
            return false;
        }
        target->host = (struct px_str){ text.ptr + 1, (size_t)(end - text.ptr) - 1 };
        port = (struct px_str){ end + 1, (size_t)(text.ptr + text.len - end) - 1 };
        target->numeric = is_address(target->host, AF_INET6);
        if (!target->numeric || (port.len && port.ptr[0] != ':')) {
            return false;
        }
    } else {
        const char *colon = memchr(text.ptr, ':', text.len);
        size_t len = colon ? (size_t)(colon - text.ptr) : text.len;
        target->host = (struct px_str){ text.ptr, len };
        port = (struct px_str){ text.ptr + len, text.len - len };
        for (size_t i = 0; i < len; i++) {
            if (!is_alnum(text.ptr[i]) && !memchr("-._", text.ptr[i], 3)) {
                return false;
            }
        }
        target->numeric = is_address(target->host, AF_INET);
    }
    if (port.len && !parse_port((struct px_str){ port.ptr + 1, port.len - 1 }, &target->port)) {
        return false;
    }
    return target->host.len > 0 && target->host.len <= 253;
}

static enum px_status parse(struct px_str url, bool proxy, struct px_target *out,
                            struct px_error *err)
{
    const char *what = proxy ? "proxy" : "URL";
    if (url.len > 16 * 1024) {
        return px_fail(err, PX_ETOOBIG, "the %s is longer than 16 KiB", what);
    }
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~') {
            return px_fail(err, PX_EINVAL, "the %s holds a byte that must be escaped", what);
        }
    }
    struct px_str rest = url;
    const struct scheme *scheme = take_scheme(&rest);
    if (!scheme || (proxy ? !scheme->proxy : !scheme->url)) {
        return px_fail(err, PX_EINVAL, "the %s must begin with %s", what,
                       proxy ? "http://, https://, socks5:// or socks5h://"
                             : "http:// or https://");
    }
    size_t len = 0;
    while (len < rest.len && !memchr("/?#\\", rest.ptr[len], 4)) {
        len++;
    }
    struct px_str authority = { rest.ptr, len };
    const char *at = memrchr(authority.ptr, '@', authority.len);
    if (at && !proxy) {
        return px_fail(err, PX_EINVAL, "the URL must not hold a user or a password");
    }
    if (at) {
        authority.len -= (size_t)(at - authority.ptr) + 1;
        authority.ptr = at + 1;
    }
    struct px_target target = { .scheme = scheme->name,
                                .port = scheme->port,
                                .secure = scheme->secure,
                                .local = scheme->local };
    if ((len < rest.len && rest.ptr[len] == '\\') || !parse_host(authority, &target)) {
        return px_fail(err, PX_EINVAL, "the %s has no valid host", what);
    }
    *out = target;
    return PX_OK;
}

enum px_status px_target_parse(struct px_str url, struct px_target *target, struct px_error *err)
{
    return parse(url, false, target, err);
}

enum px_status px_target_parse_proxy(struct px_str url, struct px_target *target,
                                     struct px_error *err)
{
    return parse(url, true, target, err);
}
