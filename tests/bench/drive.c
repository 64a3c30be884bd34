// Closed and open loop. A client is one keep-alive connection; it carries one request at a time.

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "load.h"
#include "sock.h"

#define SILENCE_MS 20000

struct client {
    int fd;
    size_t target;
    bool busy, polls_out;
    size_t sent;
    uint64_t start, first;
    struct client *next, *next_idle;
    struct bench_reply reply;
};

struct drive {
    const struct bench_load *load;
    struct bench_tally *tallies;
    int epoll, timer, datagrams;
    long issued[BENCH_TARGETS], finished, clients;
    size_t turn;
    struct client *all, *idle[BENCH_TARGETS];
    struct bench_ack acks[BENCH_ACKS];
    size_t ack_count;
};

static char scratch[256 * 1024];

static void connect_client(struct drive *d, struct client *c)
{
    c->fd = bench_connect(d->load->ports[c->target], false);
    c->polls_out = false;
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, c->fd, &ev)) {
        bench_die("epoll: %s", strerror(errno));
    }
}

static struct client *new_client(struct drive *d, size_t target)
{
    struct client *c = calloc(1, sizeof(*c));
    if (!c) {
        bench_die("no memory");
    }
    c->target = target;
    c->next = d->all;
    d->all = c;
    connect_client(d, c);
    d->clients++;
    return c;
}

static void send_rest(struct drive *d, struct client *c)
{
    const struct bench_load *load = d->load;
    while (c->sent < load->request_len) {
        ssize_t n = send(c->fd, load->request + c->sent, load->request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0) {
            break;  // What is wrong, the read will say.
        }
        c->sent += (size_t)n;
    }
    bool wants = c->sent < load->request_len;
    if (wants != c->polls_out) {
        c->polls_out = wants;
        struct epoll_event ev = { .events = EPOLLIN | (wants ? EPOLLOUT : 0), .data.ptr = c };
        epoll_ctl(d->epoll, EPOLL_CTL_MOD, c->fd, &ev);
    }
}

static void begin(struct drive *d, struct client *c)
{
    d->issued[c->target]++;
    c->busy = true;
    c->sent = 0;
    c->first = 0;
    bench_reply_start(&c->reply);
    c->start = bench_now();
    send_rest(d, c);
}

/// Books an answer, right or wrong, and gives the client its next request.
static void finish(struct drive *d, struct client *c)
{
    const struct bench_load *load = d->load;
    struct bench_tally *tally = &d->tallies[c->target];
    if (bench_reply_right(&c->reply, load->marks, load->end)) {
        uint64_t now = bench_now();
        tally->whole[tally->done] = now - c->start;
        tally->first[tally->done] = (c->first ? c->first : now) - c->start;
        tally->done++;
    } else {
        tally->errors++;
        bench_complain(&c->reply, load);
    }
    d->finished++;
    c->busy = false;
    if (c->reply.state != BENCH_DONE || c->reply.closes) {
        close(c->fd);
        connect_client(d, c);
    }
    if (load->rate) {
        c->next_idle = d->idle[c->target];
        d->idle[c->target] = c;
    } else if (d->issued[c->target] < load->requests) {
        begin(d, c);
    }
}

/// Tells the upstream what arrived, so that it goes on.
static void send_acks(struct drive *d)
{
    if (d->ack_count && send(d->datagrams, d->acks, d->ack_count * sizeof(*d->acks), 0) < 0) {
        bench_die("the upstream cannot be told: %s", strerror(errno));
    }
    d->ack_count = 0;
}

static void set_busy(struct drive *d, bool busy)
{
    if (d->load->busy) {
        d->acks[d->ack_count++] = (struct bench_ack){ BENCH_BUSY, busy };
        send_acks(d);
    }
}

/// Waits for events; without sleeping where that is asked for.
static int wait_for(struct drive *d, struct epoll_event *events, int max)
{
    uint64_t end = bench_now() + SILENCE_MS * UINT64_C(1000000);
    int count;
    while ((count = epoll_wait(d->epoll, events, max, d->load->busy ? 0 : SILENCE_MS)) == 0) {
        if (bench_now() > end) {
            bench_die("nothing came for %d s, after %ld answers", SILENCE_MS / 1000, d->finished);
        }
        sched_yield();  // The upstream shares our processor.
    }
    return count;
}

