#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Looking at the bytes of strings, eight at a time where nothing is special.

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte must be the lowest");

#define EACH_BYTE(value) (0x0101010101010101ULL * (value))

typedef signed char px_bytes __attribute__((vector_size(16)));
typedef uint64_t px_words __attribute__((vector_size(16)));

static inline px_words special_bytes(const char *at)
{
    px_bytes bytes;
    memcpy(&bytes, at, sizeof(bytes));
    // What is not ASCII is negative.
    return (px_words)((bytes < 0x20) | (bytes == '"') | (bytes == '\\'));
}

#define BLOCK 64

/// Skips whole blocks without a special byte.
static inline const char *skip_plain_blocks(const char *at, const char *end)
{
    while (end - at >= BLOCK) {
        px_words hit = special_bytes(at) | special_bytes(at + 16) | special_bytes(at + 32) |
                       special_bytes(at + 48);
        if (hit[0] | hit[1]) {
            break;
        }
        at += BLOCK;
    }
    return at;
}

/// Finds the first byte that is a quote, a backslash, a control character or not ASCII.
static inline const char *plain_end(const char *at, const char *end)
{
    const char *long_run = at + BLOCK;
    while (end - at >= 8) {
        if (at == long_run) {
            at = skip_plain_blocks(at, end);
            if (end - at < 8) {
                break;
            }
        }
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t quote = word ^ EACH_BYTE('"');
        uint64_t slash = word ^ EACH_BYTE('\\');
        // A borrow can only mark bytes behind a true hit, and the first hit is what counts.
        uint64_t hit = ((quote - EACH_BYTE(1)) & ~quote) | ((slash - EACH_BYTE(1)) & ~slash) |
                       ((word - EACH_BYTE(0x20)) & ~word) | word;
        hit &= EACH_BYTE(0x80);
        if (hit) {
            return at + (__builtin_ctzll(hit) >> 3);
        }
        at += 8;
    }
    for (; at < end; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\' || byte < 0x20 || byte >= 0x80) {
            break;
        }
    }
    return at;
}

/// Length of the UTF-8 sequence that begins with a byte above 0x7f, 0 if it is not valid.
static inline size_t utf8_length(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = (size_t)(end - text);
    if (at[0] < 0xc2 || left < 2 || (at[1] & 0xc0) != 0x80) {
        return 0;
    }
    if (at[0] < 0xe0) {
        return 2;
    }
    if (left < 3 || (at[2] & 0xc0) != 0x80) {
        return 0;
    }
    if (at[0] < 0xf0) {
        if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f)) {
            return 0;
        }
        return 3;
    }
    if (left < 4 || (at[3] & 0xc0) != 0x80 || at[0] > 0xf4 || (at[0] == 0xf0 && at[1] < 0x90) ||
        (at[0] == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return 4;
}

/// Finds the first byte that needs a look: a quote, a backslash, a control character or bad UTF-8.
static inline const char *text_end(const char *at, const char *end)
{
    for (;;) {
        at = plain_end(at, end);
        if (at == end || (unsigned char)*at < 0x80) {
            return at;
        }
        do {
            size_t len = utf8_length(at, end);
            if (!len) {
                return at;
            }
            at += len;
        } while (at < end && (unsigned char)*at >= 0x80);
    }
}

/// Tells whether the three-byte form of a surrogate begins here.
static inline int is_surrogate(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    return end - text >= 3 && at[0] == 0xed && at[1] >= 0xa0 && at[1] <= 0xbf &&
           (at[2] & 0xc0) == 0x80;
}
