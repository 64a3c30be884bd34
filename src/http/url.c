#include "px/http_url.h"

#include <string.h>

#include "chars.h"

void px_http_url_split(struct px_str target, struct px_str *path, struct px_str *query)
{
    const char *mark = target.len ? memchr(target.ptr, '?', target.len) : NULL;
    size_t len = mark ? (size_t)(mark - target.ptr) : target.len;
    if (path) {
        *path = (struct px_str){ target.ptr, len };
    }
    if (query) {
        *query = mark ? (struct px_str){ mark + 1, target.len - len - 1 } : PX_STR("");
    }
}

/// Takes one byte, escaped or not, off the front of `text`. -1 for a broken escape or one that
/// hides a control byte.
static int take_byte(struct px_str *text, bool plus)
{
    int byte = (unsigned char)*text->ptr;
    size_t len = 1;
    if (byte == '%') {
        int high = text->len > 2 ? char_hex(text->ptr[1]) : -1;
        int low = text->len > 2 ? char_hex(text->ptr[2]) : -1;
        if (high < 0 || low < 0) {
            return -1;
        }
        byte = high * 16 + low;
        len = 3;
    } else if (byte == '+' && plus) {
        byte = ' ';
    }
    text->ptr += len;
    text->len -= len;
    return byte < 0x20 || byte == 0x7f ? -1 : byte;
}

static enum px_status decode(struct px_str text, bool plus, struct px_buf *out)
{
    size_t len = out->len;
    while (text.len) {
        int byte = take_byte(&text, plus);
        char one = (char)byte;
        enum px_status st = byte < 0 ? PX_EINVAL : px_buf_add(out, (struct px_str){ &one, 1 });
        if (st) {
            out->len = len;
            return st;
        }
    }
    return PX_OK;
}

enum px_status px_http_url_decode(struct px_str segment, struct px_buf *out)
{
    return decode(segment, false, out);
}

enum px_status px_http_url_encode(struct px_str text, struct px_buf *out)
{
    size_t len = out->len;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        char escape[3] = { '%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15] };
        bool plain = char_is(text.ptr[i], CHAR_PLAIN);
        enum px_status st = px_buf_add(out, plain ? (struct px_str){ text.ptr + i, 1 }
                                                  : (struct px_str){ escape, 3 });
        if (st) {
            out->len = len;
            return st;
        }
    }
    return PX_OK;
}

/// One parameter of a query.
struct param {
    struct px_str whole, name, value;
};

/// Takes the first parameter and the "&" behind it off `query`. False at the end.
static bool take_param(struct px_str *query, struct param *param)
{
    if (query->len == 0) {
        return false;
    }
    const char *stop = memchr(query->ptr, '&', query->len);
    size_t len = stop ? (size_t)(stop - query->ptr) : query->len;
    param->whole = (struct px_str){ query->ptr, len };
    const char *equals = memchr(query->ptr, '=', len);
    size_t name = equals ? (size_t)(equals - query->ptr) : len;
    param->name = (struct px_str){ query->ptr, name };
    param->value = (struct px_str){ query->ptr + name, len - name };
    if (equals) {
        param->value.ptr++;
        param->value.len--;
    }
    len += stop ? 1 : 0;
    query->ptr += len;
    query->len -= len;
    return true;
}

/// True if `escaped`, its escapes undone, is `name`.
static bool is_named(struct px_str escaped, struct px_str name)
{
    size_t at = 0;
    while (escaped.len && at < name.len) {
        int byte = take_byte(&escaped, true);
        if (byte < 0 || byte != (unsigned char)name.ptr[at]) {
            return false;
        }
        at++;
    }
    return escaped.len == 0 && at == name.len;
}

enum px_status px_http_query_get(struct px_str query, struct px_str name, struct px_buf *out,
                                 bool *found)
{
    struct param param;
    while (take_param(&query, &param)) {
        if (is_named(param.name, name)) {
            enum px_status st = decode(param.value, true, out);
            if (!st) {
                *found = true;
            }
            return st;
        }
    }
    *found = false;
    return PX_OK;
}

enum px_status px_http_query_without(struct px_str query, struct px_str name, struct px_buf *out)
{
    size_t len = out->len;
    struct param param;
    while (take_param(&query, &param)) {
        if (is_named(param.name, name)) {
            continue;
        }
        enum px_status st = out->len > len ? px_buf_add(out, PX_STR("&")) : PX_OK;
        st = st ? st : px_buf_add(out, param.whole);
        if (st) {
            out->len = len;
            return st;
        }
    }
    return PX_OK;
}
