#pragma once

#include <stddef.h>
#include <stdint.h>

#include "px/buf.h"
#include "px/status.h"
#include "px/str.h"

/// Counters that all threads add to, in Prometheus' text form. Bounded: when 10,000 series are
/// there, new ones are counted in `proxima_counters_dropped_total` alone; so are those longer than
/// 1 KiB.
struct px_counters;

/// NULL if out of memory.
struct px_counters *px_counters_new(void);

/// NULL is allowed.
void px_counters_free(struct px_counters *counters);

/// Adds `n` to a series, which is a metric's name with its labels:
/// `proxima_lost_total{from="a",to="b",field="c"}`. The text is taken as it is.
void px_counters_add(struct px_counters *counters, struct px_str series, uint64_t n);

/// Appends all series, sorted, each metric with its `# TYPE` line.
PX_CHECK enum px_status px_counters_print(struct px_counters *counters, struct px_buf *out);
