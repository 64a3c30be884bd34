#include "px/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum px_status px_sha256(struct px_str bytes, unsigned char out[PX_SHA256_LEN])
{
    unsigned len = PX_SHA256_LEN;
    return EVP_Digest(bytes.ptr, bytes.len, out, &len, EVP_sha256(), NULL) == 1 ? PX_OK : PX_ENOMEM;
}

enum px_status px_hmac_sha256(struct px_str key, struct px_str bytes,
                              unsigned char out[PX_SHA256_LEN])
{
    unsigned len = PX_SHA256_LEN;
    const void *secret = key.len ? key.ptr : "";
    return HMAC(EVP_sha256(), secret, (int)key.len, (const unsigned char *)bytes.ptr, bytes.len,
                out, &len)
               ? PX_OK
               : PX_ENOMEM;
}

enum px_status px_random(void *out, size_t len)
{
    return RAND_bytes(out, (int)len) == 1 ? PX_OK : PX_EIO;
}

bool px_same_secret(struct px_str a, struct px_str b)
{
    // A comparison of the same cost is made when the lengths differ.
    struct px_str other = a.len == b.len ? b : a;
    bool same = CRYPTO_memcmp(a.ptr, other.ptr, a.len) == 0;
    return same && a.len == b.len;
}

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum px_status px_base64_encode(struct px_str bytes, struct px_buf *out)
{
    size_t len = (bytes.len + 2) / 3 * 4;
    enum px_status st = px_buf_reserve(out, len);
    if (st) {
        return st;
    }
    char *to = out->ptr + out->len;
    const unsigned char *from = (const unsigned char *)bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        unsigned word = (unsigned)from[i] << 16;
        word |= left > 1 ? (unsigned)from[i + 1] << 8 : 0;
        word |= left > 2 ? from[i + 2] : 0;
        *to++ = ALPHABET[word >> 18];
        *to++ = ALPHABET[word >> 12 & 63];
        *to++ = left > 1 ? ALPHABET[word >> 6 & 63] : '=';
        *to++ = left > 2 ? ALPHABET[word & 63] : '=';
    }
    out->len += len;
    return PX_OK;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

enum px_status px_base64_decode(struct px_str text, struct px_buf *out)
{
    enum px_status st = px_buf_reserve(out, text.len / 4 * 3 + 3);
    if (st) {
        return st;
    }
    char *to = out->ptr + out->len;
    unsigned word = 0, count = 0;
    bool padded = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            continue;
        }
        int value = value_of(c);
        if (c == '=') {
            padded = true;
            continue;
        }
        if (value < 0 || padded) {
            return PX_EINVAL;
        }
        word = word << 6 | (unsigned)value;
        if (++count % 4 == 0) {
            *to++ = (char)(word >> 16);
            *to++ = (char)(word >> 8);
            *to++ = (char)word;
        }
    }
    if (count % 4 == 1) {
        return PX_EINVAL;
    }
    if (count % 4 > 1) {
        word <<= count % 4 == 2 ? 12 : 6;
        *to++ = (char)(word >> 16);
        if (count % 4 == 3) {
            *to++ = (char)(word >> 8);
        }
    }
    out->len = (size_t)(to - out->ptr);
    return PX_OK;
}
