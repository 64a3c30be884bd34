#pragma once

#include "px/loop.h"

/// A signal handler that runs on a loop (the main thread's).
struct px_signal;

/// Calls `fn(user)` from the loop each time `signum` arrives. NULL on failure.
struct px_signal *px_signal_new(struct px_loop *loop, int signum, px_fn fn, void *user);

/// NULL is allowed.
void px_signal_free(struct px_signal *signal);
