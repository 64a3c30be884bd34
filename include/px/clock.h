#pragma once

#include <stdint.h>

/// Milliseconds of the monotonic clock; its zero has no meaning.
uint64_t px_clock_ms(void);

/// Nanoseconds of the monotonic clock.
uint64_t px_clock_ns(void);

/// Nanoseconds of processor time of the calling thread.
uint64_t px_clock_cpu_ns(void);

/// Milliseconds since 1970-01-01 UTC.
int64_t px_clock_wall_ms(void);
