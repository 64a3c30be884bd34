#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/buf.h"
#include "px/fetch.h"

#define PX_ANSWER_HEAD_MAX (64 * 1024)
#define PX_ANSWER_FIELDS_MAX 256

#define PX_ANSWER_BAD_TEXT "the answer is not HTTP"
#define PX_ANSWER_TOO_LARGE_TEXT "the head of the answer is larger than 64 KiB or 256 fields"

/// The head of an answer, collected line by line as the transfer library hands it over.
///
/// Interim answers (1xx) are skipped, lines after the final head (trailers) are ignored. A line
/// that is no header field by RFC 9110 is left out, a folded line is joined with a space. All the
/// lines together are limited to 64 KiB, the fields to 256.
struct px_answer {
    struct px_buf text;
    size_t seen;   ///< Bytes of lines, interim answers included.
    size_t lines;  ///< Lines in `text`.
    bool done;     ///< The final head is complete.
};

void px_answer_init(struct px_answer *answer);
void px_answer_deinit(struct px_answer *answer);

enum px_answer_line {
    PX_ANSWER_MORE,
    PX_ANSWER_BEGUN,  ///< The first line of the final head.
    PX_ANSWER_HEAD,   ///< The final head is complete: call px_answer_read().
    PX_ANSWER_TOO_LARGE,
    PX_ANSWER_BAD,  ///< Not HTTP, or a switch of protocols that nobody asked for.
    PX_ANSWER_NO_MEMORY,
};

/// Takes one line with its end of line.
enum px_answer_line px_answer_add(struct px_answer *answer, struct px_str line);

/// Reads the complete head. Its spans point into `answer`; `head->headers` is the caller's to free.
PX_CHECK enum px_status px_answer_read(struct px_answer *answer, struct px_fetch_head *head);

// For whoever has a complete head in one piece.

/// The status in "HTTP/<version> <status>"; -1 if the line is none of that form.
int px_head_status(struct px_str line);

/// Reads the fields behind the first line of a head, and joins its folded lines in place.
///
/// @param fields Room for as many as the head has lines.
/// @return The number of fields.
size_t px_head_fields(char *text, size_t len, struct px_fetch_header *fields);

/// Reads a Content-Length, at most 18 digits. -1 if it is none.
int64_t px_head_number(struct px_str value);
