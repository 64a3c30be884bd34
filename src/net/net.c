#include "net.h"

#include <stdlib.h>

#include "conn.h"
#include "inner.h"

struct px_net_limits px_net_limits = {
    .handshake_ms = 10000,
    .drain_ms = 10000,
    .linger_ms = 2000,
    // A client that sends a body of twice the usual limit to its end still reads why it was
    // refused.
    .linger_bytes = (size_t)64 << 20,
};

struct px_net *px_net_get(struct px_loop *loop)
{
    if (!loop->net) {
        loop->net = malloc(sizeof(*loop->net));
        if (loop->net) {
            memset(loop->net, 0, offsetof(struct px_net, input));
            loop->net->dirty_last = &loop->net->dirty;
        }
    }
    return loop->net;
}

void px_net_mark(struct px_conn *conn)
{
    struct px_net *net = conn->net;
    if (conn->dirty_at) {
        return;
    }
    conn->dirty_next = NULL;
    conn->dirty_at = net->dirty_last;
    *net->dirty_last = conn;
    net->dirty_last = &conn->dirty_next;
    px_loop_again(conn->loop);
}

void px_net_unmark(struct px_conn *conn)
{
    if (!conn->dirty_at) {
        return;
    }
    *conn->dirty_at = conn->dirty_next;
    if (conn->dirty_next) {
        conn->dirty_next->dirty_at = conn->dirty_at;
    } else {
        conn->net->dirty_last = conn->dirty_at;
    }
    conn->dirty_at = NULL;
}

void px_net_add(struct px_conn *conn)
{
    struct px_net *net = conn->net;
    conn->next = net->conns;
    if (net->conns) {
        net->conns->prev = conn;
    }
    net->conns = conn;
    net->count++;
}

void px_net_remove(struct px_conn *conn)
{
    if (conn->prev) {
        conn->prev->next = conn->next;
    } else {
        conn->net->conns = conn->next;
    }
    if (conn->next) {
        conn->next->prev = conn->prev;
    }
    conn->net->count--;
}

void px_net_flush(struct px_loop *loop)
{
    struct px_net *net = loop->net;
    if (!net || !net->dirty) {
        return;
    }
    // Who is marked while this runs goes behind the last one of now, and waits for the next round.
    size_t turns = 0;
    for (struct px_conn *at = net->dirty; at; at = at->dirty_next) {
        turns++;
    }
    while (turns-- && net->dirty) {
        px_conn_serve(net->dirty);
    }
}

void px_net_deinit(struct px_loop *loop)
{
    if (!loop->net) {
        return;
    }
    for (struct px_conn *conn = loop->net->conns; conn; conn = conn->next) {
        if (conn->released) {
            px_conn_cut(conn);
        }
    }
}

void px_net_free(struct px_loop *loop)
{
    if (loop->net) {
        px_pool_free(&loop->net->pool);
        free(loop->net);
        loop->net = NULL;
    }
}

size_t px_listener_connections(const struct px_loop *loop)
{
    return loop->net ? loop->net->count : 0;
}
