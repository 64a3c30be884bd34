#pragma once

#include "px/listener.h"

/// Makes a listening socket as `conf` says. The caller closes it.
PX_CHECK enum px_status px_socket_listen(const struct px_listen_conf *conf, int *out,
                                         struct px_error *err);

/// The port a socket is bound to, 0 if none.
int px_socket_port(int fd);
