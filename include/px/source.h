#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/loop.h"
#include "px/str.h"

/// A request's body that passes through memory instead of staying in it: the client's connection
/// adds pieces, a transfer takes them. Both hold it; all of it happens on one thread.
///
/// What came first stays until more than PX_SOURCE_AHEAD has come and been taken, so a request may
/// be sent once more as long as no more than that was sent.
struct px_source;

/// Bytes that wait at most, but for one piece: then it is full.
#define PX_SOURCE_AHEAD (256u << 10)

/// How far a source has come.
enum px_source_state {
    PX_SOURCE_OPEN,    ///< More may come.
    PX_SOURCE_WHOLE,   ///< All has been added.
    PX_SOURCE_BROKEN,  ///< The rest will not come.
};

/// Creates a source with one holder. `length` is that of the whole body, -1 when nobody knows. NULL
/// if out of memory.
struct px_source *px_source_new(int64_t length);

struct px_source *px_source_hold(struct px_source *source);

/// Takes a holder away; the last one frees it. NULL is allowed.
void px_source_drop(struct px_source *source);

int64_t px_source_length(const struct px_source *source);
enum px_source_state px_source_state(const struct px_source *source);

// -- Who adds --

/// Names who is told (from a callback: record only) when a full source has room again. NULL:
/// nobody.
void px_source_on_room(struct px_source *source, px_fn fn, void *user);

/// Adds a piece, and tells the one who takes. PX_ENOMEM.
PX_CHECK enum px_status px_source_add(struct px_source *source, struct px_str bytes);

/// True while more waits than should: stop adding until told.
bool px_source_full(const struct px_source *source);

/// All was added. A length that was not known is known now.
void px_source_finish(struct px_source *source);

/// The rest will not come; `status` and `text` (copied) say why to the client. The first one
/// counts.
void px_source_break(struct px_source *source, int status, const char *text);

/// What px_source_break() said; 0 if nothing did.
int px_source_broken(const struct px_source *source, const char **text);

/// What was added so far and not yet dropped, from the first byte: `whole` tells whether that is
/// the whole body. Only before anything was taken.
struct px_str px_source_begin(const struct px_source *source, bool *whole);

/// Exchanges `part`, a span of px_source_begin(), for `text`. PX_ENOMEM.
PX_CHECK enum px_status px_source_splice(struct px_source *source, struct px_str part,
                                         struct px_str text);

// -- Who takes --

/// Names who is told (from a callback: record only) when there is more, or the state changed.
void px_source_on_more(struct px_source *source, px_fn fn, void *user);

/// What waits, borrowed until the source is next touched. May be empty.
struct px_str px_source_peek(const struct px_source *source);

/// `count` bytes of what waits have been used.
void px_source_take(struct px_source *source, size_t count);

/// Goes back to the first byte. False if that is gone.
bool px_source_rewind(struct px_source *source);
