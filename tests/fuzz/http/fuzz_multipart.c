// A field of a form is found in the same place however much has come, and no look goes past the
// end.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "px/http_multipart.h"

#define CHECK(what) ((what) ? (void)0 : abort())

static enum px_multipart_found find(const uint8_t *data, size_t size, bool whole, size_t *at,
                                    size_t *len)
{
    char *copy = malloc(size ? size : 1);
    CHECK(copy);
    memcpy(copy, data, size);
    struct px_str value = { 0 };
    enum px_multipart_found found = px_http_multipart_find(
        (struct px_str){ copy, size }, whole, PX_STR("multipart/form-data; boundary=B"),
        PX_STR("m"), &value, NULL);
    if (found == PX_MULTIPART_FOUND) {
        CHECK(value.ptr >= copy && value.len <= size && value.ptr + value.len <= copy + size);
        *at = (size_t)(value.ptr - copy);
        *len = value.len;
    }
    free(copy);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0, len = 0;
    enum px_multipart_found whole = find(data, size, true, &at, &len);
    CHECK(whole != PX_MULTIPART_LATE);
    for (size_t part = 0; part < size; part++) {
        size_t then = 0, long_then = 0;
        enum px_multipart_found found = find(data, part, false, &then, &long_then);
        CHECK(found != PX_MULTIPART_BAD || whole == PX_MULTIPART_BAD);
        if (found == PX_MULTIPART_FOUND && whole == PX_MULTIPART_FOUND) {
            CHECK(then == at && long_then == len);
        }
        CHECK(found != PX_MULTIPART_ABSENT || whole == PX_MULTIPART_ABSENT);
    }

    // The same bytes as a content type.
    struct px_str type = { (const char *)data, size }, value;
    (void)px_http_multipart_find(PX_STR("--B--"), true, type, PX_STR("m"), &value, NULL);
    return 0;
}
