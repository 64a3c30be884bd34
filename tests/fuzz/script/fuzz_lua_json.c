// JSON to Lua and back. What was decoded must be encoded as the same tokens without white space
// (strings in our own spelling, repeated members once), and then be a fixpoint.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

#include "json_lua.h"
#include "px/json.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void add(struct px_buf *out, struct px_str bytes)
{
    CHECK(px_buf_add(out, bytes) == PX_OK);
}

// Writes the text in our own spelling; gives the number of its members.
static size_t rewrite(struct px_str text, struct px_buf *out)
{
    struct px_json_reader reader;
    struct px_buf string = PX_BUF(1 << 24);
    size_t keys = 0;
    bool comma = false;
    px_json_reader_init(&reader, text);
    for (;;) {
        enum px_json_token token = px_json_next(&reader);
        CHECK(token != PX_JSON_T_ERROR);
        if (token == PX_JSON_T_END) {
            break;
        }
        bool end = token == PX_JSON_T_ARRAY_END || token == PX_JSON_T_OBJECT_END;
        if (comma && !end) {
            add(out, PX_STR(","));
        }
        if (token == PX_JSON_T_STRING || token == PX_JSON_T_KEY) {
            px_buf_reset(&string);
            CHECK(px_json_unquote(reader.token, &string) == PX_OK);
            CHECK(px_json_quote(out, px_buf_str(&string)) == PX_OK);
        } else {
            add(out, reader.token);
        }
        if (token == PX_JSON_T_KEY) {
            add(out, PX_STR(":"));
            keys++;
        }
        comma = token != PX_JSON_T_KEY && token != PX_JSON_T_ARRAY && token != PX_JSON_T_OBJECT;
    }
    px_buf_free(&string);
    return keys;
}

static bool is_number(struct px_str text)
{
    struct px_json_reader reader;
    px_json_reader_init(&reader, text);
    return px_json_next(&reader) == PX_JSON_T_NUMBER;
}

struct job {
    struct px_str text;
    struct px_buf *out;
    bool change;
};

static int round_trip(lua_State *L)
{
    struct job *job = lua_touserdata(L, 1);
    px_lua_json_decode(L, job->text);
    CHECK(lua_gettop(L) == 2);
    if (job->change && lua_istable(L, 2) && lua_objlen(L, 2) == 0) {
        // Takes one member away and adds two, as a rule might.
        lua_pushnil(L);
        if (lua_next(L, 2)) {
            if (lua_type(L, -2) == LUA_TSTRING) {
                lua_pop(L, 1);
                lua_pushvalue(L, -1);
                lua_pushnil(L);
                lua_rawset(L, 2);
                lua_pushnumber(L, 1);
                lua_setfield(L, 2, "zz");
                lua_pushnumber(L, 0.5);
                lua_setfield(L, 2, "aa");
            }
        }
        lua_settop(L, 2);
    }
    px_lua_json_encode(L, 2, job->out);
    CHECK(lua_gettop(L) == 2);
    return 0;
}

static bool run(lua_State *L, struct px_str text, bool change, struct px_buf *out)
{
    struct job job = { text, out, change };
    lua_settop(L, 0);
    px_buf_reset(out);
    return lua_cpcall(L, round_trip, &job) == 0;
}

static int open_json(lua_State *L)
{
    px_lua_open_json(L);
    return 0;
}

static lua_State *state;

static void close_state(void)
{
    lua_close(state);
}

static void open_state(void)
{
    state = luaL_newstate();
    CHECK(state);
    atexit(close_state);
    luaJIT_setmode(state, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    CHECK(lua_cpcall(state, open_json, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!state) {
        open_state();
    }
    struct px_str text = { (const char *)data, size };
    struct px_buf out = PX_BUF(1 << 24), expected = PX_BUF(1 << 24), again = PX_BUF(1 << 24);
    bool good = px_json_scan(text, NULL, NULL, NULL) == PX_OK;
    CHECK(run(state, text, false, &out) == good);
    // The text of a number alone has no table beside which it could be kept.
    if (good && !is_number(text)) {
        size_t keys = rewrite(text, &expected);
        px_buf_reset(&again);
        if (rewrite(px_buf_str(&out), &again) == keys) {
            CHECK(px_str_eq(px_buf_str(&out), px_buf_str(&expected)));
        }
        CHECK(px_str_eq(px_buf_str(&out), px_buf_str(&again)));
        CHECK(run(state, px_buf_str(&out), false, &again));
        CHECK(px_str_eq(px_buf_str(&out), px_buf_str(&again)));
        CHECK(run(state, text, true, &again));
        CHECK(px_json_scan(px_buf_str(&again), NULL, NULL, NULL) == PX_OK);
    }
    px_buf_free(&out);
    px_buf_free(&expected);
    px_buf_free(&again);
    return 0;
}
