#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Classes of bytes. None of them holds CR, LF or NUL, so that a loop over a class ends at a line's
/// end at the latest.
enum px_char {
    CHAR_TOKEN = 1,   ///< Methods and names of headers.
    CHAR_TARGET = 2,  ///< Visible ASCII but "#": a target has no fragment.
    CHAR_VALUE = 4,   ///< Of a header: tab, space, visible ASCII, and all above it.
    CHAR_HOST = 8,    ///< Names, addresses and a port.
    CHAR_PLAIN = 16,  ///< Needs no escape anywhere in a URL.
};

extern const uint8_t px_http_chars[256];

static inline bool char_is(char byte, enum px_char class)
{
    return px_http_chars[(unsigned char)byte] & class;
}

static inline char char_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/// Value of a hexadecimal digit, or -1.
static inline int char_hex(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}
