#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/status.h"
#include "px/str.h"

/// One look-up of a host at a time.
///
/// The library looks names up in threads, one for each transfer that finds no cached address. The
/// gate lets one transfer go ahead and holds the others for the same name until that one has an
/// address, which the others then find in the library's cache.
struct px_gate_host;

/// A transfer's place at the gate. Embed it, zeroed.
struct px_gate_pass {
    struct px_gate_host *host;  ///< NULL while it has nothing to do with the gate.
    struct px_gate_pass *next;
    bool waiting;
};

struct px_gate {
    struct px_gate_host *buckets[64];
    size_t count;
    void (*on_open)(struct px_gate_pass *pass);    ///< The pass need not wait any longer.
    void (*on_refuse)(struct px_gate_pass *pass);  ///< The name that it waits for has no address.
};

enum px_gate_answer { PX_GATE_GO, PX_GATE_WAIT };

/// Asks to look up `name`. After PX_GATE_GO with `pass->host` set the transfer makes the look-up
/// for all and says how it went by px_gate_found(), px_gate_refused() or px_gate_leave(). Without
/// memory the answer is PX_GATE_GO: the gate spares threads, it is not needed for right answers.
enum px_gate_answer px_gate_enter(struct px_gate *gate, struct px_gate_pass *pass,
                                  struct px_str name, uint64_t now);

/// The look-up gave an address: all may go.
void px_gate_found(struct px_gate *gate, struct px_gate_pass *pass, uint64_t now);

/// The look-up gave no address: all that wait hear so.
void px_gate_refused(struct px_gate *gate, struct px_gate_pass *pass);

/// The transfer has gone, or needed no look-up: the next one goes ahead.
void px_gate_leave(struct px_gate *gate, struct px_gate_pass *pass);

/// Frees the table; nobody may be at the gate.
void px_gate_deinit(struct px_gate *gate);
