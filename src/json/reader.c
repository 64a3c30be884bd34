#include "px/json.h"

#include "text.h"

// The reader is a small state machine: `state` says what may come next, a bit for each open
// container says which kind it is. A key is given out only when its colon has been read too, so
// that no state for the colon is needed.

enum {
    AT_VALUE,          // A value must come.
    AT_FIRST_ELEMENT,  // A value or ']'.
    AT_FIRST_KEY,      // A key or '}'.
    AT_KEY,            // A key.
    AT_COMMA,          // ',' or the end of the container.
    AT_END,            // Nothing but white space.
    AT_ERROR,
};

void px_json_reader_init(struct px_json_reader *reader, struct px_str text)
{
    *reader = (struct px_json_reader){
        .base = text.ptr,
        .at = text.ptr,
        .end = text.len ? text.ptr + text.len : text.ptr,
    };
}

static enum px_json_token fail(struct px_json_reader *reader, const char *at, const char *expected)
{
    reader->at = at;
    reader->expected = expected;
    reader->state = AT_ERROR;
    reader->token = (struct px_str){ NULL, 0 };
    return PX_JSON_T_ERROR;
}

static inline const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) {
        at++;
    }
    return at;
}

static inline bool in_object(const struct px_json_reader *reader)
{
    unsigned level = reader->depth - 1;
    return reader->objects[level / 64] >> (level % 64) & 1;
}

