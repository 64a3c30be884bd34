#pragma once

#include <stddef.h>

/// Finds the known name that a mistyped one most likely means, for "did you mean". Ask it about
/// each candidate; start with zeroes.
struct px_near {
    const char *best;
    size_t distance;
};

/// Considers one candidate (borrowed).
void px_near_try(struct px_near *near, const char *typed, const char *known);
