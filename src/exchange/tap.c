// Looking into relayed events without decoding them.
//
// A member is found by its name in quotes followed by a colon and a value other than null. Inside a
// string quotes are escaped, so text cannot be taken for a member.

#include <string.h>

#include "px/json.h"
#include "reply_private.h"

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

static bool has_member(struct px_str data, const char *name, size_t len)
{
    const char *at = data.ptr, *const end = data.ptr + data.len;
    while ((at = memmem(at, (size_t)(end - at), name, len))) {
        const char *next = at + len;
        bool quoted = at > data.ptr && at[-1] == '"' && (at - 1 == data.ptr || at[-2] != '\\');
        if (quoted && next < end && *next == '"') {
            next = skip_space(next + 1, end);
            if (next < end && *next == ':') {
                next = skip_space(next + 1, end);
                return end - next < 4 || memcmp(next, "null", 4) != 0;
            }
        }
        at = at + len;
    }
    return false;
}

void tap_event(struct relay *relay, const struct px_sse_event *event)
{
    if (px_str_eq(event->data, PX_STR("[DONE]"))) {
        relay->done = true;
        return;
    }
    if (event->open && px_json_scan(event->data, NULL, NULL, NULL)) {
        return;  // A stream that ended inside its last event: half of it says nothing.
    }
    for (size_t i = 0; i < relay->taps; i++) {
        if (has_member(event->data, relay->tap[i], strlen(relay->tap[i]))) {
            px_buf_reset(&relay->found[i]);
            if (px_buf_add(&relay->found[i], event->data)) {
                px_buf_free(&relay->found[i]);
            }
        }
    }
}
