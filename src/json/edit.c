#include "path.h"

// An edit copies the text up to each place that changes; `copied` is where copying goes on.

struct edit {
    struct path_visitor visitor;
    const struct path_step *last_step;
    struct px_str value;
    struct px_buf *out;
    const char *copied;
    size_t changed;
    size_t removed;  // In the container at hand.
    bool leading;    // What was removed last had nothing before it: the comma behind it goes too.
};

static enum px_status copy_to(struct edit *edit, const char *to)
{
    struct px_str span = { edit->copied, (size_t)(to - edit->copied) };
    edit->copied = to;
    return px_buf_add(edit->out, span);
}

// -- Setting --------------------------------------------------------------------------------------

static enum px_status set_found(struct path_visitor *visitor, const struct path_place *place)
{
    struct edit *edit = (struct edit *)visitor;
    enum px_status st = copy_to(edit, place->value.ptr);
    if (st) {
        return st;
    }
    edit->copied = place->value.ptr + place->value.len;
    edit->changed++;
    return px_buf_add(edit->out, edit->value);
}

static enum px_status insert(struct edit *edit, const struct path_end *end)
{
    enum px_status st = copy_to(edit, end->last);
    if (!st && end->members) {
        st = px_buf_add(edit->out, PX_STR(","));
    }
    if (!st && end->object) {
        st = px_json_quote(edit->out, edit->last_step->name);
        if (!st) {
            st = px_buf_add(edit->out, PX_STR(":"));
        }
    }
    if (!st) {
        st = px_buf_add(edit->out, edit->value);
        edit->changed++;
    }
    return st;
}

static enum px_status set_end(struct path_visitor *visitor, const struct path_end *end)
{
    struct edit *edit = (struct edit *)visitor;
    const struct path_step *step = edit->last_step;
    bool missing =
        end->object ? !end->found : step->kind == STEP_INDEX && step->index == end->members;
    return missing ? insert(edit, end) : PX_OK;
}

// Finds how deep a value nests, and takes away the white space around it. False, with `err` filled,
// if it is not JSON.
static bool read_value(struct px_str *value, unsigned *depth, struct px_error *err)
{
    struct px_json_reader reader;
    px_json_reader_init(&reader, *value);
    struct px_str trimmed = { NULL, 0 };
    *depth = 0;
    for (;;) {
        enum px_json_token token = px_json_next(&reader);
        if (token == PX_JSON_T_END) {
            *value = trimmed;
            return true;
        }
        if (token == PX_JSON_T_ERROR) {
            px_json_reader_fail(&reader, err);
            return false;
        }
        if (!trimmed.ptr) {
            trimmed.ptr = reader.token.ptr;
        }
        trimmed.len = (size_t)(reader.token.ptr + reader.token.len - trimmed.ptr);
        *depth = reader.depth > *depth ? reader.depth : *depth;
    }
}

static enum px_status run(struct edit *edit, struct px_str text, const struct px_json_path *path,
                          size_t *changed, struct px_error *err)
{
    size_t before = edit->out->len;
    edit->last_step = path->len ? &path->steps[path->len - 1] : NULL;
    edit->copied = text.ptr;
    enum px_status st = path_walk(text, path, &edit->visitor, err);
    if (!st) {
        st = copy_to(edit, text.ptr + text.len);
    }
    if (st) {
        edit->out->len = before;
        if (st != PX_EINVAL) {
            px_fail(err, st, "no room for the edited JSON");
        }
        return st;
    }
    if (changed) {
        *changed = edit->changed;
    }
    return PX_OK;
}

enum px_status px_json_set(struct px_str text, const struct px_json_path *path, struct px_str value,
                           struct px_buf *out, size_t *changed, struct px_error *err)
{
    unsigned depth;
    if (!read_value(&value, &depth, err)) {
        return PX_EINVAL;
    }
    if (path->len + depth > PX_JSON_DEPTH) {
        return px_fail(err, PX_EINVAL, "JSON: the new value would nest too deep");
    }
    struct edit edit = {
        .visitor = { .on_found = set_found, .on_end = set_end },
        .value = value,
        .out = out,
    };
    return run(&edit, text, path, changed, err);
}

// -- Removing -------------------------------------------------------------------------------------

static void remove_member(struct path_visitor *visitor, const char *begin)
{
    struct edit *edit = (struct edit *)visitor;
    if (edit->leading) {
        edit->copied = begin;
        edit->leading = false;
    }
}

static enum px_status remove_found(struct path_visitor *visitor, const struct path_place *place)
{
    struct edit *edit = (struct edit *)visitor;
    bool kept = place->members > edit->removed;
    enum px_status st = copy_to(edit, kept ? place->previous : place->begin);
    edit->copied = place->value.ptr + place->value.len;
    edit->leading = !kept;
    edit->removed++;
    edit->changed++;
    return st;
}

static enum px_status remove_end(struct path_visitor *visitor, const struct path_end *end)
{
    struct edit *edit = (struct edit *)visitor;
    (void)end;
    edit->removed = 0;
    edit->leading = false;
    return PX_OK;
}

enum px_status px_json_remove(struct px_str text, const struct px_json_path *path,
                              struct px_buf *out, size_t *changed, struct px_error *err)
{
    if (path->len == 0) {
        return px_fail(err, PX_EINVAL, "the whole text cannot be removed");
    }
    struct edit edit = {
        .visitor = {
            .on_found = remove_found,
            .on_member = remove_member,
            .on_end = remove_end,
        },
        .out = out,
    };
    return run(&edit, text, path, changed, err);
}