static void feed(struct drive *d, struct client *c, size_t len)
{
    size_t before = c->reply.id_digits == 4 ? c->reply.marks : 0;
    bench_reply_feed(&c->reply, scratch, len);
    if (!c->first && c->reply.marks) {
        c->first = bench_now();
    }
    size_t arrived = c->reply.id_digits == 4 ? c->reply.marks - before : 0;
    if (arrived && d->load->ack_port) {
        d->acks[d->ack_count++] = (struct bench_ack){ (uint16_t)c->reply.id, (uint16_t)arrived };
        if (d->ack_count == BENCH_ACKS) {
            send_acks(d);
        }
    }
}

static void on_readable(struct drive *d, struct client *c)
{
    ssize_t n = recv(c->fd, scratch, sizeof(scratch), 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (!c->busy) {
        if (n <= 0) {  // An idle connection may be closed at any time.
            close(c->fd);
            connect_client(d, c);
            return;
        }
        bench_die("an answer without a request");
    }
    d->tallies[c->target].reads++;
    if (n <= 0) {
        c->reply.state = BENCH_BAD;
    } else {
        feed(d, c, (size_t)n);
    }
    if (c->reply.state == BENCH_DONE || c->reply.state == BENCH_BAD) {
        finish(d, c);
    }
}

/// The next request of the open loop, to the target whose turn it is.
static void on_tick(struct drive *d)
{
    uint64_t ticks;
    if (read(d->timer, &ticks, sizeof(ticks)) != sizeof(ticks)) {
        return;
    }
    size_t target = d->turn++ % d->load->targets;
    if (d->issued[target] == d->load->requests) {
        return;
    }
    struct client *c = d->idle[target];
    if (c) {
        d->idle[target] = c->next_idle;
    } else if (d->clients < d->load->connections * (long)d->load->targets) {
        c = new_client(d, target);
    } else {
        bench_die("%ld connections are not enough for %ld requests a second", d->clients,
                  d->load->rate);
    }
    begin(d, c);
}

static void open_loop(struct drive *d)
{
    d->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    long ns = 1000000000 / (d->load->rate * (long)d->load->targets);
    struct itimerspec spec = { { 0, ns }, { 0, ns } };
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
    if (d->timer < 0 || timerfd_settime(d->timer, 0, &spec, NULL) ||
        epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->timer, &ev)) {
        bench_die("timer: %s", strerror(errno));
    }
}

static void closed_loop(struct drive *d)
{
    for (size_t t = 0; t < d->load->targets; t++) {
        for (long i = 0; i < d->load->connections && i < d->load->requests; i++) {
            begin(d, new_client(d, t));
        }
    }
}

static void finish_clients(struct drive *d)
{
    for (struct client *c = d->all, *next; c; c = next) {
        next = c->next;
        close(c->fd);
        free(c);
    }
    close(d->epoll);
}

void bench_drive(const struct bench_load *load, struct bench_tally *tallies)
{
    struct drive d = { .load = load, .tallies = tallies, .epoll = epoll_create1(EPOLL_CLOEXEC) };
    int ack_port = load->ack_port;
    d.datagrams = ack_port ? bench_datagram(&ack_port, false) : -1;
    set_busy(&d, true);
    if (load->rate) {
        open_loop(&d);
    } else {
        closed_loop(&d);
    }
    struct epoll_event events[128];
    while (d.finished < load->requests * (long)load->targets) {
        int count = wait_for(&d, events, 128);
        for (int i = 0; i < count; i++) {
            struct client *c = events[i].data.ptr;
            if (!c) {
                on_tick(&d);
                continue;
            }
            if (events[i].events & EPOLLOUT) {
                send_rest(&d, c);
            }
            if (events[i].events & ~(uint32_t)EPOLLOUT) {
                on_readable(&d, c);
            }
        }
        send_acks(&d);
    }
    set_busy(&d, false);
    finish_clients(&d);
}
