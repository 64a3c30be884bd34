// A buffer with a reading position. What was taken stays in front of it until room is needed for
// more than may wait.

#include "px/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Room that is made at most while pieces are added in turn with being taken.
#define ROOM (PX_SOURCE_AHEAD + (64u << 10))

struct px_source {
    size_t refs;
    enum px_source_state state;
    int64_t length;
    uint64_t added;
    char *ptr;
    size_t len, cap, at;
    bool dropped;  ///< The first byte is gone.
    bool full;
    px_fn on_room, on_more;
    void *room_user, *more_user;
    int status;
    char text[240];
};

struct px_source *px_source_new(int64_t length)
{
    struct px_source *source = calloc(1, sizeof(*source));
    if (source) {
        source->refs = 1;
        source->length = length;
    }
    return source;
}

struct px_source *px_source_hold(struct px_source *source)
{
    source->refs++;
    return source;
}

void px_source_drop(struct px_source *source)
{
    if (source && --source->refs == 0) {
        free(source->ptr);
        free(source);
    }
}

int64_t px_source_length(const struct px_source *source)
{
    return source->length;
}

enum px_source_state px_source_state(const struct px_source *source)
{
    return source->state;
}

// -- Who adds -------------------------------------------------------------------------------------

void px_source_on_room(struct px_source *source, px_fn fn, void *user)
{
    source->on_room = fn;
    source->room_user = user;
}

static void tell_more(struct px_source *source)
{
    if (source->on_more) {
        source->on_more(source->more_user);
    }
}

/// Moves what waits to the front.
static void drop_taken(struct px_source *source)
{
    if (source->at) {
        memmove(source->ptr, source->ptr + source->at, source->len - source->at);
        source->len -= source->at;
        source->at = 0;
        source->dropped = true;
    }
}

static enum px_status make_room(struct px_source *source, size_t more)
{
    size_t need = source->len + more;
    if (need <= source->cap) {
        return PX_OK;
    }
    size_t cap = source->cap ? source->cap : 4096;
    while (cap < need) {
        cap *= 2;
    }
    if (cap > ROOM && need <= ROOM) {
        cap = ROOM;
    }
    char *ptr = realloc(source->ptr, cap);
    if (!ptr) {
        return PX_ENOMEM;
    }
    source->ptr = ptr;
    source->cap = cap;
    return PX_OK;
}

enum px_status px_source_add(struct px_source *source, struct px_str bytes)
{
    if (!bytes.len || source->state != PX_SOURCE_OPEN) {
        return PX_OK;
    }
    if (source->len + bytes.len > PX_SOURCE_AHEAD) {
        drop_taken(source);
    }
    enum px_status st = make_room(source, bytes.len);
    if (st) {
        return st;
    }
    memcpy(source->ptr + source->len, bytes.ptr, bytes.len);
    source->len += bytes.len;
    source->added += bytes.len;
    source->full = source->full || source->len - source->at >= PX_SOURCE_AHEAD;
    tell_more(source);
    return PX_OK;
}

bool px_source_full(const struct px_source *source)
{
    return source->full;
}

void px_source_finish(struct px_source *source)
{
    if (source->state == PX_SOURCE_OPEN) {
        source->state = PX_SOURCE_WHOLE;
        if (source->length < 0 && !source->dropped && !source->at) {
            source->length = (int64_t)source->added;
        }
        tell_more(source);
    }
}

void px_source_break(struct px_source *source, int status, const char *text)
{
    if (source->state == PX_SOURCE_OPEN) {
        source->state = PX_SOURCE_BROKEN;
        source->status = status;
        snprintf(source->text, sizeof(source->text), "%s", text);
        tell_more(source);
    }
}

int px_source_broken(const struct px_source *source, const char **text)
{
    if (text) {
        *text = source->text;
    }
    return source->status;
}

struct px_str px_source_begin(const struct px_source *source, bool *whole)
{
    *whole = source->state == PX_SOURCE_WHOLE;
    return (struct px_str){ source->ptr, source->dropped ? 0 : source->len };
}

enum px_status px_source_splice(struct px_source *source, struct px_str part, struct px_str text)
{
    size_t from = (size_t)(part.ptr - source->ptr), to = from + part.len;
    enum px_status st = text.len > part.len ? make_room(source, text.len - part.len) : PX_OK;
    if (st) {
        return st;
    }
    memmove(source->ptr + from + text.len, source->ptr + to, source->len - to);
    if (text.len) {
        memcpy(source->ptr + from, text.ptr, text.len);
    }
    source->len = source->len - part.len + text.len;
    source->added = source->added - part.len + text.len;
    if (source->length >= 0) {
        source->length += (int64_t)text.len - (int64_t)part.len;
    }
    return PX_OK;
}

// -- Who takes ------------------------------------------------------------------------------------

void px_source_on_more(struct px_source *source, px_fn fn, void *user)
{
    source->on_more = fn;
    source->more_user = user;
}

struct px_str px_source_peek(const struct px_source *source)
{
    size_t waits = source->len - source->at;
    return (struct px_str){ waits ? source->ptr + source->at : source->ptr, waits };
}

void px_source_take(struct px_source *source, size_t count)
{
    source->at += count;
    if (source->full && source->len - source->at <= PX_SOURCE_AHEAD / 4) {
        source->full = false;
        if (source->on_room) {
            source->on_room(source->room_user);
        }
    }
}

bool px_source_rewind(struct px_source *source)
{
    if (source->dropped) {
        return false;
    }
    source->at = 0;
    return true;
}
