#pragma once

#include "px/loop.h"

/// Watches one directory (not its subdirectories).
struct px_watch;

/// Calls `fn(user)` from the loop when something in `dir` was created, written, renamed or removed;
/// several changes may make one call. Where the system cannot watch (some network file systems)
/// nothing comes: callers also look by themselves from time to time.
struct px_watch *px_watch_new(struct px_loop *loop, const char *dir, px_fn fn, void *user,
                              struct px_error *err);

/// NULL is allowed.
void px_watch_free(struct px_watch *watch);
