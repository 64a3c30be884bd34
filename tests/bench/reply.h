#pragma once

#include <stdbool.h>
#include <stddef.h>

/// Reads one HTTP/1.1 answer, in pieces, and counts what tells that it is the right one.

enum bench_reply_state {
    BENCH_HEAD,
    BENCH_SIZED,  ///< A body of known length.
    BENCH_CHUNK_SIZE,
    BENCH_CHUNK,
    BENCH_CHUNK_END,
    BENCH_TRAILER,
    BENCH_DONE,
    BENCH_BAD,
};

struct bench_reply {
    enum bench_reply_state state;
    int status;
    bool closes;    ///< The server said that it will close the connection.
    size_t marks;   ///< `@` in the body: one for each event of text.
    int id_digits;  ///< Of the number after the first mark, so far.
    unsigned id;    ///< The number, once it has four digits.
    size_t left;    ///< Of the body, or of the chunk.
    size_t line_len;
    size_t head_len;
    size_t tail_len;
    char tail[512];  ///< The body's last bytes, not terminated.
    char head[8192];
};

void bench_reply_start(struct bench_reply *reply);

/// Takes bytes; the state says whether that was all (DONE), or nonsense (BAD).
void bench_reply_feed(struct bench_reply *reply, const char *bytes, size_t len);

/// True if the answer is complete, has status 200, `marks` marks, and `end` in its last bytes.
bool bench_reply_right(const struct bench_reply *reply, size_t marks, const char *end);
