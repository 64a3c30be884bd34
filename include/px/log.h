#pragma once

#include <stddef.h>

#include "px/status.h"
#include "px/str.h"

/// The log: lines go through a bounded queue to a thread of their own, so that no loop ever waits
/// for a disk or a terminal. When the queue is full a line is dropped and counted; the next line
/// that gets through says how many were lost. Before px_log_start() and after px_log_stop() lines
/// are written at once. Safe from every thread.

enum px_log_level { PX_LOG_ERROR, PX_LOG_WARN, PX_LOG_INFO, PX_LOG_DEBUG };

enum px_log_format { PX_LOG_TEXT, PX_LOG_JSON };

/// Starts the thread. Lines go to `fd` (borrowed until px_log_stop()).
PX_CHECK enum px_status px_log_start(int fd, struct px_error *err);

/// Writes what is queued and ends the thread.
void px_log_stop(void);

/// Sets what is written and how. May be called at any time.
void px_log_set(enum px_log_level level, enum px_log_format format);

/// True when a line of this level would be written: ask before costly preparations.
int px_log_on(enum px_log_level level);

/// Queues one line: `area` is a short name ("fetch", "reload"). Lines are cut at 2,000 bytes and
/// control characters in them are escaped.
void px_log(enum px_log_level level, const char *area, const char *fmt, ...) PX_PRINTF(3, 4);
