#include "px/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t px_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t px_clock_ms(void)
{
    return px_clock_ns() / 1000000;
}

uint64_t px_clock_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t px_clock_wall_ms(void)
{
    return (int64_t)(read_clock(CLOCK_REALTIME) / 1000000);
}
