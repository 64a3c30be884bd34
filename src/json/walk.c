#include "path.h"
#include "scan.h"

// Only containers on the path are entered, so the number of steps bounds the levels; all others are
// skipped as a whole, which checks them too.

struct level {
    bool object, found;
    size_t members;
    const char *last;  // End of the last member, or of the opening bracket.
};

struct walk {
    struct px_json_reader reader;
    const struct px_json_path *path;
    struct path_visitor *visitor;
    size_t open;  // Levels in use.
    struct level levels[PX_JSON_PATH_STEPS];
};

// Enters the container that `token` opens if the path leads into it. Otherwise skips the value.
static void enter_or_skip(struct walk *walk, enum px_json_token token)
{
    bool object = token == PX_JSON_T_OBJECT;
    const struct path_step *step = &walk->path->steps[walk->open];
    bool fits =
        object ? step->kind == STEP_NAME : token == PX_JSON_T_ARRAY && step->kind != STEP_NAME;
    if (fits) {
        walk->levels[walk->open++] = (struct level){ .object = object, .last = walk->reader.at };
    } else {
        px_json_skip(&walk->reader);
    }
}

static enum px_status leave(struct walk *walk)
{
    struct level *level = &walk->levels[--walk->open];
    enum px_status st = PX_OK;
    if (walk->open + 1 == walk->path->len && walk->visitor->on_end) {
        struct path_end end = { level->object, level->found, level->members, level->last };
        st = walk->visitor->on_end(walk->visitor, &end);
    }
    if (walk->open) {
        walk->levels[walk->open - 1].last = walk->reader.at;
    }
    return st;
}

static enum px_status found(struct walk *walk, struct path_place *place, enum px_json_token token)
{
    place->type = json_type(token);
    place->value = px_json_skip(&walk->reader);
    // A broken value is reported when the next token is read.
    return place->value.ptr ? walk->visitor->on_found(walk->visitor, place) : PX_OK;
}

// Takes one member of the innermost level; `token` is its key or, in an array, the value.
static enum px_status take_member(struct walk *walk, enum px_json_token token)
{
    struct level *level = &walk->levels[walk->open - 1];
    const struct path_step *step = &walk->path->steps[walk->open - 1];
    bool last_step = walk->open == walk->path->len;
    struct path_place place = { .begin = walk->reader.token.ptr,
                                .previous = level->last,
                                .members = level->members };
    bool match = step->kind == STEP_EACH || level->members == step->index;
    if (token == PX_JSON_T_KEY) {
        match = px_json_means(walk->reader.token, step->name);
        token = px_json_next(&walk->reader);
        if (token == PX_JSON_T_ERROR) {
            return PX_OK;
        }
    }
    level->members++;
    if (last_step && walk->visitor->on_member) {
        walk->visitor->on_member(walk->visitor, place.begin);
    }
    enum px_status st = PX_OK;
    if (match && last_step) {
        level->found = true;
        st = found(walk, &place, token);
    } else if (match) {
        enter_or_skip(walk, token);
    } else {
        px_json_skip(&walk->reader);
    }
    level->last = walk->reader.at;
    return st;
}

enum px_status path_walk(struct px_str text, const struct px_json_path *path,
                         struct path_visitor *visitor, struct px_error *err)
{
    struct walk walk = { .path = path, .visitor = visitor };
    px_json_reader_init(&walk.reader, text);
    enum px_status st = PX_OK;
    enum px_json_token token = px_json_next(&walk.reader);
    if (token != PX_JSON_T_ERROR && path->len == 0) {
        struct path_place place = { .begin = walk.reader.token.ptr };
        st = found(&walk, &place, token);
    } else if (token != PX_JSON_T_ERROR) {
        enter_or_skip(&walk, token);
    }
    while (!st) {
        token = px_json_next(&walk.reader);
        if (token == PX_JSON_T_END) {
            return PX_OK;
        }
        if (token == PX_JSON_T_ERROR) {
            return px_json_reader_fail(&walk.reader, err);
        }
        bool end = token == PX_JSON_T_OBJECT_END || token == PX_JSON_T_ARRAY_END;
        st = end ? leave(&walk) : take_member(&walk, token);
    }
    return st;
}

struct finder {
    struct path_visitor visitor;
    px_json_found_fn on_found;
    void *user;
};

static enum px_status on_found(struct path_visitor *visitor, const struct path_place *place)
{
    struct finder *finder = (struct finder *)visitor;
    return finder->on_found(place->value, place->type, finder->user);
}

enum px_status px_json_find(struct px_str text, const struct px_json_path *path,
                            px_json_found_fn on_each, void *user)
{
    struct finder finder = { .visitor = { .on_found = on_found },
                             .on_found = on_each,
                             .user = user };
    return path_walk(text, path, &finder.visitor, NULL);
}

struct latest {
    bool found;
    struct px_str value;
    enum px_json_type type;
};

static enum px_status keep_latest(struct px_str value, enum px_json_type type, void *user)
{
    *(struct latest *)user = (struct latest){ true, value, type };
    return PX_OK;
}

bool px_json_get(struct px_str text, const struct px_json_path *path, struct px_str *value,
                 enum px_json_type *type)
{
    struct latest latest = { 0 };
    if (px_json_find(text, path, keep_latest, &latest) != PX_OK || !latest.found) {
        return false;
    }
    if (value) {
        *value = latest.value;
    }
    if (type) {
        *type = latest.type;
    }
    return true;
}
