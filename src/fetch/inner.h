#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate.h"
#include "guard.h"
#include "head.h"
#include "lane.h"
#include "px/fetch.h"
#include "px/poll.h"
#include "px/tls.h"
#include "reader.h"
#include "target.h"

/// Part of a large body that the library takes at a time; the least it allows.
#define UPLOAD_BUFFER 16384L

/// How far a transfer has come.
enum fetch_phase {
    FETCH_CONNECTING,  ///< Until the connection stands, waiting for a look-up included.
    FETCH_SENDING,     ///< The request is under way or sent, no answer yet.
    FETCH_ANSWERING,
};

enum fetch_limit { LIMIT_NONE, LIMIT_CONNECT, LIMIT_FIRST_BYTE, LIMIT_IDLE, LIMIT_TOTAL };

/// A transfer is in the fetcher's queue (`queued`) whenever there is something to do with it at the
/// top of the loop; px_fetch_settle() looks at the flags and does it.
struct px_fetch {
    struct px_fetcher *fetcher;
    struct px_fetch_fns fns;
    void *user;
    CURL *easy;
    struct px_fetch *queue_next;

    bool lean;  ///< In the lean lane (lane.h).
    bool queued;
    bool opened;     ///< The easy handle is in the multi handle.
    bool busy;       ///< Opened, and the library has not reported its end.
    bool over;       ///< Ended, failed or cancelled: the library's callbacks must refuse.
    bool cancelled;  ///< The owner does not want to hear of it again.
    bool paused;     ///< The owner does not want data.
    bool admitted;   ///< It need not ask at the gate any more.
    bool dialled;    ///< It has opened a socket: the look-up gave an address.
    bool held;       ///< Data is kept back because of that.
    bool unwanted;   ///< The body may be freed once it is sent.
    bool head_only;  ///< HEAD: the answer has no body, whatever its head says.
    bool posted;     ///< The library reads the body itself (POSTFIELDS) instead of on_read().
    bool http2;      ///< HTTP/2 is offered.
    bool stale;      ///< It met a connection that was closed while idle: it is to be sent again.
    bool again;      ///< It has been.
    bool spoiled;    ///< The easy handle is in a state that nobody knows.
    bool streamed;
    bool guarded;    ///< Only public addresses.
    bool forbidden;  ///< An address was refused because of that.

    enum fetch_phase phase;
    enum px_fetch_failure failure;
    CURLcode code;           ///< What the library said, or would say.
    enum fetch_limit limit;  ///< Which limit was passed, if that is the failure.
    const char *fault;       ///< Words for a failure of neither kind.

    struct px_block *body;
    size_t body_len, body_at;

    struct px_source *source;  ///< Instead of `body`.
    bool starved;              ///< The library waits for more of it.
    bool refused;              ///< The upstream has refused before it had all.

    struct px_timer timer;  ///< For the earliest limit; late is checked, early is re-armed.
    struct px_fetch_times times;
    uint64_t started, active;  ///< px_loop_now()'s time.

    struct px_answer answer;
    struct px_tls_end *end;  ///< Watched if the answer ends with its TLS connection; else NULL.
    struct px_gate_pass pass;
    struct px_target target, proxy;                  ///< No proxy: `proxy.host` is empty.
    struct curl_slist *headers;                      ///< The first of `nodes`.
    const char *method, *url, *proxy_url, *ca_file;  ///< Behind `nodes`. NULL: not given.
    char error[CURL_ERROR_SIZE];                     ///< Either lane's.

    // The lean lane's; it needs `code`, `answer.done` and `error` too, so that texts are the same.
    struct px_lane_conn *conn;
    struct px_lane_upload upload;
    struct px_reader reader;
    const char *out;  ///< The request's head, behind this struct.
    size_t out_len;
    size_t sent;   ///< Of head and body together; of the head alone if there is a source.
    bool stopped;  ///< Nothing more is sent: the upstream has answered already, or takes nothing.
    int os_error;  ///< Why it could not connect.

    struct curl_slist nodes[];  ///< The library's header lines.
};

/// Easy handles that wait for their next transfer.
struct easy_pool {
    CURL *handles[64];
    size_t count;
};

/// A socket of the library. `ours` was made by on_open_socket() and lives until
/// on_close_socket(); others (its resolver's) may be closed as soon as nothing is wanted.
struct px_sock {
    struct px_fetcher *fetcher;
    curl_socket_t fd;
    struct px_poll *poll;
    int want;  ///< What the library waits for.
    bool ours;
};

struct px_fetcher {
    struct px_loop *loop;
    CURLM *multi;
    size_t max_idle;
    size_t live;  ///< Transfers that have not ended for their owners.
    size_t busy;  ///< Transfers that have a connection or wait for one.

