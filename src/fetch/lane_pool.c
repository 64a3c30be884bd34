// Idle connections of the lean lane, the one used last first.

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inner.h"

static void unlink_idle(struct px_lane_conn *conn)
{
    struct px_lane *lane = &conn->fetcher->lane;
    *(conn->newer ? &conn->newer->older : &lane->newest) = conn->older;
    *(conn->older ? &conn->older->newer : &lane->oldest) = conn->newer;
    conn->newer = conn->older = NULL;
    lane->idle--;
}

struct px_lane_conn *px_lane_pool_take(struct px_lane *lane, const struct px_lane_origin *origin)
{
    for (struct px_lane_conn *conn = lane->newest; conn; conn = conn->older) {
        if (conn->origin.port == origin->port && conn->origin.kind == origin->kind &&
            memcmp(conn->origin.address, origin->address, sizeof(origin->address)) == 0) {
            unlink_idle(conn);
            return conn;
        }
    }
    return NULL;
}

void px_lane_pool_give(struct px_lane_conn *conn, size_t max)
{
    struct px_lane *lane = &conn->fetcher->lane;
    conn->fetch = NULL;
    conn->older = lane->newest;
    *(lane->newest ? &lane->newest->newer : &lane->oldest) = conn;
    lane->newest = conn;
    lane->idle++;
    if (px_poll_want(conn->poll, PX_POLL_READ)) {
        px_lane_conn_close(conn);
        return;
    }
    px_poll_keep(conn->poll, false);
    if (lane->idle > max) {
        px_lane_conn_close(lane->oldest);
    }
}

void px_lane_forget(struct px_lane_conn *conn)
{
    free(conn->kept);
    conn->kept = NULL;
    conn->rest = (struct px_str){ NULL, 0 };
}

void px_lane_conn_close(struct px_lane_conn *conn)
{
    if (!conn->fetch) {
        unlink_idle(conn);
    }
    px_poll_free(conn->poll);
    close(conn->fd);
    px_lane_forget(conn);
    free(conn);
}
