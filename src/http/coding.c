// zlib and libzstd behind one face. Both are driven the same way: as long as there is input, or the
// output was filled to the brim, decode into `out` and hand it on.

#define ZLIB_CONST  // zlib takes const input.

#include "px/http_coding.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "px/http.h"

#define OUT_SIZE 16384
#define PIECE_MAX (1u << 30)  ///< zlib counts in unsigned int.
#define ZSTD_WINDOW_LOG 23    ///< 8 MiB.

enum kind { UNKNOWN, IDENTITY, GZIP, DEFLATE, ZSTD };

struct px_http_coding {
    enum kind kind;
    uint64_t left;   ///< Content that may still come.
    bool begun;      ///< The first byte of deflate has come.
    bool whole;      ///< A member or frame ended with the last byte.
    uint8_t magic;   ///< How many bytes of a zstd frame's magic number were looked at.
    bool skippable;  ///< The zstd frame has no content.
    z_stream zlib;
    ZSTD_DCtx *zstd;
    char out[];  ///< OUT_SIZE bytes; none for identity.
};

/// Where decoded bytes go.
struct sink {
    px_http_coding_fn fn;
    void *user;
    struct px_error *err;
};

static enum kind find_kind(struct px_str name)
{
    static const struct {
        struct px_str name;
        enum kind kind;
    } known[] = {
        { { "identity", 8 }, IDENTITY }, { { "gzip", 4 }, GZIP }, { { "x-gzip", 6 }, GZIP },
        { { "deflate", 7 }, DEFLATE },   { { "zstd", 4 }, ZSTD },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (px_http_same(name, known[i].name)) {
            return known[i].kind;
        }
    }
    return UNKNOWN;
}

bool px_http_coding_known(struct px_str name)
{
    return find_kind(name) != UNKNOWN;
}

static bool start(struct px_http_coding *coding)
{
    switch (coding->kind) {
    case GZIP: return inflateInit2(&coding->zlib, 15 + 16) == Z_OK;
    case DEFLATE: return inflateInit2(&coding->zlib, 15) == Z_OK;
    case ZSTD:
        coding->zstd = ZSTD_createDCtx();
        return coding->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(
                                   coding->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
    default: return true;
    }
}

enum px_status px_http_coding_new(struct px_str name, uint64_t limit, struct px_http_coding **out,
                                  struct px_error *err)
{
    enum kind kind = find_kind(name);
    if (kind == UNKNOWN) {
        return px_fail(err, PX_EINVAL, "unknown content coding");
    }
    size_t room = kind == IDENTITY ? 0 : OUT_SIZE;
    struct px_http_coding *coding = calloc(1, sizeof(*coding) + room);
    if (!coding) {
        return px_fail(err, PX_ENOMEM, "no memory for a content coding");
    }
    coding->kind = kind;
    coding->left = limit;
    if (!start(coding)) {
        px_http_coding_free(coding);
        return px_fail(err, PX_ENOMEM, "no memory for a content coding");
    }
    *out = coding;
    return PX_OK;
}

void px_http_coding_free(struct px_http_coding *coding)
{
    if (!coding) {
        return;
    }
    inflateEnd(&coding->zlib);
    ZSTD_freeDCtx(coding->zstd);
    free(coding);
}

static enum px_status emit(struct px_http_coding *coding, struct px_str bytes,
                           const struct sink *sink)
{
    bool over = bytes.len > coding->left;
    if (over) {
        bytes.len = (size_t)coding->left;
    }
    coding->left -= bytes.len;
    enum px_status st = bytes.len ? sink->fn(bytes, sink->user) : PX_OK;
    if (!st && over) {
        return px_fail(sink->err, PX_ETOOBIG, "decoded content is over its limit");
    }
    return st;
}

static enum px_status damaged(const struct sink *sink, const char *coding, const char *words)
{
    return px_fail(sink->err, PX_EINVAL, "damaged %s content: %s", coding, words);
}

/// Between two members of gzip; deflate has only one.
static enum px_status next_member(struct px_http_coding *coding, const struct sink *sink)
{
    if (coding->kind == DEFLATE) {
        return damaged(sink, "deflate", "bytes behind its end");
    }
    coding->whole = false;
    return inflateReset(&coding->zlib) == Z_OK ? PX_OK : damaged(sink, "gzip", "no restart");
}

static enum px_status feed_zlib(struct px_http_coding *coding, struct px_str bytes,
                                const struct sink *sink)
{
    z_stream *zlib = &coding->zlib;
    // The first byte of zlib's wrapper says method 8 and a window of at most 32 KiB.
    if (coding->kind == DEFLATE && !coding->begun && (bytes.ptr[0] & 0x8f) != 8) {
        inflateReset2(zlib, -15);
    }
    coding->begun = true;
    zlib->next_in = (const Bytef *)bytes.ptr;
    zlib->avail_in = (uInt)bytes.len;
    bool full = false;
    while (zlib->avail_in || full) {
        enum px_status st = coding->whole ? next_member(coding, sink) : PX_OK;
        if (st) {
            return st;
        }
        zlib->next_out = (Bytef *)coding->out;
        zlib->avail_out = OUT_SIZE;
        int result = inflate(zlib, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR) {
            return px_fail(sink->err, PX_ENOMEM, "no memory for a content coding");
        }
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
            return damaged(sink, "gzip or deflate", zlib->msg ? zlib->msg : "a dictionary");
        }
        st = emit(coding, (struct px_str){ coding->out, OUT_SIZE - zlib->avail_out }, sink);
        if (st) {
            return st;
        }
        coding->whole = result == Z_STREAM_END;
        full = zlib->avail_out == 0 && !coding->whole;
    }
    return PX_OK;
}

