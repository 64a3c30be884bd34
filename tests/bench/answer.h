#pragma once

#include <stdbool.h>
#include <stddef.h>

/// The answers of the fake upstream, written once at start.
///
/// A request says by its model's name what it wants, since that passes every relay and every
/// converter: `…-e400` is a stream of 400 events, each sent when the one before has arrived,
/// `…-t400` one of 400 events by the clock, `…-slow` a stream that falls silent after its first
/// event, anything else a small answer in one piece. Each piece of text holds one `@`, and nothing
/// else does: whoever receives an answer, converted or not, counts them. Four digits follow it, the
/// connection's number, by which the receiver says that an event has arrived.

/// One answer is a number of writes.
struct bench_text {
    char *ptr;
    size_t len;
    char *number;  ///< Where the four digits are, or NULL.
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
    bool slow, timed;
    long events;  ///< 0: not a stream.
};

/// A vendor's protocol.
enum bench_kind {
    BENCH_CHAT,
    BENCH_MESSAGES,
    BENCH_RESPONSES,
    BENCH_GEMINI,
    BENCH_OLLAMA,
    BENCH_KINDS,
};

/// Writes the answers of a protocol, with `content` bytes of text in each event.
void bench_answers_init(struct bench_answers *answers, enum bench_kind kind, size_t content);

/// Tells by the start of a request which protocol it is in.
enum bench_kind bench_kind_of(const char *head, size_t len);

/// Puts the number of a connection, below 10,000, into a text that is about to be sent.
void bench_text_number(struct bench_text text, unsigned number);

/// Finds the model's name in the start of a request, head and body, and reads the wish in it.
struct bench_wish bench_wish_of(const char *request, size_t len);
