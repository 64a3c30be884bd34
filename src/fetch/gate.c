#include "gate.h"

#include <assert.h>
#include <stdlib.h>

/// The library keeps an address for 60 s (CURLOPT_DNS_CACHE_TIMEOUT); we believe it a bit less.
#define FRESH_MS 55000

/// Names remembered at most. A name beyond that passes the gate unseen.
#define MAX_HOSTS 4096

struct px_gate_host {
    struct px_gate_host *next;
    struct px_gate_pass *ahead;  ///< Looks the name up now.
    struct px_gate_pass *first, **last;
    uint64_t fresh_until;
    size_t len;
    char name[];
};

static size_t bucket_of(struct px_str name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
    }
    return (hash ^ (hash >> 16)) % 64;
}

/// Forgets names of a bucket that nobody waits for and whose address is old.
static void prune(struct px_gate *gate, size_t bucket, uint64_t now)
{
    for (struct px_gate_host **at = &gate->buckets[bucket]; *at;) {
        struct px_gate_host *host = *at;
        if (host->ahead || host->first || now < host->fresh_until) {
            at = &host->next;
            continue;
        }
        *at = host->next;
        free(host);
        gate->count--;
    }
}

static struct px_gate_host *find_or_add(struct px_gate *gate, struct px_str name, uint64_t now)
{
    size_t bucket = bucket_of(name);
    for (struct px_gate_host *host = gate->buckets[bucket]; host; host = host->next) {
        if (px_str_eq(name, (struct px_str){ host->name, host->len })) {
            return host;
        }
    }
    prune(gate, bucket, now);
    if (gate->count >= MAX_HOSTS) {
        return NULL;
    }
    struct px_gate_host *host = calloc(1, sizeof(*host) + name.len);
    if (!host) {
        return NULL;
    }
    memcpy(host->name, name.ptr, name.len);
    host->len = name.len;
    host->last = &host->first;
    host->next = gate->buckets[bucket];
    gate->buckets[bucket] = host;
    gate->count++;
    return host;
}

enum px_gate_answer px_gate_enter(struct px_gate *gate, struct px_gate_pass *pass,
                                  struct px_str name, uint64_t now)
{
    assert(!pass->host);
    struct px_gate_host *host = find_or_add(gate, name, now);
    if (!host || now < host->fresh_until) {
        return PX_GATE_GO;
    }
    pass->host = host;
    pass->next = NULL;
    if (!host->ahead) {
        host->ahead = pass;
        return PX_GATE_GO;
    }
    pass->waiting = true;
    *host->last = pass;
    host->last = &pass->next;
    return PX_GATE_WAIT;
}

static struct px_gate_pass *take_first(struct px_gate_host *host)
{
    struct px_gate_pass *pass = host->first;
    if (pass) {
        host->first = pass->next;
        if (!host->first) {
            host->last = &host->first;
        }
        pass->waiting = false;
        pass->next = NULL;
    }
    return pass;
}

void px_gate_found(struct px_gate *gate, struct px_gate_pass *pass, uint64_t now)
{
    struct px_gate_host *host = pass->host;
    if (!host) {
        return;
    }
    assert(host->ahead == pass);
    host->ahead = NULL;
    host->fresh_until = now + FRESH_MS;
    pass->host = NULL;
    for (struct px_gate_pass *next; (next = take_first(host));) {
        next->host = NULL;
        gate->on_open(next);
    }
}

void px_gate_refused(struct px_gate *gate, struct px_gate_pass *pass)
{
    struct px_gate_host *host = pass->host;
    if (!host) {
        return;
    }
    assert(host->ahead == pass);
    host->ahead = NULL;
    pass->host = NULL;
    for (struct px_gate_pass *next; (next = take_first(host));) {
        next->host = NULL;
        gate->on_refuse(next);
    }
}

void px_gate_leave(struct px_gate *gate, struct px_gate_pass *pass)
{
    struct px_gate_host *host = pass->host;
    if (!host) {
        return;
    }
    pass->host = NULL;
    if (pass->waiting) {
        struct px_gate_pass **at = &host->first;
        while (*at != pass) {
            at = &(*at)->next;
        }
        *at = pass->next;
        if (!pass->next) {
            host->last = at;
        }
        pass->waiting = false;
        pass->next = NULL;
        return;
    }
    host->ahead = take_first(host);
    if (host->ahead) {
        gate->on_open(host->ahead);
    }
}

void px_gate_deinit(struct px_gate *gate)
{
    for (size_t i = 0; i < 64; i++) {
        while (gate->buckets[i]) {
            struct px_gate_host *host = gate->buckets[i];
            assert(!host->ahead && !host->first);
            gate->buckets[i] = host->next;
            free(host);
        }
    }
    gate->count = 0;
}
