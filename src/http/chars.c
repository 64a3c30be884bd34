#include "chars.h"

// Visible bytes by what they are to each class; the rows below name what is special about them.
#define VISIBLE (CHAR_TARGET | CHAR_VALUE)
#define TOKEN (VISIBLE | CHAR_TOKEN)
#define HOST (VISIBLE | CHAR_HOST)
#define NAME (TOKEN | CHAR_HOST | CHAR_PLAIN)

const uint8_t px_http_chars[256] = {
    ['\t'] = CHAR_VALUE,
    [' '] = CHAR_VALUE,
    ['!'] = TOKEN,
    ['"'] = VISIBLE,
    ['#'] = CHAR_VALUE | CHAR_TOKEN,
    ['$'] = TOKEN,
    ['%'] = TOKEN | CHAR_HOST,
    ['&'] = TOKEN,
    ['\''] = TOKEN,
    ['('] = VISIBLE,
    [')'] = VISIBLE,
    ['*'] = TOKEN,
    ['+'] = TOKEN,
    [','] = VISIBLE,
    ['-'] = NAME,
    ['.'] = NAME,
    ['/'] = VISIBLE,
    ['0' ... '9'] = NAME,
    [':'] = HOST,
    [';' ... '@'] = VISIBLE,
    ['A' ... 'Z'] = NAME,
    ['['] = HOST,
    ['\\'] = VISIBLE,
    [']'] = HOST,
    ['^'] = TOKEN,
    ['_'] = NAME,
    ['`'] = TOKEN,
    ['a' ... 'z'] = NAME,
    ['{'] = VISIBLE,
    ['|'] = TOKEN,
    ['}'] = VISIBLE,
    ['~'] = NAME,
    [0x80 ... 0xff] = CHAR_VALUE,
};
