#pragma once

#include <stdbool.h>
#include <stdint.h>

/// What the load generator and the fake upstream share: sockets, the clock, the processor.
///
/// Both are measuring tools, run by one script: whatever goes wrong in their surroundings ends
/// them with one line on stderr.

/// Nanoseconds of a clock that never goes back.
uint64_t bench_now(void);

/// Prints one line and exits with 1.
_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/// Binds the process to processor `cpu`; a negative number leaves it alone.
void bench_pin(int cpu);

/// Allows as many open files as the hard limit does.
void bench_raise_files(void);

/// Reads a whole number of `min` or more; `name` is the option's, for the complaint.
long bench_number(const char *name, const char *text, long min);

/// Listens on loopback, without blocking; `*port` 0 takes a free one and is set to it.
int bench_listen(int *port);

/// What the load generator tells the fake upstream, many in one datagram: so many events of this
/// connection arrived.
struct bench_ack {
    uint16_t id, events;
};

/// Instead of a connection: while `events` is 1, keep asking for work instead of sleeping. A
/// sleeping receiver makes its sender pay for waking it, which in a virtual machine can cost more
/// than the rest of what the sender does.
#define BENCH_BUSY 0xffff

#define BENCH_ACKS 128  ///< At most so many in a datagram.

/// A datagram socket on loopback that does not block: bound to `*port` (set to it) where `bound`,
/// else connected to it.
int bench_datagram(int *port, bool bound);

/// Connects to loopback with TCP_NODELAY. The connection itself is made before this returns.
int bench_connect(int port, bool blocking);
