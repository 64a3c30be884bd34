#pragma once

#include <pthread.h>

#include "px/status.h"

/// Starts a thread named `name` (at most 15 characters) with all signals blocked. The caller joins.
PX_CHECK enum px_status px_thread_start(pthread_t *thread, const char *name, void *(*run)(void *),
                                        void *user, struct px_error *err);