/// Looks at what starts a frame in `in`. libzstd may have been built to read the formats of its
/// youth, whose windows it does not limit.
static bool check_magic(struct px_http_coding *coding, const ZSTD_inBuffer *in)
{
    static const uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd };
    static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18 };
    const uint8_t *bytes = in->src;
    for (size_t at = in->pos; coding->magic < 4 && at < in->size; at++, coding->magic++) {
        uint8_t byte = bytes[at];
        if (coding->magic == 0) {
            byte = (byte & 0xf0) == 0x50 ? 0x50 : byte;
            coding->skippable = byte == 0x50;
        }
        if (byte != (coding->skippable ? skippable : frame)[coding->magic]) {
            return false;
        }
    }
    return true;
}

static enum px_status fail_zstd(size_t result, const struct sink *sink)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return px_fail(sink->err, PX_ENOMEM, "no memory for a content coding");
    case ZSTD_error_frameParameter_windowTooLarge:
        return px_fail(sink->err, PX_ETOOBIG, "zstd content wants a window over 8 MiB");
    default: return damaged(sink, "zstd", ZSTD_getErrorName(result));
    }
}

static enum px_status feed_zstd(struct px_http_coding *coding, struct px_str bytes,
                                const struct sink *sink)
{
    ZSTD_inBuffer in = { bytes.ptr, bytes.len, 0 };
    bool full = false;
    while (in.pos < in.size || full) {
        if (!check_magic(coding, &in)) {
            return damaged(sink, "zstd", "no frame where one must start");
        }
        ZSTD_outBuffer out = { coding->out, OUT_SIZE, 0 };
        size_t result = ZSTD_decompressStream(coding->zstd, &out, &in);
        if (ZSTD_isError(result)) {
            return fail_zstd(result, sink);
        }
        enum px_status st = emit(coding, (struct px_str){ coding->out, out.pos }, sink);
        if (st) {
            return st;
        }
        coding->whole = result == 0;
        if (coding->whole) {
            coding->magic = 0;
        }
        full = out.pos == OUT_SIZE && !coding->whole;
    }
    return PX_OK;
}

static enum px_status feed_piece(struct px_http_coding *coding, struct px_str bytes,
                                 const struct sink *sink)
{
    switch (coding->kind) {
    case GZIP:
    case DEFLATE: return feed_zlib(coding, bytes, sink);
    case ZSTD: return feed_zstd(coding, bytes, sink);
    default: return emit(coding, bytes, sink);
    }
}

enum px_status px_http_coding_feed(struct px_http_coding *coding, struct px_str bytes,
                                   px_http_coding_fn on_bytes, void *user, struct px_error *err)
{
    const struct sink sink = { on_bytes, user, err };
    while (bytes.len) {
        struct px_str piece = { bytes.ptr, bytes.len < PIECE_MAX ? bytes.len : PIECE_MAX };
        enum px_status st = feed_piece(coding, piece, &sink);
        if (st) {
            return st;
        }
        bytes.ptr += piece.len;
        bytes.len -= piece.len;
    }
    return PX_OK;
}

enum px_status px_http_coding_end(struct px_http_coding *coding, struct px_error *err)
{
    if (coding->kind == IDENTITY || coding->whole) {
        return PX_OK;
    }
    return px_fail(err, PX_EINVAL, "coded content is cut short");
}

const char *px_http_zlib(void)
{
    return zlibVersion();
}

const char *px_http_zstd(void)
{
    return ZSTD_versionString();
}
