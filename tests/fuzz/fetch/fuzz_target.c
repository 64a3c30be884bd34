// URLs: a host that is taken lies inside the URL, holds no byte that could mean something else, and
// errors do not repeat what they refuse.

#include <stdint.h>
#include <stdlib.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct px_str url, bool proxy)
{
    struct px_target target = { .port = 0 };
    struct px_error err = { PX_OK, "" };
    enum px_status st =
        proxy ? px_target_parse_proxy(url, &target, &err) : px_target_parse(url, &target, &err);
    if (st) {
        if (target.port || !err.text[0]) {
            abort();
        }
        return;
    }
    if (target.host.ptr < url.ptr || target.host.ptr + target.host.len > url.ptr + url.len ||
        !target.host.len || !target.port || target.port > 65535) {
        abort();
    }
    for (size_t i = 0; i < target.host.len; i++) {
        if (strchr("@/?#\\ %", target.host.ptr[i])) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_str url = { (const char *)data, size };
    check(url, false);
    check(url, true);
    return 0;
}
