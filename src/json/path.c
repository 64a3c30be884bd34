#include <stdlib.h>

#include "path.h"
#include "text.h"

// A path is compiled into one block: the steps, then the text of their names.

static bool is_name_byte(char c)
{
    return c != '.' && c != '[' && c != ']' && c != '"';
}

static enum px_status bad(struct px_str text, const char *at, const char *what,
                          struct px_error *err)
{
    return px_fail(err, PX_EINVAL, "path \"%.*s\": %s at byte %zu",
                   (int)(text.len < 100 ? text.len : 100), text.ptr, what, (size_t)(at - text.ptr));
}

// Compilation in progress.
struct compile {
    struct px_str text;
    const char *at, *end;
    struct px_json_path *path;
    struct px_buf names;  // Owned by the path once compiled.
    struct px_error *err;
};

static enum px_status read_name(struct compile *c, struct path_step *step)
{
    const char *begin = c->at;
    while (c->at < c->end && is_name_byte(*c->at)) {
        size_t len = (unsigned char)*c->at < 0x80 ? 1 : utf8_length(c->at, c->end);
        if (!len) {
            return bad(c->text, c->at, "not UTF-8", c->err);
        }
        c->at += len;
    }
    if (c->at == begin) {
        return bad(c->text, c->at, "expected a name", c->err);
    }
    step->kind = STEP_NAME;
    step->name = (struct px_str){ NULL, (size_t)(c->at - begin) };
    return px_buf_add(&c->names, (struct px_str){ begin, step->name.len });
}

static enum px_status read_quoted(struct compile *c, struct path_step *step)
{
    const char *begin = c->at;
    for (c->at++; c->at < c->end && *c->at != '"'; c->at++) {
        c->at += *c->at == '\\' && c->end - c->at > 1;
    }
    struct px_str raw = { begin, (size_t)(c->at - begin) + (c->at < c->end) };
    if (px_json_scan(raw, NULL, NULL, NULL) != PX_OK) {
        return bad(c->text, begin, "expected a JSON string", c->err);
    }
    c->at++;
    size_t before = c->names.len;
    enum px_status st = px_json_unquote(raw, &c->names);
    step->kind = STEP_NAME;
    step->name = (struct px_str){ NULL, c->names.len - before };
    return st;
}

static enum px_status read_number(struct compile *c, struct path_step *step)
{
    const char *begin = c->at;
    step->kind = STEP_INDEX;
    step->index = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (c->at - begin == 9) {
            return bad(c->text, begin, "the index is too big", c->err);
        }
        step->index = step->index * 10 + (size_t)(*c->at - '0');
    }
    return c->at > begin ? PX_OK
                         : bad(c->text, begin, "expected an index, '*' or a string", c->err);
}

static enum px_status read_brackets(struct compile *c, struct path_step *step)
{
    c->at++;
    enum px_status st = PX_OK;
    if (c->at < c->end && *c->at == '*') {
        c->at++;
        step->kind = STEP_EACH;
    } else if (c->at < c->end && *c->at == '"') {
        st = read_quoted(c, step);
    } else {
        st = read_number(c, step);
    }
    if (!st && (c->at == c->end || *c->at != ']')) {
        st = bad(c->text, c->at, "expected ']'", c->err);
    }
    c->at++;
    return st;
}

// Reads a name, and the dot before it where it is not the first.
static enum px_status read_dotted(struct compile *c, struct path_step *step)
{
    if (c->path->len) {
        if (*c->at != '.') {
            return bad(c->text, c->at, "expected '.' or '['", c->err);
        }
        c->at++;
    }
    return read_name(c, step);
}

static enum px_status compile(struct compile *c)
{
    while (c->at < c->end) {
        struct px_json_path *path = c->path;
        if (path->len == PX_JSON_PATH_STEPS) {
            return px_fail(c->err, PX_ETOOBIG, "a path may have %d steps", PX_JSON_PATH_STEPS);
        }
        struct path_step *step = &path->steps[path->len];
        enum px_status st;
        if (*c->at == '[') {
            st = read_brackets(c, step);
        } else {
            st = read_dotted(c, step);
        }
        if (st) {
            return st;
        }
        path->len++;
    }
    return PX_OK;
}

enum px_status px_json_path_new(struct px_str text, struct px_json_path **out, struct px_error *err)
{
    struct compile c = { .text = text, .at = text.ptr, .end = text.ptr, .err = err };
    c.names = PX_BUF(text.len + 1);
    c.path = calloc(1, sizeof(*c.path));
    if (!c.path) {
        return px_fail(err, PX_ENOMEM, "no memory for a path");
    }
    if (text.len) {
        c.end = text.ptr + text.len;
    }
    enum px_status st = compile(&c);
    c.path->names = c.names.ptr;
    if (st) {
        px_json_path_free(c.path);
        return st == PX_ENOMEM ? px_fail(err, st, "no memory for a path") : st;
    }
    // The names have stopped moving.
    char *at = c.names.ptr;
    for (size_t i = 0; i < c.path->len; i++) {
        struct path_step *step = &c.path->steps[i];
        if (step->kind == STEP_NAME && step->name.len) {
            step->name.ptr = at;
            at += step->name.len;
        }
    }
    *out = c.path;
    return PX_OK;
}

void px_json_path_free(struct px_json_path *path)
{
    if (path) {
        free(path->names);
        free(path);
    }
}
