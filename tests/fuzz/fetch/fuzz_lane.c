// An answer as the lean lane reads it: what comes out is HTTP, and does not depend on how the bytes
// are split.

#include <stdlib.h>
#include <string.h>

#include "px/http.h"
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// What was made of an answer.
struct trace {
    enum px_reader_step last;
    int status;
    int64_t length;
    size_t fields, data_len;
    uint64_t sum;
    bool keep, whole;
};

static void add(struct trace *trace, struct px_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        trace->sum = (trace->sum ^ (unsigned char)bytes.ptr[i]) * 1099511628211u;
    }
}

static void check_head(struct trace *trace, const struct px_fetch_head *head)
{
    if (head->status < 200 || head->status > 999 || head->content_length < -1 ||
        head->header_count > PX_ANSWER_FIELDS_MAX || trace->status) {
        abort();
    }
    trace->status = head->status;
    trace->length = head->content_length;
    trace->fields = head->header_count;
    for (size_t i = 0; i < head->header_count; i++) {
        struct px_str name = head->headers[i].name, value = head->headers[i].value;
        if (!px_http_is_name(name) || !px_http_is_value(value)) {
            abort();
        }
        add(trace, name);
        add(trace, value);
    }
}

static void check_data(struct trace *trace, struct px_str data, const char *piece, size_t len)
{
    if (!trace->status || !data.len || data.ptr < piece || data.ptr + data.len > piece + len) {
        abort();
    }
    trace->data_len += data.len;
    add(trace, data);
}

/// Feeds one piece. False when the answer is over.
static bool feed(struct px_reader *reader, struct trace *trace, char *piece, size_t len)
{
    struct px_str bytes = { piece, len };
    for (;;) {
        struct px_reader_found found;
        size_t before = bytes.len;
        trace->last = px_reader_next(reader, &bytes, &found);
        switch (trace->last) {
        case PX_READER_MORE:
            if (bytes.len) {
                abort();
            }
            return true;
        case PX_READER_HEAD: check_head(trace, &found.head); break;
        case PX_READER_DATA:
            check_data(trace, found.data, piece, len);
            if (bytes.len >= before) {
                abort();
            }
            break;
        default: return false;
        }
    }
}

static struct trace read_answer(const uint8_t *data, size_t size, bool head_only, size_t step)
{
    struct px_reader reader;
    struct trace trace = { .length = -1 };
    px_reader_init(&reader, head_only);
    bool goes_on = true;
    for (size_t at = 0; goes_on && at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        char *piece = malloc(len);  // Of its own, so that reading past it is seen.
        memcpy(piece, data + at, len);
        goes_on = feed(&reader, &trace, piece, len);
        free(piece);
    }
    if (trace.last == PX_READER_DONE) {
        trace.keep = reader.keep;
    }
    trace.whole = trace.last != PX_READER_BAD && px_reader_ends_here(&reader);
    px_reader_deinit(&reader);
    return trace;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    bool head_only = data[0] & 1;
    size_t step = 1 + data[1] % 64;
    struct trace whole = read_answer(data + 2, size - 2, head_only, size);
    struct trace split = read_answer(data + 2, size - 2, head_only, step);
    if (whole.last == PX_READER_BAD || split.last == PX_READER_BAD) {
        // Split bytes may show that they are no HTTP before the end of the head does.
        return whole.last == split.last && whole.status == split.status ? 0 : (abort(), 0);
    }
    if (whole.status != split.status || whole.length != split.length ||
        whole.fields != split.fields || whole.data_len != split.data_len ||
        whole.sum != split.sum || whole.keep != split.keep || whole.whole != split.whole) {
        abort();
    }
    return 0;
}
