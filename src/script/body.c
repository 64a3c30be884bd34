// px.body: see body.h. Every edit makes a new block, so other holders of the old one keep theirs.

#include "body.h"

#include <stdlib.h>

#include "json_lua.h"
#include "px/jsonpath.h"
#include "vm_private.h"

#define BODY_TYPE "px.body"

static void unlink_body(struct body *body)
{
    if (body->list) {
        *(body->prev ? &body->prev->next : body->list) = body->next;
        if (body->next) {
            body->next->prev = body->prev;
        }
    }
    body->list = NULL;
    body->prev = body->next = NULL;
}

static void forget_index(struct body *body)
{
    if (body->index) {
        px_json_index_free(body->index);
        free(body->index);
        body->index = NULL;
    }
}

void px_body_release(struct body *body)
{
    forget_index(body);
    px_block_drop(body->block);
    body->block = NULL;
    unlink_body(body);
}

void px_body_release_all(struct body **list)
{
    while (*list) {
        px_body_release(*list);
    }
}

struct body *px_lua_push_body(lua_State *L, struct px_block *block, struct body **list)
{
    struct body *body = lua_newuserdata(L, sizeof(*body));
    *body = (struct body){ 0 };
    luaL_getmetatable(L, BODY_TYPE);
    lua_setmetatable(L, -2);
    body->block = px_block_hold(block);
    body->list = list;
    if (list) {
        body->next = *list;
        if (body->next) {
            body->next->prev = body;
        }
        *list = body;
    }
    return body;
}

struct body *px_lua_to_body(lua_State *L, int idx)
{
    return luaL_testudata(L, idx, BODY_TYPE);
}

static struct body *check_body(lua_State *L)
{
    struct body *body = luaL_checkudata(L, 1, BODY_TYPE);
    if (!body->block) {
        luaL_error(L, "the request's body is not in memory any more");
    }
    return body;
}

static int l_gc(lua_State *L)
{
    struct body *body = lua_touserdata(L, 1);
    px_body_release(body);
    return 0;
}

/// Scans the body unless that was done. False: it is not JSON; `err` says where.
static bool scan(lua_State *L, struct body *body, struct px_error *err)
{
    if (body->index) {
        return true;
    }
    body->index = calloc(1, sizeof(*body->index));
    if (!body->index) {
        luaL_error(L, "not enough memory");
    }
    enum px_status st = px_json_scan(px_block_str(body->block), body->index, NULL, err);
    if (st) {
        forget_index(body);
        if (st == PX_ENOMEM) {
            luaL_error(L, "not enough memory");
        }
    }
    return st == PX_OK;
}

static const struct px_json_member *member(const struct body *body, struct px_str key)
{
    return body->index->type == PX_JSON_OBJECT ? px_json_index_get(body->index, key) : NULL;
}

/// Pushes a scalar as Lua sees it: a string's text, a boolean, a number; nil for what is not there.
static void push_scalar(lua_State *L, const struct px_json_member *found)
{
    struct px_buf *out = &px_vm_of(L)->scratch;
    if (!found || found->type == PX_JSON_NULL) {
        lua_pushnil(L);
    } else if (found->type == PX_JSON_TRUE || found->type == PX_JSON_FALSE) {
        lua_pushboolean(L, found->type == PX_JSON_TRUE);
    } else if (found->type == PX_JSON_STRING) {
        px_buf_reset(out);
        if (px_json_unquote(found->value, out)) {
            luaL_error(L, "not enough memory");
        }
        lua_pushlstring(L, out->ptr ? out->ptr : "", out->len);
    } else {
        px_lua_json_decode(L, found->value);
    }
}

/// head(): the members that policy reads: model, stream. Or nil and what is wrong.
static int l_head(lua_State *L)
{
    struct body *body = check_body(L);
    struct px_error err = { PX_OK, "" };
    static const struct px_str keys[] = { PX_STR("model"), PX_STR("stream") };
    if (!scan(L, body, &err)) {
        lua_pushnil(L);
        lua_pushfstring(L, "the body is not valid JSON: %s", err.text);
        return 2;
    }
    if (body->index->type != PX_JSON_OBJECT) {
        lua_pushnil(L);
        lua_pushliteral(L, "the body must be a JSON object");
        return 2;
    }
    for (size_t i = 0; i < 2; i++) {
        if (px_json_index_count(body->index, keys[i]) > 1) {
            lua_pushnil(L);
            lua_pushfstring(L, "\"%s\" stands twice in the body", keys[i].ptr);
            return 2;
        }
    }
    lua_pushboolean(L, 1);
    push_scalar(L, member(body, keys[0]));
    push_scalar(L, member(body, keys[1]));
    return 3;
}

/// text(): the bytes, as a string.
static int l_text(lua_State *L)
{
    struct body *body = check_body(L);
    lua_pushlstring(L, body->block->ptr, body->block->len);
    return 1;
}

static int l_len(lua_State *L)
{
    struct body *body = luaL_checkudata(L, 1, BODY_TYPE);
    lua_pushinteger(L, body->block ? (lua_Integer)body->block->len : 0);
    return 1;
}

/// json(): decoded, a copy. Raises when it is not JSON.
static int l_json(lua_State *L)
{
    px_lua_json_decode(L, px_block_str(check_body(L)->block));
    return 1;
}

