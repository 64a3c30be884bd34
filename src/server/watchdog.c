// The watchdog: a worker whose loop does not come round for 10 seconds is a bug of ours. Nothing a
// script does may cause it. The process ends, so that whoever watches it starts it again.

#include <stdlib.h>
#include <time.h>

#include "px/log.h"
#include "px/thread.h"
#include "server.h"

#define LIMIT_SECONDS 10

static void pong(void *user)
{
    struct worker *worker = user;
    worker->pongs++;
}

struct seen {
    unsigned pongs;
    unsigned late;  ///< Seconds since the last answer.
    bool asked;
};

static void look(struct worker *worker, struct seen *seen)
{
    unsigned pongs = worker->pongs;
    if (!seen->asked || pongs != seen->pongs) {
        seen->pongs = pongs;
        seen->late = 0;
        seen->asked = px_post(worker->loop, pong, worker) == PX_OK;
        return;
    }
    if (++seen->late >= LIMIT_SECONDS) {
        px_log(PX_LOG_ERROR, "watchdog", "worker %u has not come round for %d seconds: a bug",
               worker->number, LIMIT_SECONDS);
        px_log_stop();
        abort();
    }
}

static void *run(void *user)
{
    struct server *server = user;
    static struct seen seen[PX_WORKERS_MAX];
    while (!server->stopping) {
        nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
        for (unsigned i = 0; i < server->worker_count && !server->stopping; i++) {
            look(&server->workers[i], &seen[i]);
        }
    }
    return NULL;
}

enum px_status watchdog_start(struct server *server, struct px_error *err)
{
    enum px_status st = px_thread_start(&server->watchdog_thread, "watchdog", run, server, err);
    server->watchdog_running = st == PX_OK;
    return st;
}

void watchdog_stop(struct server *server)
{
    if (server->watchdog_running) {
        pthread_join(server->watchdog_thread, NULL);
        server->watchdog_running = false;
    }
}
