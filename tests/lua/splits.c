#include "splits.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "framing.h"

#define EVENT_MAX ((size_t)16 << 20)

// What a parser said, as text.
struct said {
    struct px_buf text;
    lua_State *L;  ///< Where events are pushed: a list is on top of its stack. May be NULL.
};

static void push_event(lua_State *L, const struct px_sse_event *event)
{
    lua_createtable(L, 2, 0);
    lua_pushlstring(L, event->type.ptr, event->type.len);
    lua_rawseti(L, -2, 1);
    lua_pushlstring(L, event->data.ptr, event->data.len);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

static enum px_status on_event(const struct px_sse_event *event, void *user)
{
    struct said *said = user;
    const struct px_str parts[] = { event->type,
                                    PX_STR("|"),
                                    event->data,
                                    PX_STR("|"),
                                    event->id,
                                    PX_STR("|"),
                                    event->open ? PX_STR("open\n") : PX_STR("\n") };
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        enum px_status st = px_buf_add(&said->text, parts[i]);
        if (st) {
            return st;
        }
    }
    if (said->L) {
        push_event(said->L, event);
    }
    return PX_OK;
}

// Pieces that die when they are read, so that a span kept too long is found.
static enum px_status feed(struct framing *framing, struct px_str bytes, struct said *said)
{
    char *copy = malloc(bytes.len + 1);
    if (!copy) {
        return PX_ENOMEM;
    }
    memcpy(copy, bytes.ptr, bytes.len);
    enum px_status st = framing_feed(framing, (struct px_str){ copy, bytes.len }, on_event, said);
    memset(copy, '?', bytes.len);
    free(copy);
    return st;
}

// Reads `part`, cut at `cut`. At the end of the stream `last` it is told so.
static enum px_status read_cut(enum px_framing kind, struct px_str part, size_t cut, bool last,
                               struct said *said)
{
    struct framing framing;
    framing_init(&framing, kind, EVENT_MAX);
    px_buf_reset(&said->text);
    enum px_status st = feed(&framing, (struct px_str){ part.ptr, cut }, said);
    st = st ? st : feed(&framing, (struct px_str){ part.ptr + cut, part.len - cut }, said);
    st = st || !last ? st : framing_end(&framing, on_event, said);
    framing_deinit(&framing);
    return st;
}

// Cuts what lies between two places where nothing is held at each of its bytes. Gives the number of
// cuts, or -1 - the place that made a difference.
static long cut_part(enum px_framing kind, struct px_str part, bool last)
{
    struct said whole = { .text = PX_BUF(SIZE_MAX / 2) }, cut = { .text = PX_BUF(SIZE_MAX / 2) };
    enum px_status st = read_cut(kind, part, part.len, last, &whole);
    size_t at = 1;
    for (; at < part.len; at++) {
        if (read_cut(kind, part, at, last, &cut) != st ||
            !px_str_eq(px_buf_str(&whole.text), px_buf_str(&cut.text))) {
            break;
        }
    }
    px_buf_free(&whole.text);
    px_buf_free(&cut.text);
    return at >= part.len ? (long)at - 1 : -1 - (long)at;
}

// Reads byte for byte; at each place where nothing is held the part before it is cut everywhere.
// Gives how many cuts there were. `wrong` becomes the place of one that made a difference.
static size_t read_bytes(enum px_framing kind, struct px_str text, struct said *said, long *wrong)
{
    struct framing framing;
    framing_init(&framing, kind, EVENT_MAX);
    enum px_status st = PX_OK;
    size_t begin = 0, cuts = 0;
    for (size_t at = 0; at < text.len && !st && *wrong < 0; at++) {
        st = feed(&framing, (struct px_str){ text.ptr + at, 1 }, said);
        bool last = at + 1 == text.len;
        if (!st && (last || framing_idle(&framing))) {
            struct px_str part = { text.ptr + begin, at + 1 - begin };
            long done = cut_part(kind, part, last);
            *wrong = done < 0 ? (long)begin - 1 - done : -1;
            cuts += done > 0 ? (size_t)done : 0;
            begin = at + 1;
        }
    }
    if (st || framing_end(&framing, on_event, said)) {
        px_buf_reset(&said->text);
    }
    framing_deinit(&framing);
    return cuts;
}

static int l_everywhere(lua_State *L)
{
    struct px_str text;
    text.ptr = luaL_checklstring(L, 1, &text.len);
    static const char *const kinds[] = { "sse", "lines", NULL };
    enum px_framing kind = luaL_checkoption(L, 2, NULL, kinds) ? PX_FRAMING_LINES : PX_FRAMING_SSE;
    lua_newtable(L);
    struct said whole = { .text = PX_BUF(SIZE_MAX / 2), .L = L };
    struct said bytes = { .text = PX_BUF(SIZE_MAX / 2) };
    long wrong = -1;
    enum px_status st = read_cut(kind, text, text.len, true, &whole);
    size_t cuts = st ? 0 : read_bytes(kind, text, &bytes, &wrong);
    bool same = px_str_eq(px_buf_str(&whole.text), px_buf_str(&bytes.text));
    px_buf_free(&whole.text);
    px_buf_free(&bytes.text);
    if (st) {
        return luaL_error(L, "it cannot be read");
    } else if (wrong >= 0) {
        return luaL_error(L, "a cut at byte %d makes a difference", (int)wrong);
    } else if (!same) {
        return luaL_error(L, "byte for byte it reads as something else");
    }
    lua_pushinteger(L, (lua_Integer)cuts);
    return 2;
}

void open_splits(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    lua_newtable(L);
    lua_pushcfunction(L, l_everywhere);
    lua_setfield(L, -2, "everywhere");
    lua_setfield(L, -2, "splits");
    lua_pop(L, 2);
}