static inline void after_value(struct px_json_reader *reader)
{
    reader->state = reader->depth ? AT_COMMA : AT_END;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Checks the escape at `at` and returns its end. NULL, with `reader` failed, if it is none.
static const char *skip_escape(struct px_json_reader *reader, const char *at)
{
    const char *end = reader->end;
    if (end - at < 2) {
        fail(reader, end, "the rest of an escape");
        return NULL;
    }
    if (at[1] != 'u') {
        if (at[1] == '\0' || !strchr("\"\\/bfnrt", at[1])) {
            fail(reader, at + 1, "one of \"\\/bfnrtu after a backslash");
            return NULL;
        }
        return at + 2;
    }
    for (const char *digit = at + 2; digit < at + 6; digit++) {
        if (digit == end || !is_hex(*digit)) {
            fail(reader, digit, "four hexadecimal digits after \\u");
            return NULL;
        }
    }
    return at + 6;
}

// Reads the string whose opening quote is at `reader->at`. False if it failed.
static inline bool read_string(struct px_json_reader *reader)
{
    const char *begin = reader->at, *end = reader->end;
    reader->escaped = false;
    for (const char *at = begin + 1;;) {
        at = text_end(at, end);
        if (at == end) {
            fail(reader, at, "'\"' at the end of a string");
            return false;
        }
        if (*at == '"') {
            reader->token = (struct px_str){ begin, (size_t)(at + 1 - begin) };
            reader->at = at + 1;
            return true;
        }
        if (*at == '\\') {
            reader->escaped = true;
            at = skip_escape(reader, at);
            if (!at) {
                return false;
            }
        } else {
            bool control = (unsigned char)*at < 0x20;
            fail(reader, at, control ? "an escape instead of a control character" : "valid UTF-8");
            return false;
        }
    }
}

static inline const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

static enum px_json_token read_number(struct px_json_reader *reader)
{
    const char *begin = reader->at, *end = reader->end;
    const char *at = begin + (*begin == '-');
    const char *digits = at;
    at = at < end && *at == '0' ? at + 1 : skip_digits(at, end);
    if (at == digits) {
        return fail(reader, at, "a digit after '-'");
    }
    if (at < end && *at == '.') {
        digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits) {
            return fail(reader, at, "a digit after '.'");
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        digits = at + 1;
        digits += digits < end && (*digits == '+' || *digits == '-');
        at = skip_digits(digits, end);
        if (at == digits) {
            return fail(reader, at, "a digit in an exponent");
        }
    }
    reader->token = (struct px_str){ begin, (size_t)(at - begin) };
    reader->at = at;
    after_value(reader);
    return PX_JSON_T_NUMBER;
}

static enum px_json_token read_word(struct px_json_reader *reader, struct px_str word,
                                    enum px_json_token token)
{
    size_t left = (size_t)(reader->end - reader->at);
    if (left < word.len || memcmp(reader->at, word.ptr, word.len) != 0) {
        return fail(reader, reader->at, "a value");
    }
    reader->token = (struct px_str){ reader->at, word.len };
    reader->at += word.len;
    after_value(reader);
    return token;
}

static enum px_json_token open_container(struct px_json_reader *reader, bool object)
{
    unsigned level = reader->depth;
    if (level == PX_JSON_DEPTH) {
        return fail(reader, reader->at, "no more than 128 levels");
    }
    uint64_t bit = (uint64_t)1 << (level % 64);
    if (object) {
        reader->objects[level / 64] |= bit;
    } else {
        reader->objects[level / 64] &= ~bit;
    }
    reader->depth++;
    reader->token = (struct px_str){ reader->at, 1 };
    reader->at++;
    reader->state = object ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
    return object ? PX_JSON_T_OBJECT : PX_JSON_T_ARRAY;
}

static enum px_json_token close_container(struct px_json_reader *reader)
{
    bool object = in_object(reader);
    reader->token = (struct px_str){ reader->at, 1 };
    reader->at++;
    reader->depth--;
    after_value(reader);
    return object ? PX_JSON_T_OBJECT_END : PX_JSON_T_ARRAY_END;
}

static enum px_json_token read_value(struct px_json_reader *reader)
{
    if (reader->at == reader->end) {
        return fail(reader, reader->at, "a value");
    }
    switch (*reader->at) {
    case '"':
        if (!read_string(reader)) {
            return PX_JSON_T_ERROR;
        }
        after_value(reader);
        return PX_JSON_T_STRING;
    case '{': return open_container(reader, true);
    case '[': return open_container(reader, false);
    case 't': return read_word(reader, PX_STR("true"), PX_JSON_T_TRUE);
    case 'f': return read_word(reader, PX_STR("false"), PX_JSON_T_FALSE);
    case 'n': return read_word(reader, PX_STR("null"), PX_JSON_T_NULL);
    case '-':
    case '0' ... '9': return read_number(reader);
    default: return fail(reader, reader->at, "a value");
    }
}

static enum px_json_token read_key(struct px_json_reader *reader, const char *expected)
{
    if (reader->at == reader->end || *reader->at != '"') {
        return fail(reader, reader->at, expected);
    }
    if (!read_string(reader)) {
        return PX_JSON_T_ERROR;
    }
    reader->at = skip_space(reader->at, reader->end);
    if (reader->at == reader->end || *reader->at != ':') {
        return fail(reader, reader->at, "':'");
    }
    reader->at++;
    reader->state = AT_VALUE;
    return PX_JSON_T_KEY;
}

static enum px_json_token read_after_comma(struct px_json_reader *reader)
{
    bool object = in_object(reader);
    char c = reader->at < reader->end ? *reader->at : '\0';
    if (c == (object ? '}' : ']')) {
        return close_container(reader);
    }
    if (c != ',') {
        return fail(reader, reader->at, object ? "',' or '}'" : "',' or ']'");
    }
    reader->at = skip_space(reader->at + 1, reader->end);
    return object ? read_key(reader, "a member's name") : read_value(reader);
}

enum px_json_token px_json_next(struct px_json_reader *reader)
{
    if (reader->state == AT_ERROR) {
        return PX_JSON_T_ERROR;
    }
    reader->at = skip_space(reader->at, reader->end);
    char c = reader->at < reader->end ? *reader->at : '\0';
    switch (reader->state) {
    case AT_COMMA: return read_after_comma(reader);
    case AT_FIRST_KEY:
        if (c == '}') {
            return close_container(reader);
        }
        return read_key(reader, "a member's name or '}'");
    case AT_FIRST_ELEMENT:
        if (c == ']') {
            return close_container(reader);
        }
        return read_value(reader);
    case AT_END:
        if (reader->at != reader->end) {
            return fail(reader, reader->at, "nothing after the value");
        }
        reader->token = (struct px_str){ reader->at, 0 };
        return PX_JSON_T_END;
    default: return read_value(reader);
    }
}

struct px_str px_json_skip(struct px_json_reader *reader)
{
    const char *begin = reader->token.ptr;
    if (reader->state == AT_FIRST_KEY || reader->state == AT_FIRST_ELEMENT) {
        unsigned outside = reader->depth - 1;
        while (reader->depth > outside) {
            if (px_json_next(reader) == PX_JSON_T_ERROR) {
                return (struct px_str){ NULL, 0 };
            }
        }
        return (struct px_str){ begin, (size_t)(reader->at - begin) };
    }
    return reader->token;
}

size_t px_json_reader_offset(const struct px_json_reader *reader)
{
    return (size_t)(reader->at - reader->base);
}

enum px_status px_json_reader_fail(const struct px_json_reader *reader, struct px_error *err)
{
    return px_fail(err, PX_EINVAL, "JSON: byte %zu: expected %s", px_json_reader_offset(reader),
                   reader->expected);
}