    struct px_timer timer;  ///< The library's.
    bool kick;              ///< The library's timer is due now.
    struct px_defer work;
    struct px_fetch *queue_first, **queue_last;

    struct easy_pool pools[2];  ///< For transfers that are not `streamed`, and for those that are.
    struct px_sock **socks;     ///< By descriptor.
    size_t sock_cap;
    struct px_gate gate;
    struct px_lane lane;
};

// fetcher.c

/// Queues the transfer for px_fetch_settle() at the top of the loop.
void px_fetcher_queue(struct px_fetch *fetch);

/// Takes an easy handle from the pool, or makes one. NULL if out of memory.
CURL *px_fetcher_take_easy(struct px_fetcher *fetcher, bool streamed);

/// Resets an easy handle and gives it back.
void px_fetcher_give_easy(struct px_fetcher *fetcher, CURL *easy, bool streamed);

// socket.c: the library's sockets on the loop

int px_on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *sock_user);
curl_socket_t px_on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address);
int px_on_close_socket(void *user, curl_socket_t fd);
void px_socks_free(struct px_fetcher *fetcher);

// fetcher.c: a socket is ready

void px_fetcher_ready(struct px_fetcher *fetcher, curl_socket_t fd, int events);

// request.c: the caller's request, checked and copied

/// Copies what both lanes need of the request.
void px_request_copy_front(struct px_fetch *fetch, const struct px_fetch_request *request);

/// True if the field is about one hop or the framing, so not the caller's to set.
bool px_request_is_framing(struct px_str name);

/// Makes a transfer of the request; nothing has started yet.
PX_CHECK enum px_status px_request_copy(const struct px_fetch_request *request,
                                        struct px_fetch **out, struct px_error *err);

// easy.c: an easy handle set up for a transfer

PX_CHECK enum px_status px_easy_setup(struct px_fetch *fetch, bool http2, bool keep);

// transfer.c

/// Does what waits to be done with the transfer; it may be gone afterwards.
void px_fetch_settle(struct px_fetch *fetch);

/// Takes the transfer from its lane and tells its owner, unless the owner has cancelled it. Frees
/// it; it must not be queued.
void px_fetch_finish(struct px_fetch *fetch);

/// Marks the transfer as failed for a reason of ours and queues it.
void px_fetch_fail(struct px_fetch *fetch, enum px_fetch_failure failure, const char *fault);

/// Marks the transfer as ended by the library and queues it.
void px_fetch_end(struct px_fetch *fetch, CURLcode code);

// answer.c: the library's callbacks of one transfer

size_t px_on_read(char *to, size_t size, size_t count, void *user);
int px_on_seek(void *user, curl_off_t offset, int origin);
size_t px_on_header(char *bytes, size_t size, size_t count, void *user);
size_t px_on_write(char *bytes, size_t size, size_t count, void *user);
int px_on_request(void *user, char *ip, char *local_ip, int port, int local_port);

/// Frees the body if nothing will read it again and its owner does not want it.
void px_fetch_shed_body(struct px_fetch *fetch);

// upload.c: a body that comes while it is sent

/// Takes the source of the request.
void px_upload_begin(struct px_fetch *fetch, struct px_source *source);

/// Lets go of the source: it tells nobody any more.
void px_upload_end(struct px_fetch *fetch);

/// True if the upload cannot be sent again. It then goes out on a fresh connection: one that was
/// idle may have been closed by the upstream just now, and that is noticed too late.
bool px_upload_is_once(const struct px_fetch *fetch);

/// True while the upstream waits for a client that has not sent on.
bool px_upload_is_dry(const struct px_fetch *fetch);

/// For the library: as px_on_read().
size_t px_upload_read(struct px_fetch *fetch, char *to, size_t size);

/// Fails the transfer if the source is broken. True if so.
bool px_upload_broke(struct px_fetch *fetch);

/// True if the library waits for more without need.
bool px_upload_goes_on(const struct px_fetch *fetch);

/// Lets go of a source of which all was sent.
void px_upload_shed(struct px_fetch *fetch);

// limit.c

/// Arms the timer for the earliest limit that runs now. A limit that got later is left to the
/// timer.
void px_limit_arm(struct px_fetch *fetch);
void px_limit_stop(struct px_fetch *fetch);
void px_limit_on_timer(void *user);

// error.c

/// What the library's result means for the caller.
enum px_fetch_failure px_failure_of(const struct px_fetch *fetch, CURLcode code);

/// Writes the reason of the transfer's failure for an operator, without secrets.
void px_failure_text(const struct px_fetch *fetch, char *text, size_t size);
