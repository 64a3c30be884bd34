#include "px/vector.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "px/json.h"

static enum px_status add_float(struct px_buf *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    char bytes[4] = { (char)bits, (char)(bits >> 8), (char)(bits >> 16), (char)(bits >> 24) };
    return px_buf_add(out, (struct px_str){ bytes, sizeof(bytes) });
}

enum px_status px_vector_pack(struct px_str json, struct px_buf *out)
{
    struct px_json_reader reader;
    px_json_reader_init(&reader, json);
    if (px_json_next(&reader) != PX_JSON_T_ARRAY) {
        return PX_EINVAL;
    }
    enum px_json_token token;
    while ((token = px_json_next(&reader)) == PX_JSON_T_NUMBER) {
        double number;
        px_json_read_number(reader.token, &number);
        enum px_status st = add_float(out, (float)number);
        if (st) {
            return st;
        }
    }
    bool whole = token == PX_JSON_T_ARRAY_END && px_json_next(&reader) == PX_JSON_T_END;
    return whole ? PX_OK : PX_EINVAL;
}

enum px_status px_vector_unpack(struct px_str bytes, struct px_buf *out)
{
    if (bytes.len % 4) {
        return PX_EINVAL;
    }
    enum px_status st = px_buf_add(out, PX_STR("["));
    for (size_t at = 0; at < bytes.len && !st; at += 4) {
        const unsigned char *from = (const unsigned char *)bytes.ptr + at;
        uint32_t bits =
            from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
        float value;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value)) {
            return PX_EINVAL;
        }
        char text[32];
        int len = snprintf(text, sizeof(text), "%s%.9g", at ? "," : "", (double)value);
        st = px_buf_add(out, (struct px_str){ text, (size_t)len });
    }
    return st ? st : px_buf_add(out, PX_STR("]"));
}
