// px.crypto: hashes, random bytes, base64 and hex for scripts. Nothing here waits.

#include "px/crypto.h"
#include "vm_private.h"

static struct px_str check_bytes(lua_State *L, int arg)
{
    struct px_str bytes;
    bytes.ptr = luaL_checklstring(L, arg, &bytes.len);
    return bytes;
}

static int push_hex(lua_State *L, struct px_str bytes)
{
    static const char digits[] = "0123456789abcdef";
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < bytes.len; i++) {
        luaL_addchar(&out, digits[(unsigned char)bytes.ptr[i] >> 4]);
        luaL_addchar(&out, digits[(unsigned char)bytes.ptr[i] & 15]);
    }
    luaL_pushresult(&out);
    return 1;
}

/// sha256(bytes): in hex.
static int l_sha256(lua_State *L)
{
    unsigned char hash[PX_SHA256_LEN];
    if (px_sha256(check_bytes(L, 1), hash)) {
        return luaL_error(L, "not enough memory");
    }
    return push_hex(L, (struct px_str){ (char *)hash, sizeof(hash) });
}

/// hmac_sha256(key, bytes): in hex.
static int l_hmac_sha256(lua_State *L)
{
    unsigned char hash[PX_SHA256_LEN];
    if (px_hmac_sha256(check_bytes(L, 1), check_bytes(L, 2), hash)) {
        return luaL_error(L, "not enough memory");
    }
    return push_hex(L, (struct px_str){ (char *)hash, sizeof(hash) });
}

/// random(n): n random bytes, at most 1,024.
static int l_random(lua_State *L)
{
    char bytes[1024];
    lua_Integer len = luaL_checkinteger(L, 1);
    luaL_argcheck(L, len >= 0 && len <= (lua_Integer)sizeof(bytes), 1, "must be 0 to 1024");
    if (px_random(bytes, (size_t)len)) {
        return luaL_error(L, "the system gives no random bytes");
    }
    lua_pushlstring(L, bytes, (size_t)len);
    return 1;
}

/// hex(bytes)
static int l_hex(lua_State *L)
{
    return push_hex(L, check_bytes(L, 1));
}

static int push_coded(lua_State *L, enum px_status (*code)(struct px_str, struct px_buf *))
{
    struct px_buf *out = &px_vm_of(L)->scratch;
    px_buf_reset(out);
    enum px_status st = code(check_bytes(L, 1), out);
    if (st == PX_EINVAL) {
        lua_pushnil(L);
        lua_pushliteral(L, "not base64");
        return 2;
    }
    if (st) {
        return luaL_error(L, "not enough memory");
    }
    lua_pushlstring(L, out->ptr ? out->ptr : "", out->len);
    return 1;
}

/// base64(bytes)
static int l_base64(lua_State *L)
{
    return push_coded(L, px_base64_encode);
}

/// unbase64(text): the bytes, or nil and a message.
static int l_unbase64(lua_State *L)
{
    return push_coded(L, px_base64_decode);
}

/// same(a, b): compares two secrets in constant time.
static int l_same(lua_State *L)
{
    lua_pushboolean(L, px_same_secret(check_bytes(L, 1), check_bytes(L, 2)));
    return 1;
}

void px_lua_open_crypto(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "base64", l_base64 },     { "hex", l_hex },   { "hmac_sha256", l_hmac_sha256 },
        { "random", l_random },     { "same", l_same }, { "sha256", l_sha256 },
        { "unbase64", l_unbase64 }, { NULL, NULL },
    };
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
}
