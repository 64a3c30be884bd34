// The head of an answer, cut into lines as the transfer library does it: whatever is handed over is
// a field that may be sent on.

#include <stdlib.h>

#include "head.h"
#include "px/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct px_answer *answer, const struct px_fetch_head *head)
{
    const char *start = answer->text.ptr, *end = start + answer->text.len;
    if (head->status < 200 || head->status > 999 || head->content_length < -1) {
        abort();
    }
    for (size_t i = 0; i < head->header_count; i++) {
        struct px_str name = head->headers[i].name, value = head->headers[i].value;
        if (name.ptr < start || name.ptr + name.len > end || value.ptr < start ||
            value.ptr + value.len > end || !px_http_is_name(name) || !px_http_is_value(value)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_answer answer;
    px_answer_init(&answer);
    for (size_t at = 0; at < size;) {
        const uint8_t *nl = memchr(data + at, '\n', size - at);
        size_t len = nl ? (size_t)(nl - data) + 1 - at : size - at;
        enum px_answer_line verdict =
            px_answer_add(&answer, (struct px_str){ (const char *)data + at, len });
        at += len;
        if (verdict == PX_ANSWER_HEAD) {
            struct px_fetch_head head;
            if (!px_answer_read(&answer, &head)) {
                check(&answer, &head);
                free((void *)head.headers);
            }
        } else if (verdict > PX_ANSWER_HEAD) {
            break;
        }
    }
    px_answer_deinit(&answer);
    return 0;
}
