#include "reply.h"

#include <stdlib.h>
#include <string.h>

void bench_reply_start(struct bench_reply *reply)
{
    reply->state = BENCH_HEAD;
    reply->status = 0;
    reply->closes = false;
    reply->id_digits = 0;
    reply->id = 0;
    reply->marks = reply->left = reply->line_len = reply->head_len = reply->tail_len = 0;
}

/// Finds a header's value in the complete, terminated head.
static const char *header(const struct bench_reply *reply, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = strchr(reply->head, '\n'); at; at = strchr(at + 1, '\n')) {
        if (!strncasecmp(at + 1, name, len) && at[1 + len] == ':') {
            return at + 2 + len + strspn(at + 2 + len, " \t");
        }
    }
    return NULL;
}

static enum bench_reply_state read_head(struct bench_reply *reply)
{
    if (strncmp(reply->head, "HTTP/1.1 ", 9)) {
        return BENCH_BAD;
    }
    reply->status = atoi(reply->head + 9);
    const char *connection = header(reply, "connection");
    reply->closes = connection && !strncasecmp(connection, "close", 5);
    const char *coding = header(reply, "transfer-encoding");
    if (coding) {
        return strncasecmp(coding, "chunked", 7) ? BENCH_BAD : BENCH_CHUNK_SIZE;
    }
    const char *length = header(reply, "content-length");
    if (!length) {
        return BENCH_BAD;
    }
    reply->left = strtoul(length, NULL, 10);
    return reply->left ? BENCH_SIZED : BENCH_DONE;
}

static size_t feed_head(struct bench_reply *reply, const char *bytes, size_t len)
{
    size_t room = sizeof(reply->head) - 1 - reply->head_len;
    size_t taken = len < room ? len : room;
    memcpy(reply->head + reply->head_len, bytes, taken);
    size_t before = reply->head_len;
    reply->head_len += taken;
    reply->head[reply->head_len] = '\0';
    char *end = memmem(reply->head, reply->head_len, "\r\n\r\n", 4);
    if (!end) {
        reply->state = taken < len ? BENCH_BAD : BENCH_HEAD;
        return taken;
    }
    end[4] = '\0';
    reply->head_len = (size_t)(end - reply->head) + 4;
    reply->state = read_head(reply);
    return reply->head_len - before;
}

static void keep_tail(struct bench_reply *reply, const char *bytes, size_t len)
{
    size_t size = sizeof(reply->tail);
    if (len >= size) {
        memcpy(reply->tail, bytes + len - size, size);
        reply->tail_len = size;
        return;
    }
    size_t over = reply->tail_len + len > size ? reply->tail_len + len - size : 0;
    memmove(reply->tail, reply->tail + over, reply->tail_len - over);
    memcpy(reply->tail + reply->tail_len - over, bytes, len);
    reply->tail_len += len - over;
}

static size_t feed_body(struct bench_reply *reply, const char *bytes, size_t len)
{
    size_t taken = len < reply->left ? len : reply->left;
    const char *end = bytes + taken;
    const char *id = reply->marks && reply->id_digits < 4 ? bytes : NULL;
    for (const char *at = bytes; (at = memchr(at, '@', (size_t)(end - at))); at++) {
        if (!reply->marks++) {
            id = at + 1;
        }
    }
    for (; id && id < end && reply->id_digits < 4; id++, reply->id_digits++) {
        reply->id = reply->id * 10 + (unsigned)(*id - '0');
    }
    keep_tail(reply, bytes, taken);
    reply->left -= taken;
    if (!reply->left) {
        reply->state = reply->state == BENCH_SIZED ? BENCH_DONE : BENCH_CHUNK_END;
    }
    return taken;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// Takes one byte of a line between chunks.
static void feed_line(struct bench_reply *reply, char c)
{
    if (c != '\n') {
        int value = digit(c);
        if (reply->state == BENCH_CHUNK_SIZE && value >= 0) {
            reply->left = reply->left * 16 + (size_t)value;
        }
        reply->line_len += c != '\r';
        return;
    }
    switch (reply->state) {
    case BENCH_CHUNK_SIZE:
        reply->state = !reply->line_len ? BENCH_BAD : reply->left ? BENCH_CHUNK : BENCH_TRAILER;
        break;
    case BENCH_CHUNK_END: reply->state = reply->line_len ? BENCH_BAD : BENCH_CHUNK_SIZE; break;
    default: reply->state = reply->line_len ? BENCH_TRAILER : BENCH_DONE; break;
    }
    reply->line_len = 0;
}

void bench_reply_feed(struct bench_reply *reply, const char *bytes, size_t len)
{
    while (len && reply->state != BENCH_BAD) {
        size_t taken = 1;
        switch (reply->state) {
        case BENCH_HEAD: taken = feed_head(reply, bytes, len); break;
        case BENCH_SIZED:
        case BENCH_CHUNK: taken = feed_body(reply, bytes, len); break;
        case BENCH_DONE: reply->state = BENCH_BAD; break;  // More than one answer.
        default: feed_line(reply, *bytes); break;
        }
        bytes += taken;
        len -= taken;
    }
}

bool bench_reply_right(const struct bench_reply *reply, size_t marks, const char *end)
{
    return reply->state == BENCH_DONE && reply->status == 200 && reply->marks == marks &&
           (!end || memmem(reply->tail, reply->tail_len, end, strlen(end)));
}
