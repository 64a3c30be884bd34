#include "px/http_write.h"

#include <string.h>

#include "px/http.h"

/// Appends all parts or nothing.
static enum px_status add_parts(struct px_buf *out, const struct px_str *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    enum px_status st = px_buf_reserve(out, len);
    if (st) {
        return st;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len) {
            memcpy(out->ptr + out->len, parts[i].ptr, parts[i].len);
            out->len += parts[i].len;
        }
    }
    return PX_OK;
}

enum px_status px_http_write_status(struct px_buf *out, int status)
{
    if (status < 100 || status > 599) {
        return PX_EINVAL;
    }
    const char *text = px_http_status_text(status);
    char digits[3] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
                       (char)('0' + status % 10) };
    const struct px_str parts[] = {
        PX_STR("HTTP/1.1 "), { digits, 3 }, PX_STR(" "), { text, strlen(text) }, PX_STR("\r\n"),
    };
    return add_parts(out, parts, sizeof(parts) / sizeof(*parts));
}

enum px_status px_http_write_header(struct px_buf *out, struct px_str name, struct px_str value)
{
    if (!px_http_is_name(name) || !px_http_is_value(value)) {
        return PX_EINVAL;
    }
    const struct px_str parts[] = { name, PX_STR(": "), value, PX_STR("\r\n") };
    return add_parts(out, parts, sizeof(parts) / sizeof(*parts));
}

enum px_status px_http_write_number(struct px_buf *out, struct px_str name, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return px_http_write_header(out, name, (struct px_str){ digits + at, sizeof(digits) - at });
}

enum px_status px_http_write_end(struct px_buf *out)
{
    return px_buf_add(out, PX_STR("\r\n"));
}