static struct px_json_path *check_path(lua_State *L, int arg)
{
    struct px_str text;
    text.ptr = luaL_checklstring(L, arg, &text.len);
    struct px_json_path *path = NULL;
    struct px_error err;
    if (px_json_path_new(text, &path, &err)) {
        luaL_error(L, "bad path '%s': %s", text.ptr, err.text);
    }
    return path;
}

/// get(path): the value there, decoded; nil if there is none.
static int l_get(lua_State *L)
{
    struct body *body = check_body(L);
    struct px_json_path *path = check_path(L, 2);
    struct px_str value;
    enum px_json_type type;
    bool found = px_json_get(px_block_str(body->block), path, &value, &type);
    px_json_path_free(path);
    if (!found) {
        lua_pushnil(L);
    } else {
        px_lua_json_decode(L, value);
    }
    return 1;
}

static void replace_block(lua_State *L, struct body *body, struct px_block *block)
{
    if (!block) {
        luaL_error(L, "not enough memory");
    }
    forget_index(body);
    px_block_drop(body->block);
    body->block = block;
}

/// Finishes an edit whose result is in the scratch buffer.
static int take_edit(lua_State *L, struct body *body, enum px_status st, const struct px_error *err,
                     size_t changed)
{
    struct px_buf *out = &px_vm_of(L)->scratch;
    if (st) {
        return luaL_error(L, "%s", err->text);
    }
    if (changed) {
        replace_block(L, body, px_block_copy(px_buf_str(out)));
    }
    lua_pushinteger(L, (lua_Integer)changed);
    return 1;
}

/// set(path, value): splices; gives how many places changed.
static int l_set(lua_State *L)
{
    struct body *body = check_body(L);
    luaL_checkany(L, 3);
    struct px_buf *out = &px_vm_of(L)->scratch;
    px_buf_reset(out);
    px_lua_json_encode(L, 3, out);
    lua_pushlstring(L, out->ptr, out->len);  // Outlives the buffer's next use.
    struct px_str value;
    value.ptr = lua_tolstring(L, -1, &value.len);
    struct px_json_path *path = check_path(L, 2);
    struct px_error err = { PX_OK, "" };
    size_t changed = 0;
    px_buf_reset(out);
    enum px_status st = px_json_set(px_block_str(body->block), path, value, out, &changed, &err);
    px_json_path_free(path);
    return take_edit(L, body, st, &err, changed);
}

/// remove(path): splices; gives how many places changed.
static int l_remove(lua_State *L)
{
    struct body *body = check_body(L);
    struct px_json_path *path = check_path(L, 2);
    struct px_buf *out = &px_vm_of(L)->scratch;
    struct px_error err = { PX_OK, "" };
    size_t changed = 0;
    px_buf_reset(out);
    enum px_status st = px_json_remove(px_block_str(body->block), path, out, &changed, &err);
    px_json_path_free(path);
    return take_edit(L, body, st, &err, changed);
}

/// model(name): exchanges the value of the top member `model`, in one copy.
static int l_model(lua_State *L)
{
    struct body *body = check_body(L);
    struct px_str name;
    name.ptr = luaL_checklstring(L, 2, &name.len);
    struct px_error err;
    if (!scan(L, body, &err)) {
        return luaL_error(L, "the body is not valid JSON: %s", err.text);
    }
    const struct px_json_member *found = member(body, PX_STR("model"));
    if (!found) {
        return luaL_error(L, "the body has no model");
    }
    if (found->type == PX_JSON_STRING && px_json_means(found->value, name)) {
        return 0;
    }
    struct px_buf *out = &px_vm_of(L)->scratch;
    px_buf_reset(out);
    if (px_json_quote(out, name)) {
        return luaL_error(L, "not enough memory");
    }
    replace_block(L, body,
                  px_json_splice(px_block_str(body->block), found->value, px_buf_str(out)));
    return 0;
}

/// copy(): another body with the same bytes.
static int l_copy(lua_State *L)
{
    struct body *body = check_body(L);
    px_lua_push_body(L, body->block, body->list);
    return 1;
}

/// release(): lets go of the bytes.
static int l_release(lua_State *L)
{
    px_body_release(luaL_checkudata(L, 1, BODY_TYPE));
    return 0;
}

/// new(text|table): a table is written as JSON.
static int l_new(lua_State *L)
{
    struct body *body = lua_newuserdata(L, sizeof(*body));
    *body = (struct body){ 0 };
    luaL_getmetatable(L, BODY_TYPE);
    lua_setmetatable(L, -2);
    if (lua_type(L, 1) == LUA_TTABLE) {
        body->block = px_block_copy(px_lua_json_text(L, 1));
        px_lua_json_text_end(L);
    } else {
        struct px_str text;
        text.ptr = luaL_checklstring(L, 1, &text.len);
        body->block = px_block_copy(text);
    }
    return body->block ? 1 : luaL_error(L, "not enough memory");
}

void px_lua_open_body(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "copy", l_copy },   { "get", l_get },         { "head", l_head },     { "json", l_json },
        { "model", l_model }, { "release", l_release }, { "remove", l_remove }, { "set", l_set },
        { "text", l_text },   { NULL, NULL },
    };
    luaL_newmetatable(L, BODY_TYPE);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, l_len);
    lua_setfield(L, -2, "__len");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, l_new);
    lua_setfield(L, -2, "new");
}
