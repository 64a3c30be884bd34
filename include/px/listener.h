#pragma once

#include "px/conn.h"
#include "px/tls.h"

/// A listening socket of one worker.
struct px_listener;

struct px_listen_conf {
    const char *address;  ///< Numeric IPv4 or IPv6.
    int port;             ///< 0 lets the system choose.
    int fd;               ///< An inherited listening socket, or -1. It is duplicated.
};

/// Receives accepted connections; it must attach, or close them.
typedef void (*px_accept_fn)(void *user, struct px_conn *conn);

/// Binds with SO_REUSEPORT and listens (backlog 1024). `tls` may be NULL (plain); it is held.
/// Accepted sockets have TCP_NODELAY. TLS connections come to `fn` when their handshake is done;
/// one that takes over 10 seconds is closed.
PX_CHECK enum px_status px_listener_new(struct px_loop *loop, const struct px_listen_conf *conf,
                                        struct px_tls *tls, px_accept_fn fn, void *user,
                                        struct px_listener **out, struct px_error *err);

/// Uses other TLS settings for connections accepted from now on; NULL makes it plain.
void px_listener_set_tls(struct px_listener *listener, struct px_tls *tls);

/// Pauses accepting (too many connections) and resumes it.
void px_listener_accept(struct px_listener *listener, bool on);

/// The port it listens on.
int px_listener_port(const struct px_listener *listener);

/// Stops listening. Accepted connections go on. NULL is allowed.
void px_listener_close(struct px_listener *listener);

/// Finds out whether address and port are free, by one bind without SO_REUSEPORT: with it a second
/// process would take half of the connections in silence. The error says what to do.
PX_CHECK enum px_status px_listener_probe(const struct px_listen_conf *conf, struct px_error *err);

/// How many connections this loop has: accepted and not yet gone, handshakes included.
size_t px_listener_connections(const struct px_loop *loop);
