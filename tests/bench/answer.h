#pragma once

#include <stdbool.h>
#include <stddef.h>

/// The answers of the fake upstream, written once at start.
///
/// A request says by its model's name what it wants, since that is what passes every relay and
/// every converter: `…-e400` is a stream of 400 events, `…-slow` a stream that falls silent after
/// its first event, anything else a small answer in one piece. Each piece of text holds one `@`,
/// and nothing else does: whoever receives an answer, converted or not, counts them.

/// One answer is a number of writes.
struct bench_text {
    char *ptr;
    size_t len;
};

/// All answers of one protocol.
struct bench_answers {
    struct bench_text unary;  ///< Head and body.
    struct bench_text first;  ///< Head and first event.
    struct bench_text next;   ///< One further event.
    struct bench_text last;   ///< Finish, usage and the protocol's terminator.
};

/// What a request asks for.
struct bench_wish {
    bool slow;
    long events;  ///< 0: not a stream.
};

/// Writes the answers of Chat Completions, or of Anthropic Messages, with `content` bytes of text
/// in each event.
void bench_answers_init(struct bench_answers *answers, bool anthropic, size_t content);

/// Finds the model's name in the start of a request's body and reads the wish in it.
struct bench_wish bench_wish_of(const char *body, size_t len);
