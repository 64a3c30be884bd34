#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "px/block.h"
#include "px/buf.h"
#include "px/status.h"
#include "px/str.h"

/// Exact JSON (RFC 8259): reading, checking, indexing, strings and numbers.
///
/// Nothing here recurses or allocates while it reads, except the index of a very wide object.
/// Text must be valid UTF-8 without a byte order mark; containers nest at most PX_JSON_DEPTH deep.
/// Paths and edits are in px/jsonpath.h, trees for configuration in px/jsontree.h.

#define PX_JSON_DEPTH 128

/// Members of a top object that an index can hold.
#define PX_JSON_INDEX_MAX 4096

enum px_json_type {
    PX_JSON_NULL,
    PX_JSON_FALSE,
    PX_JSON_TRUE,
    PX_JSON_NUMBER,
    PX_JSON_STRING,
    PX_JSON_ARRAY,
    PX_JSON_OBJECT,
};

/// Name of a type as people write it ("null", "boolean", "number", …). Never NULL.
const char *px_json_type_name(enum px_json_type type);

// -- Checking and indexing ------------------------------------------------------------------------

/// One member of the top object. Both spans point into the scanned text.
struct px_json_member {
    struct px_str key;    ///< Raw, quotes included.
    struct px_str value;  ///< Raw, without white space around it.
    enum px_json_type type;
    bool key_escaped;  ///< The key holds a backslash.
};

/// Members of the top object in their order. Embed it; zero-initialise, then give it to
/// px_json_scan(); px_json_index_free() after any outcome. Not to be copied. It may be used again
/// for another scan. Valid as long as the scanned text is.
struct px_json_index {
    enum px_json_type type;  ///< Of the top value; `len` is 0 for all but an object.
    struct px_str text;      ///< The whole text.
    struct px_str value;     ///< The top value, without white space around it.
    size_t len;
    struct px_json_member *members;
    size_t cap;
    struct px_json_member few[32];
};

/// Checks a whole text, and fills `index` if that is not NULL.
///
/// @param at receives, on failure, the byte offset of the mistake (text.len: it ended too early).
///        May be NULL.
/// @return PX_EINVAL when the text is not JSON (`err` names the offset and what was expected),
///         PX_ETOOBIG when an index is asked for and the top object has more than
///         PX_JSON_INDEX_MAX members, PX_ENOMEM.
PX_CHECK enum px_status px_json_scan(struct px_str text, struct px_json_index *index, size_t *at,
                                     struct px_error *err);

/// Frees what an index holds. A zeroed index is allowed.
void px_json_index_free(struct px_json_index *index);

/// Finds a member by its decoded key; of a repeated key the last one. NULL when there is none.
const struct px_json_member *px_json_index_get(const struct px_json_index *index,
                                               struct px_str key);

/// Tells how often a key stands in the top object, whatever way it is escaped. A key that policy
/// reads must not stand there twice: the two sides might each believe another one.
size_t px_json_index_count(const struct px_json_index *index, struct px_str key);

/// Copies `text` with the bytes of `span` (which lies inside it) replaced by `with`. NULL if out of
/// memory. This is how the value of one indexed member is exchanged:
///
///     px_json_splice(text, px_json_index_get(&index, PX_STR("model"))->value, quoted)
struct px_block *px_json_splice(struct px_str text, struct px_str span, struct px_str with);

/// Finds line and column (both from 1, columns in bytes) of a byte offset, for people.
void px_json_place(struct px_str text, size_t offset, unsigned *line, unsigned *column);

// -- Strings and numbers --------------------------------------------------------------------------

/// Appends the content of a raw string (quotes included, accepted by the scanner). U+0000 is an
/// ordinary character; a lone surrogate becomes its three-byte form (WTF-8).
///
/// @return PX_ETOOBIG, PX_ENOMEM, or PX_EINVAL when `raw` is not a string.
PX_CHECK enum px_status px_json_unquote(struct px_str raw, struct px_buf *out);

/// Tells whether a raw string (quotes included) means `text`.
bool px_json_means(struct px_str raw, struct px_str text);

/// Appends `text` as a JSON string with quotes. The inverse of px_json_unquote(): surrogates are
/// written as \udXXX, so that two halves which have come together are a whole character again.
/// Every other byte that is not UTF-8 is written as U+FFFD.
PX_CHECK enum px_status px_json_quote(struct px_buf *out, struct px_str text);

/// Room that px_json_print_number() needs.
#define PX_JSON_NUMBER_MAX 32

/// Writes the shortest number that reads back equal; integers up to 2^53 without exponent or
/// fraction, others as JavaScript prints them ("1e+21", "5e-7"). NaN and infinity give 0.
///
/// @return the length; the text is not NUL-terminated.
size_t px_json_print_number(double number, char out[PX_JSON_NUMBER_MAX]);

/// How well a double stands for the text of a number.
enum px_json_exact {
    PX_JSON_SAME,     ///< px_json_print_number() gives the very text.
    PX_JSON_EQUAL,    ///< The value is kept, the text is another ("1.0", "1E5").
    PX_JSON_INEXACT,  ///< An integer beyond 2^53, or a decimal that no double gives back.
};

/// Reads the text of a number that the scanner accepted. `number` always receives the nearest
/// double; infinite when there is none.
enum px_json_exact px_json_read_number(struct px_str text, double *number);

// -- Reading token by token -----------------------------------------------------------------------

enum px_json_token {
    PX_JSON_T_ERROR,  ///< Not JSON; px_json_reader_fail() says why. Further calls repeat it.
    PX_JSON_T_END,    ///< The text was one valid value.
    PX_JSON_T_NULL,
    PX_JSON_T_FALSE,
    PX_JSON_T_TRUE,
    PX_JSON_T_NUMBER,
    PX_JSON_T_STRING,
    PX_JSON_T_KEY,  ///< Name of a member; its value follows.
    PX_JSON_T_ARRAY,
    PX_JSON_T_OBJECT,
    PX_JSON_T_ARRAY_END,
    PX_JSON_T_OBJECT_END,
};

/// Reads one text token by token, checking everything. Start it with px_json_reader_init().
struct px_json_reader {
    struct px_str token;  ///< Raw text of the last token: strings and keys with their quotes.
    bool escaped;         ///< The last string or key holds a backslash.
    unsigned depth;       ///< Containers open after the last token.

    // The rest is the reader's own.
    const char *base, *at, *end;
    const char *expected;
    unsigned state;
    uint64_t objects[PX_JSON_DEPTH / 64];
};

void px_json_reader_init(struct px_json_reader *reader, struct px_str text);

/// Gives the next token.
enum px_json_token px_json_next(struct px_json_reader *reader);

/// Reads on to the end of the container that the last token opened, or not at all if it opened
/// none, and gives the raw text of that whole value. On an error (the next token will be
/// PX_JSON_T_ERROR) it is empty.
struct px_str px_json_skip(struct px_json_reader *reader);

/// Byte offset of the mistake.
size_t px_json_reader_offset(const struct px_json_reader *reader);

/// Fills `err` after PX_JSON_T_ERROR and returns PX_EINVAL.
enum px_status px_json_reader_fail(const struct px_json_reader *reader, struct px_error *err);
