#include "px/status.h"

#include <stdarg.h>
#include <stdio.h>

enum px_status px_fail(struct px_error *err, enum px_status status, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        err->status = status;
        vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
    }
    return status;
}

const char *px_status_name(enum px_status status)
{
    static const char *const names[] = {
        [PX_OK] = "ok",           [PX_ENOMEM] = "out of memory", [PX_EINVAL] = "invalid",
        [PX_ETOOBIG] = "too big", [PX_ECANCELED] = "canceled",   [PX_ETIMEDOUT] = "timed out",
        [PX_EIO] = "failed",
    };
    return (size_t)status < sizeof(names) / sizeof(*names) ? names[status] : "unknown";
}
