#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "px/buf.h"
#include "px/fetch.h"

/// The head of an answer, collected line by line as the transfer library hands it over.
///
/// Interim answers (1xx) are skipped, lines after the final head (trailers) are ignored. A line
/// that is no header field by RFC 9110 is left out, a folded line is joined with a space. All the
/// lines together are limited to 64 KiB.
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
