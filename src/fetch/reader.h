#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "head.h"
#include "px/buf.h"
#include "px/fetch.h"
#include "px/http_body.h"

/// Reads one HTTP/1.x answer from a connection's bytes. It does no I/O.
///
/// Interim answers (1xx) are skipped. A head that comes in one piece is read where it is, one that
/// is split is collected; together with the interim ones it is limited to 64 KiB and 256 fields.
/// The body is handed out in place. The head may end its lines in a bare LF; chunks may not.
struct px_reader {
    struct px_buf head;  ///< The head so far, if it came in pieces.
    struct px_http_body body;
    uint32_t seen;     ///< Bytes of interim heads.
    uint32_t scanned;  ///< Where the line of the head begins that is not complete.
    uint8_t state;
    bool head_only;  ///< The answer has no body, whatever its head says.
    bool touched;    ///< Something came.
    bool begun;      ///< The final head's first line came.
    bool keep;       ///< The connection may serve another request.
};

void px_reader_init(struct px_reader *reader, bool head_only);
void px_reader_deinit(struct px_reader *reader);

enum px_reader_step {
    PX_READER_MORE,  ///< All bytes are taken, more must come.
    PX_READER_HEAD,  ///< The final head; its spans die with the next step.
    PX_READER_DATA,  ///< A piece of the body, a span of the bytes.
    PX_READER_DONE,  ///< The answer is complete. Bytes that are left do not belong to it.
    PX_READER_BAD,   ///< `fault` says why.
    PX_READER_NO_MEMORY,
};

struct px_reader_found {
    struct px_fetch_head head;
    struct px_str data;
    const char *fault;
    struct px_fetch_header fields[PX_ANSWER_FIELDS_MAX];
};

/// Takes one step. `bytes`, which lie in memory that the reader may write to, are moved past what
/// it took. After PX_READER_DONE and later only px_reader_deinit() may follow.
enum px_reader_step px_reader_next(struct px_reader *reader, struct px_str *bytes,
                                   struct px_reader_found *found);

/// True when the answer is whole, or is so if the connection ends here.
bool px_reader_ends_here(const struct px_reader *reader);

/// True when the answer's last byte has been taken: the next step is PX_READER_DONE.
bool px_reader_is_done(const struct px_reader *reader);
