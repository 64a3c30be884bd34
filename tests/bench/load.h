#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reply.h"

#define BENCH_TARGETS 4

/// What to send, how often, and what a right answer is.
struct bench_load {
    int ports[BENCH_TARGETS];
    size_t targets;
    bool tls;
    long connections;
    long requests;    ///< For each target.
    long rate;        ///< A second and target; 0: as fast as answers come.
    bool busy;        ///< Neither we nor the upstream sleep; needs ack_port.
    int ack_port;     ///< Where arrived events are told to; 0: nowhere.
    size_t marks;     ///< Events of text in a right answer.
    const char *end;  ///< What its last bytes hold, or NULL.
    char *request;
    size_t request_len;
};

/// What came back from one target.
struct bench_tally {
    long done, errors;
    uint64_t *whole, *first;  ///< Nanoseconds to the end, and to the first event; one per request.
    uint64_t reads;           ///< Reads that the answers took.
};

/// Sends everything from one epoll loop: in a closed loop over all connections, or at a fixed rate,
/// in turn to one target after the other.
void bench_drive(const struct bench_load *load, struct bench_tally *tallies);

/// Opens all connections one by one, over each sends the request and reads until the answer is
/// complete, or until its first event where `open` is set. Says "ready" on stdout, and holds them
/// until stdin ends. Returns the number of wrong answers.
long bench_hold(const struct bench_load *load, bool open);

/// Says on stderr, for the first three, how an answer was wrong.
void bench_complain(const struct bench_reply *reply, const struct bench_load *load);
