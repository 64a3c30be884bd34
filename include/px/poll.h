#pragma once

#include <stdbool.h>

#include "px/loop.h"

/// Waits for a descriptor that somebody else owns.
struct px_poll;

enum px_poll_events { PX_POLL_READ = 1, PX_POLL_WRITE = 2, PX_POLL_ERROR = 4 };

/// Called from the loop with the events that came (a set of px_poll_events).
typedef void (*px_poll_fn)(void *user, int events);

/// Creates a poll on `fd`, which must stay open until px_poll_free(). NULL on failure.
struct px_poll *px_poll_new(struct px_loop *loop, int fd, px_poll_fn fn, void *user);

/// Waits for `events` from now on; 0 waits for nothing. The same set again costs nothing.
PX_CHECK enum px_status px_poll_want(struct px_poll *poll, int events);

/// Says whether this wait keeps the loop running, as it does by itself. px_poll_want() asks anew.
void px_poll_keep(struct px_poll *poll, bool on);

/// Stops waiting. The descriptor may be closed as soon as this returns. NULL is allowed.
void px_poll_free(struct px_poll *poll);
