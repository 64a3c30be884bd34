#pragma once

#include "px/loop.h"

/// Sends what the connections of `loop` have queued. Called once a round.
void px_net_flush(struct px_loop *loop);

/// Cuts connections that their owners let go of. Those still held are their owners' leak.
void px_net_deinit(struct px_loop *loop);

/// Frees what connections shared.
void px_net_free(struct px_loop *loop);
