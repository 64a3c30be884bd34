// What is answered without a script: whether the process lives, whether it can serve, its figures.

#include <stdio.h>

#include "server.h"

static void answer(struct px_exchange *ex, int status, struct px_str type, struct px_str body)
{
    const struct px_http_header headers[] = {
        { PX_STR("content-type"), type },
        { PX_STR("cache-control"), PX_STR("no-store") },
    };
    px_exchange_answer(ex, status, headers, 2, NULL, body);
    px_exchange_end(ex);
}

static enum px_status gauge(struct px_buf *out, const char *name, const char *help, size_t value)
{
    char text[400];
    int len = snprintf(text, sizeof(text), "# HELP %s %s\n# TYPE %s gauge\n%s %zu\n", name, help,
                       name, name, value);
    return px_buf_add(out, (struct px_str){ text, (size_t)len });
}

static void answer_metrics(struct server *server, struct px_exchange *ex)
{
    size_t connections = 0, requests = 0, bytes = 0, tasks = 0, transfers = 0;
    for (unsigned i = 0; i < server->worker_count; i++) {
        const struct worker *worker = &server->workers[i];
        connections += worker->stats.connections;
        requests += worker->stats.requests;
        bytes += worker->stats.body_bytes;
        tasks += worker->tasks;
        transfers += worker->transfers;
    }
    struct px_buf out = PX_BUF(16 << 20);
    enum px_status st = gauge(&out, "proxima_connections", "Connections of clients.", connections);
    st = st ? st : gauge(&out, "proxima_requests", "Requests being read or answered.", requests);
    st = st ? st : gauge(&out, "proxima_tasks", "Tasks of scripts.", tasks);
    st = st ? st : gauge(&out, "proxima_transfers", "Transfers with upstreams.", transfers);
    st = st ? st : gauge(&out, "proxima_body_bytes", "Bytes of request bodies in memory.", bytes);
    st = st ? st
            : gauge(&out, "proxima_generations", "Generations of configuration and scripts.",
                    server->generations);
    struct px_cache_stats kept = px_cache_stats(server->responses);
    st = st ? st : gauge(&out, "proxima_kept_responses", "Responses kept.", kept.entries);
    st = st ? st : gauge(&out, "proxima_kept_bytes", "Bytes that they take.", kept.bytes);
    st = st ? st
            : gauge(&out, "proxima_kept_evicted", "Responses that made room for others.",
                    (size_t)kept.evicted);
    st = st ? st : px_counters_print(server->counters, &out);
    if (st) {
        answer(ex, 503, PX_STR("text/plain"), PX_STR("out of memory\n"));
    } else {
        answer(ex, 200, PX_STR("text/plain; version=0.0.4; charset=utf-8"), px_buf_str(&out));
    }
    px_buf_free(&out);
}

bool front_answer(struct server *server, struct px_exchange *ex)
{
    const struct px_http_head *head = px_exchange_head(ex);
    struct px_str path = px_exchange_path(ex);
    bool reads = px_str_eq(head->method, PX_STR("GET")) || px_str_eq(head->method, PX_STR("HEAD"));
    if (!reads) {
        return false;
    }
    if (px_str_eq(path, PX_STR("/health"))) {
        answer(ex, 200, PX_STR("application/json"), PX_STR("{\"status\":\"ok\"}"));
    } else if (px_str_eq(path, PX_STR("/ready"))) {
        bool ready = !server->stopping;
        answer(ex, ready ? 200 : 503, PX_STR("application/json"),
               ready ? PX_STR("{\"status\":\"ready\"}") : PX_STR("{\"status\":\"stopping\"}"));
    } else if (px_str_eq(path, PX_STR("/metrics"))) {
        answer_metrics(server, ex);
    } else {
        return false;
    }
    return true;
}
