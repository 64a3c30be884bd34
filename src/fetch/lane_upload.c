// A body from a source in the lean lane, in chunks if its length is not known.

#include <stdio.h>

#include "inner.h"

static void set_line(struct px_lane_upload *upload, const char *text, size_t size)
{
    int len = snprintf(upload->line, sizeof(upload->line), "%s", upload->begun ? "\r\n" : "");
    if (size) {
        len += snprintf(upload->line + len, sizeof(upload->line) - (size_t)len, "%zx\r\n", size);
    } else {
        len += snprintf(upload->line + len, sizeof(upload->line) - (size_t)len, "%s", text);
    }
    upload->line_len = (uint8_t)len;
    upload->line_at = 0;
}

/// Begins the next chunk, or the end, once the chunk before is sent.
static void frame(struct px_fetch *fetch)
{
    struct px_lane_upload *upload = &fetch->upload;
    if (upload->ended || upload->left || upload->line_at < upload->line_len) {
        return;
    }
    size_t waits = px_source_peek(fetch->source).len;
    if (waits && upload->chunked) {
        set_line(upload, "", waits);
        upload->begun = true;
    } else if (!waits && px_source_state(fetch->source) == PX_SOURCE_WHOLE) {
        upload->ended = true;
        if (upload->chunked) {
            set_line(upload, "0\r\n\r\n", 0);
        }
    }
    upload->left = waits;
}

bool px_lane_upload_ready(struct px_fetch *fetch)
{
    frame(fetch);
    const struct px_lane_upload *upload = &fetch->upload;
    return upload->left || upload->line_at < upload->line_len ||
           px_source_state(fetch->source) == PX_SOURCE_BROKEN;
}

bool px_lane_upload_done(const struct px_fetch *fetch)
{
    return fetch->upload.ended && fetch->upload.line_at == fetch->upload.line_len;
}

size_t px_lane_upload_parts(struct px_fetch *fetch, struct iovec *parts)
{
    struct px_lane_upload *upload = &fetch->upload;
    size_t count = 0;
    frame(fetch);
    if (upload->line_at < upload->line_len) {
        parts[count++] = (struct iovec){ upload->line + upload->line_at,
                                         (size_t)(upload->line_len - upload->line_at) };
    }
    if (upload->left) {
        struct px_str bytes = px_source_peek(fetch->source);
        parts[count++] = (struct iovec){ (char *)bytes.ptr, upload->left };
    }
    return count;
}

void px_lane_upload_sent(struct px_fetch *fetch, size_t count)
{
    struct px_lane_upload *upload = &fetch->upload;
    size_t line = (size_t)(upload->line_len - upload->line_at);
    line = count < line ? count : line;
    upload->line_at = (uint8_t)(upload->line_at + line);
    upload->left -= count - line;
    px_source_take(fetch->source, count - line);
    frame(fetch);
}

bool px_lane_upload_restart(struct px_fetch *fetch)
{
    if (!px_source_rewind(fetch->source)) {
        return false;
    }
    fetch->upload = (struct px_lane_upload){ .chunked = fetch->upload.chunked };
    return true;
}
