#include "px/json.h"

#include "text.h"

static unsigned hex_digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

static unsigned read_hex4(const char *at)
{
    return hex_digit(at[0]) << 12 | hex_digit(at[1]) << 8 | hex_digit(at[2]) << 4 |
           hex_digit(at[3]);
}

static size_t put_utf8(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

// Decodes the escape at `*at` (accepted by the scanner) and moves behind it. Returns the length.
static size_t decode_escape(const char **at, const char *end, char out[4])
{
    static const char letters[] = "bfnrt", codes[] = "\b\f\n\r\t";
    const char *escape = *at;
    *at += 2;
    if (escape[1] != 'u') {
        const char *letter = memchr(letters, escape[1], sizeof(letters) - 1);
        out[0] = letter ? codes[letter - letters] : escape[1];
        return 1;
    }
    unsigned code = read_hex4(escape + 2);
    *at += 4;
    if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        unsigned low = read_hex4(*at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            *at += 6;
        }
    }
    return put_utf8(code, out);
}

static bool is_string(struct px_str raw)
{
    return raw.len >= 2 && raw.ptr[0] == '"' && raw.ptr[raw.len - 1] == '"';
}

enum px_status px_json_unquote(struct px_str raw, struct px_buf *out)
{
    if (!is_string(raw)) {
        return PX_EINVAL;
    }
    // No escape is shorter than what it stands for. A tight limit must still admit what fits it.
    size_t before = out->len;
    enum px_status st = px_buf_reserve(out, raw.len - 2);
    bool roomy = !st;
    const char *at = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        struct px_str run = { at, (size_t)((slash ? slash : end) - at) };
        char code[4];
        struct px_str decoded = { code, 0 };
        at = run.ptr + run.len;
        if (slash) {
            decoded.len = decode_escape(&at, end, code);
        }
        if (roomy) {
            memcpy(out->ptr + out->len, run.ptr, run.len);
            memcpy(out->ptr + out->len + run.len, code, decoded.len);
            out->len += run.len + decoded.len;
            continue;
        }
        st = px_buf_add(out, run);
        if (!st) {
            st = px_buf_add(out, decoded);
        }
        if (st) {
            out->len = before;
            return st;
        }
    }
    return PX_OK;
}

bool px_json_means(struct px_str raw, struct px_str text)
{
    if (!is_string(raw) || raw.len - 2 < text.len) {
        return false;
    }
    const char *at = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    size_t done = 0;
    while (at < end) {
        char code[4];
        size_t len = 1;
        if (*at == '\\') {
            len = decode_escape(&at, end, code);
        } else {
            code[0] = *at++;
        }
        if (text.len - done < len || memcmp(text.ptr + done, code, len) != 0) {
            return false;
        }
        done += len;
    }
    return done == text.len;
}

static size_t write_hex4(unsigned code, char *out)
{
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = 'u';
    for (int i = 0; i < 4; i++) {
        out[2 + i] = digits[code >> (12 - 4 * i) & 15];
    }
    return 6;
}

// Encodes what stops a run of ordinary text: returns the length in `out` and moves behind it.
static size_t encode_special(const char **at, const char *end, char out[8])
{
    static const char codes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    unsigned char byte = (unsigned char)**at;
    if (byte < 0x80) {
        ++*at;
        const char *code = memchr(codes, byte, sizeof(codes) - 1);
        if (!code) {
            return write_hex4(byte, out);
        }
        out[0] = '\\';
        out[1] = letters[code - codes];
        return 2;
    }
    if (is_surrogate(*at, end)) {
        unsigned low = (unsigned)((*at)[1] & 0x3f) << 6 | (unsigned)((*at)[2] & 0x3f);
        *at += 3;
        return write_hex4(0xd000 | low, out);
    }
    ++*at;
    memcpy(out, "\357\277\275", 3);
    return 3;
}

enum px_status px_json_quote(struct px_buf *out, struct px_str text)
{
    size_t before = out->len;
    const char *at = text.ptr, *end = text.len ? text.ptr + text.len : text.ptr;
    // Room is only ever made for what will surely come, so a tight limit admits all that fits it.
    enum px_status st = px_buf_reserve(out, text.len + 2);
    if (st) {
        return st;
    }
    out->ptr[out->len++] = '"';
    while (at < end) {
        const char *stop = text_end(at, end);
        memcpy(out->ptr + out->len, at, (size_t)(stop - at));
        out->len += (size_t)(stop - at);
        at = stop;
        if (at == end) {
            break;
        }
        char special[8];
        size_t len = encode_special(&at, end, special);
        st = px_buf_reserve(out, len + (size_t)(end - at) + 1);
        if (st) {
            out->len = before;
            return st;
        }
        memcpy(out->ptr + out->len, special, len);
        out->len += len;
    }
    out->ptr[out->len++] = '"';
    return PX_OK;
}
