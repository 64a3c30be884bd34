#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "px/fetch.h"
#include "px/poll.h"
#include "target.h"

/// The lean lane: HTTP/1.1 without TLS or proxy to a numeric address or `localhost`.
///
/// A transfer has a connection from its start to its end, and what it sends goes out inside
/// px_fetch_start() where the socket takes it. A connection is watched for reading all its life, so
/// that one that is used again costs no system call but send and receive. What comes is read into
/// one buffer of the fetcher and handed over in place; only a pause makes a transfer keep bytes of
/// its own. Failures are settled from the top of the loop, the end of a whole answer at once.

/// Read at a time. That much at most is kept for a transfer that is paused.
#define PX_LANE_READ (64 * 1024)
#define PX_LANE_READ_STREAMED (16 * 1024)

/// Where a connection leads.
struct px_lane_origin {
    uint8_t address[16];
    uint16_t port;
    uint8_t kind;  ///< 4, 6, or 0 for localhost.
};

struct px_lane_conn {
    struct px_fetcher *fetcher;
    struct px_fetch *fetch;  ///< NULL while it is idle.
    struct px_poll *poll;
    struct px_lane_conn *newer, *older;  ///< While it is idle.
    struct px_lane_origin origin;
    int fd;
    int attempt;  ///< Which address of localhost it tries.
    bool connecting;
    bool reused;
    struct px_str rest;  ///< Of `kept`, not handed over yet.
    char *kept;          ///< What a pause has left, or NULL.
};

/// How far a body that comes from a source has been framed.
struct px_lane_upload {
    char line[24];  ///< What stands in front of a chunk, or ends the last one.
    uint8_t line_len, line_at;
    bool chunked;
    bool begun;   ///< A chunk was begun.
    bool ended;   ///< Nothing is left but what is left of `line`.
    size_t left;  ///< Of the current chunk.
};

struct px_lane {
    char *buffer;  ///< PX_LANE_READ bytes, made with the first transfer.
    struct px_lane_conn *newest, *oldest;
    size_t idle;
};

/// Sends everything through the library if set. For the tests, before threads start.
extern bool px_lane_off;

// lane_request.c

/// True if the request is one for this lane.
bool px_lane_takes(const struct px_fetch_request *request, const struct px_target *target);

/// Makes a transfer of a checked request whose fields need `bytes`.
PX_CHECK enum px_status px_lane_request(const struct px_fetch_request *request,
                                        const struct px_target *target, size_t bytes,
                                        struct px_fetch **out, struct px_error *err);

// lane.c: what the front calls

/// Finds or opens a connection and sends what it takes. Calls nobody back.
void px_lane_start(struct px_fetch *fetch);

/// Waits for what the transfer needs now. Calls nobody back.
void px_lane_watch(struct px_fetch *fetch);

/// Hands over what a pause has kept back.
void px_lane_settle(struct px_fetch *fetch);

/// Closes the connection if the transfer still has one.
void px_lane_leave(struct px_fetch *fetch);

/// True if nothing of the body will be sent any more.
bool px_lane_has_sent(const struct px_fetch *fetch);

void px_lane_deinit(struct px_lane *lane);

// lane_dial.c

/// Opens a connection for the transfer, beginning with the given address of its origin. On failure
/// the transfer has failed.
void px_lane_dial(struct px_fetch *fetch, int attempt);

/// The connection, which was connecting, is ready, or has failed and gives way to the next address.
void px_lane_dialled(struct px_lane_conn *conn, bool failed);

// lane_send.c

/// Sends what the socket takes.
void px_lane_send(struct px_fetch *fetch);

// lane_upload.c

/// Frames what waits. True if there is something to send.
bool px_lane_upload_ready(struct px_fetch *fetch);

/// True if all of it was sent.
bool px_lane_upload_done(const struct px_fetch *fetch);

/// Names what is to be sent next, in up to two parts; gives how many.
size_t px_lane_upload_parts(struct px_fetch *fetch, struct iovec *parts);

/// `count` bytes of these parts were sent.
void px_lane_upload_sent(struct px_fetch *fetch, size_t count);

/// Begins anew, for another connection. False if what was sent is gone.
bool px_lane_upload_restart(struct px_fetch *fetch);

// lane_recv.c

/// Reads and hands over. False if the connection has no such transfer any more.
bool px_lane_receive(struct px_fetch *fetch);

/// Hands over `bytes`; what a pause leaves is left in them. False if the transfer has ended.
bool px_lane_take(struct px_fetch *fetch, struct px_str *bytes);

// lane_pool.c

struct px_lane_origin px_lane_origin_of(const struct px_target *target);

/// Takes the most recently used idle connection to the origin. NULL if there is none.
struct px_lane_conn *px_lane_pool_take(struct px_lane *lane, const struct px_lane_origin *origin);

/// Keeps the connection for others, and closes the one that was used least recently if there are
/// more than `max`.
void px_lane_pool_give(struct px_lane_conn *conn, size_t max);

/// Frees what a pause has kept.
void px_lane_forget(struct px_lane_conn *conn);

/// Closes the connection, idle or not.
void px_lane_conn_close(struct px_lane_conn *conn);

/// What the connection's socket reports.
void px_lane_on_ready(void *user, int events);
