#pragma once

#include <openssl/ssl.h>
#include <uv.h>

#include "net.h"
#include "px/conn.h"
#include "px/listener.h"

/// A connection's life. Each phase may be left for any later one.
enum px_conn_phase {
    PX_CONN_SHAKING,    ///< TLS handshake; belongs to its listener.
    PX_CONN_OPEN,       ///< Belongs to its owner.
    PX_CONN_DRAINING,   ///< Let go of; sends the rest.
    PX_CONN_LINGERING,  ///< All is sent; reads until the peer ends.
    PX_CONN_CUT,        ///< The socket is closed.
};

struct px_conn {
    uv_tcp_t tcp;
    uv_write_t write;  ///< Waits for the socket to become writable.
    size_t in_flight;  ///< Bytes that `write` holds; they are still in the queue.
    struct px_loop *loop;
    struct px_net *net;
    struct px_listener *listener;  ///< While shaking.

    const struct px_conn_fns *fns;  ///< NULL until attached, and after px_conn_close().
    void *user;
    struct px_conn *prev, *next;
    struct px_conn *dirty_next, **dirty_at;  ///< `dirty_at` is NULL while not marked.

    struct px_queue out;     ///< As it was written: plain text.
    struct px_queue cipher;  ///< TLS: records to send.
    SSL *ssl;
    struct px_str span;     ///< TLS: ciphertext to read now.
    struct px_block *rest;  ///< TLS: ciphertext that came before reading was turned off.
    size_t rest_at;
    struct px_timer timer;
    size_t lingered;  ///< Bytes thrown away.

    enum px_conn_phase phase;
    enum px_status end_status;
    bool reading;    ///< The owner wants bytes.
    bool uv_reads;   ///< libuv reads.
    bool ended;      ///< Nothing more comes from the peer.
    bool end_due;    ///< on_end() is still to be called.
    bool broken;     ///< Neither direction works any more.
    bool full;       ///< Between the marks.
    bool drain_due;  ///< on_drain() is still to be called.
    bool said_bye;   ///< TLS: close_notify is in the queue.
    bool released;   ///< Nobody owns it.
    bool closed;     ///< libuv is done with it.
    char peer[56];
};

/// Makes a connection of an accepted socket and takes the socket over, also on failure.
struct px_conn *px_conn_new(struct px_loop *loop, int fd, const struct sockaddr *peer);

/// Closes the socket at once. A connection that nobody owns is freed a little later.
void px_conn_cut(struct px_conn *conn);

/// Ends a connection that failed: what is queued is dropped, the owner is told in this round.
void px_conn_break(struct px_conn *conn, enum px_status status);

/// Notes that nothing more will come.
void px_conn_ended(struct px_conn *conn, enum px_status status);

/// Lets go of the connection and sends what is queued.
void px_conn_drain(struct px_conn *conn);

/// Sends as much as the socket takes.
void px_conn_send(struct px_conn *conn);

/// Sends, then tells the owner what is due. Called from the loop only.
void px_conn_serve(struct px_conn *conn);

/// Starts or stops libuv's reading, as the connection's state asks for.
void px_conn_update_reading(struct px_conn *conn);

/// Hands bytes to the owner.
void px_conn_deliver(struct px_conn *conn, struct px_str bytes);

/// Begins the server's side of a handshake with `ctx`.
PX_CHECK enum px_status px_conn_shake(struct px_conn *conn, SSL_CTX *ctx);

/// Takes ciphertext that arrived: goes on with the handshake or delivers.
void px_conn_decrypt(struct px_conn *conn, struct px_str bytes);

/// Takes what px_conn_decrypt() had to leave.
void px_conn_decrypt_rest(struct px_conn *conn);

/// Moves plain text into the ciphertext queue, as much as is worth having there.
void px_conn_encrypt(struct px_conn *conn);

/// Queues close_notify.
void px_conn_bye(struct px_conn *conn);

/// Hands a connection whose handshake is done to the listener's owner.
void px_listener_hand_over(struct px_conn *conn);

/// The BIO through which OpenSSL reads `span` and writes `cipher`. NULL if out of memory.
BIO *px_conn_bio(struct px_conn *conn);
