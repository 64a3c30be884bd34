#pragma once

// What the files of this folder share: the connection of one client and the exchange on it.

#include "px/buf.h"
#include "px/clock.h"
#include "px/exchange.h"
#include "px/http_body.h"
#include "px/http_coding.h"
#include "px/http_write.h"

enum client_state {
    CLIENT_HEAD,  ///< Between requests, or in a head.
    CLIENT_BODY,  ///< In a request's body.
    CLIENT_BUSY,  ///< A request is being answered; more bytes are kept for later.
    CLIENT_GONE,  ///< The connection is closed; only the exchange is left.
};

struct client {
    struct px_host *host;
    struct px_conn *conn;
    struct px_exchange *ex;
    enum client_state state;
    bool waits;        ///< Stands in the host's line for memory.
    bool reading;      ///< Mirrors px_conn_read().
    struct px_buf in;  ///< Bytes of a head that is not complete, or of requests to come.
    size_t scanned;
    size_t queued;      ///< What it had not taken at the last look.
    uint64_t taken_ms;  ///< When it was last seen to take something.
    struct px_timer timer;
    struct px_defer again;  ///< Goes on with what is in `in`.
    struct client *prev, *next;
};

struct px_host {
    struct px_loop *loop;
    struct px_host_conf conf;
    const struct px_host_hooks *hooks;
    void *user;
    struct px_host_stats *stats;
    struct client *clients;
    size_t count;
    size_t bodies;        ///< Bytes of bodies in memory.
    size_t whole_bodies;  ///< Of them, those that are complete: only these make room by themselves.
    struct px_exchange *first;  ///< May go over the limit, where all would wait for each other.
    struct px_buf scratch;
    struct px_http_date date;
    struct px_defer room;  ///< Lets those who wait for memory go on.
    bool stopping;
};

enum answer_state { ANSWER_NONE, ANSWER_OPEN, ANSWER_DONE, ANSWER_CUT };

struct px_exchange {
    struct client *client;
    struct px_host *host;
    void *held;
    const struct px_exchange_fns *fns;
    void *user;
    struct px_block *body;
    struct px_source *source;  ///< Of an upload, instead of `body`.
    size_t taken;              ///< Bytes of the body so far.
    size_t charged;            ///< What the body counts in host->bodies.
    size_t limit;
    struct px_http_body framing;
    struct px_http_coding *coding;
    enum answer_state answer;
    bool chunked, keep_alive, head_only, whole;
    bool settled;  ///< What is charged is among the host's `whole_bodies`.
    bool broken;   ///< A piece of the answer is missing: it can only be cut.
    int64_t left;  ///< Bytes that an answer with a length still owes.
    uint64_t sent;
    struct px_http_head head;
    struct px_http_header headers[];  ///< Then the bytes of the head.
};

/// Creates the exchange for a parsed head, copying it. NULL if out of memory.
struct px_exchange *exchange_new(struct client *client, const struct px_http_head *head,
                                 struct px_str bytes);

/// Takes body bytes off the front of `bytes`. PX_OK with `whole` set when the body is complete;
/// PX_ECANCELED when the host has no memory for more now (nothing was taken then).
PX_CHECK enum px_status exchange_take_body(struct px_exchange *ex, struct px_str *bytes,
                                           int *status, struct px_error *err);

/// Starts reading the body: its framing and coding.
PX_CHECK enum px_status exchange_open_body(struct px_exchange *ex, int *status,
                                           struct px_error *err);

/// From now on what the body takes of memory counts as such that makes room by itself.
void exchange_settle(struct px_exchange *ex);

/// Frees the exchange, without touching the connection.
void exchange_free(struct px_exchange *ex);

/// The exchange has ended: the client goes on to its next request, or closes.
void client_next(struct client *client);

/// Answers a request that never became an exchange of its own, and closes.
void client_refuse(struct client *client, int status, const char *text);

/// Closes the connection and, unless an exchange is left, frees the client.
void client_close(struct client *client, bool drain);

/// The client is not there any more: whoever answers it is told.
void client_leave(struct client *client);

// upload.c: the rest of a body that is used while it comes

/// True while bytes of the connection belong to an upload that is being answered.
bool client_uploads(const struct client *client);

/// Its rest is taken as the driver makes room. Called when the request is begun.
void client_await_room(struct client *client);

/// Takes bytes of the upload; gives back what is behind it.
struct px_str client_take_upload(struct client *client, struct px_str bytes);

/// The upload has not gone on in time.
void client_upload_late(struct client *client);

/// Its client has left, or will not be listened to again.
void client_upload_lost(struct client *client);

// client.c, for upload.c

void client_set_reading(struct client *client, bool on);
void client_arm(struct client *client, uint32_t ms);

/// Looks from now on, from time to time, whether a client that is not read has left.
void client_start_looking(struct client *client);

/// Arms the timer again while an answer waits to be taken.
void client_watch_stall(struct client *client);
