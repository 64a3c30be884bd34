// A fake vendor that costs next to nothing: one thread, one epoll, answers written at start.
//
// A stream of the kind `-eN` sends an event when it is told that the one before has arrived: the
// load generator tells it, by datagram. So a relay has all streams to serve, is never idle, and
// still sees every event alone, instead of many in one read.
//
// A stream of the kind `-tN` goes by the clock. Time is cut into gaps, and each gap into slots; a
// stream has its slot, and gets one event when the slot comes round. A slot that comes late is not
// made up for: two events of one stream never follow closely.

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "answer.h"
#include "sock.h"

#define PREFIX 8192  // As much of a request, head and start of the body, is kept.
#define MAX_SLOTS 256
#define MAX_CONNS 10000

struct conn {
    int fd;
    bool dead, polls_out, streams;
    enum bench_kind kind;
    SSL *ssl;
    size_t have, head_len, body_left;  // head_len is 0 until the head is complete.
    const char *out;                   // What could not be written yet.
    size_t out_len;
    unsigned id;               // Its place in the table.
    long events_left;          // Of a stream; its end comes after the last one.
    struct conn *prev, *next;  // In its slot.
    struct conn **slot;        // NULL: not a stream by the clock.
    struct conn *next_dead;
    char prefix[PREFIX];
};

struct upstream {
    int epoll, timer, datagrams;
    int plain, tls;  // Listening sockets.
    SSL_CTX *ctx;
    struct bench_answers answers[BENCH_KINDS];
    long gap_us, slot_count, at_slot, next_slot, streams;
    struct conn *slots[MAX_SLOTS];
    struct conn *dead;
    struct conn *conns[MAX_CONNS];
    unsigned next_id;
    bool busy;
};

static struct upstream up = { .plain = -1, .tls = -1, .gap_us = 2000, .slot_count = 32 };
static char scratch[256 * 1024];

static void arm(bool on)
{
    long ns = on ? up.gap_us * 1000 / up.slot_count : 0;
    struct itimerspec spec = { { ns / 1000000000, ns % 1000000000 },
                               { ns / 1000000000, ns % 1000000000 } };
    if (timerfd_settime(up.timer, 0, &spec, NULL)) {
        bench_die("timer: %s", strerror(errno));
    }
}

static void leave_slot(struct conn *c)
{
    if (!c->slot) {
        return;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    *(c->prev ? &c->prev->next : c->slot) = c->next;
    c->slot = NULL;
    c->prev = c->next = NULL;
    if (--up.streams == 0) {
        arm(false);
    }
}

static void enter_slot(struct conn *c)
{
    c->slot = &up.slots[up.next_slot++ % up.slot_count];
    c->next = *c->slot;
    if (c->next) {
        c->next->prev = c;
    }
    *c->slot = c;
    if (up.streams++ == 0) {
        arm(true);
    }
}

/// Ends a connection. It is freed after the round, since the round may hold another event of it.
static void drop(struct conn *c)
{
    if (c->dead) {
        return;
    }
    c->dead = true;
    up.conns[c->id] = NULL;
    leave_slot(c);
    c->next_dead = up.dead;
    up.dead = c;
    epoll_ctl(up.epoll, EPOLL_CTL_DEL, c->fd, NULL);
}

static void free_dead(void)
{
    while (up.dead) {
        struct conn *c = up.dead;
        up.dead = c->next_dead;
        SSL_free(c->ssl);
        close(c->fd);
        free(c);
    }
}

static void poll_out(struct conn *c, bool on)
{
    if (c->polls_out != on) {
        c->polls_out = on;
        struct epoll_event ev = { .events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c };
        epoll_ctl(up.epoll, EPOLL_CTL_MOD, c->fd, &ev);
    }
}

/// Reads or writes. 0: later. -1: over.
static ssize_t result(struct conn *c, ssize_t n)
{
    if (n > 0) {
        return n;
    }
    if (!c->ssl) {
        return n < 0 && errno == EAGAIN ? 0 : -1;
    }
    int why = SSL_get_error(c->ssl, (int)n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void flush(struct conn *c)
{
    while (c->out_len) {
        ssize_t n = result(c, c->ssl ? SSL_write(c->ssl, c->out, (int)c->out_len)
                                     : send(c->fd, c->out, c->out_len, MSG_NOSIGNAL));
        if (n < 0) {
            drop(c);
            return;
        }
        if (n == 0) {
            poll_out(c, true);
            return;
        }
        c->out += n;
        c->out_len -= (size_t)n;
    }
    poll_out(c, false);
}

static void put(struct conn *c, struct bench_text text)
{
    bench_text_number(text, c->id);
    c->out = text.ptr;
    c->out_len = text.len;
    flush(c);
}

static void answer(struct conn *c)
{
    struct bench_wish wish = bench_wish_of(c->prefix, c->have);
    const struct bench_answers *answers = &up.answers[c->kind];
    c->have = c->head_len = 0;
    if (wish.events > 0) {
        c->events_left = wish.events - 1;
        c->streams = true;
        if (wish.timed) {
            enter_slot(c);
        }
        put(c, answers->first);
    } else {
        put(c, wish.slow ? answers->first : answers->unary);
    }
}

static void step(struct conn *c)
{
    if (c->out_len) {
        return;
    }
    const struct bench_answers *answers = &up.answers[c->kind];
    if (c->events_left-- > 0) {
        put(c, answers->next);
        return;
    }
    c->streams = false;
    leave_slot(c);
    put(c, answers->last);
}

static void on_timer(void)
{
    uint64_t ticks;
    if (read(up.timer, &ticks, sizeof(ticks)) != sizeof(ticks)) {
        return;
    }
    for (uint64_t i = 0; i < ticks && i < (uint64_t)up.slot_count; i++) {
        up.at_slot = (up.at_slot + 1) % up.slot_count;
        for (struct conn *c = up.slots[up.at_slot], *next; c; c = next) {
            next = c->next;
            step(c);
        }
    }
}

static void on_datagram(void)
{
    struct bench_ack acks[BENCH_ACKS];
    ssize_t len = recv(up.datagrams, acks, sizeof(acks), 0);
    for (size_t i = 0; len > 0 && i < (size_t)len / sizeof(*acks); i++) {
        if (acks[i].id == BENCH_BUSY) {
            up.busy = acks[i].events != 0;
        }
        struct conn *c = acks[i].id < MAX_CONNS ? up.conns[acks[i].id] : NULL;
        for (unsigned n = 0; c && n < acks[i].events && c->streams && !c->slot; n++) {
            step(c);
        }
    }
}

/// Looks for the end of the head in what is kept. False: the request is not one of ours.
static bool read_head(struct conn *c)
{
    const char *end = memmem(c->prefix, c->have, "\r\n\r\n", 4);
    if (!end) {
        return c->have < PREFIX;
    }
    c->head_len = (size_t)(end - c->prefix) + 4;
    c->kind = bench_kind_of(c->prefix, c->head_len);
    c->body_left = 0;
    for (const char *at = c->prefix; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        if (!strncasecmp(at + 1, "content-length:", 15)) {
            c->body_left = strtoul(at + 16, NULL, 10);
        } else if (!strncasecmp(at + 1, "transfer-encoding:", 18)) {
            return false;
        }
    }
    size_t with = c->have - c->head_len;
    if (with > c->body_left) {
        return false;
    }
    c->body_left -= with;
    return true;
}

/// Takes what was read: a piece of a head, then of a body.
static bool take(struct conn *c, const char *bytes, size_t len)
{
    size_t kept = len < PREFIX - c->have ? len : PREFIX - c->have;
    memcpy(c->prefix + c->have, bytes, kept);
    c->have += kept;
    if (c->head_len) {
        if (len > c->body_left) {
            return false;
        }
        c->body_left -= len;
    } else if (!read_head(c)) {
        return false;
    } else if (c->head_len && len > kept) {
        if (len - kept > c->body_left) {
            return false;
        }
        c->body_left -= len - kept;
    }
    if (c->head_len && !c->body_left) {
        answer(c);
    }
    return true;
}

static void on_readable(struct conn *c)
{
    do {
        ssize_t n = result(c, c->ssl ? SSL_read(c->ssl, scratch, sizeof(scratch))
                                     : recv(c->fd, scratch, sizeof(scratch), 0));
        if (n < 0 || (n > 0 && !take(c, scratch, (size_t)n))) {
            drop(c);
        }
        if (n <= 0) {
            return;
        }
    } while (c->ssl && !c->dead);
}

static void give_id(struct conn *c)
{
    for (unsigned i = 0; i < MAX_CONNS; i++) {
        c->id = up.next_id++ % MAX_CONNS;
        if (!up.conns[c->id]) {
            up.conns[c->id] = c;
            return;
        }
    }
    bench_die("more than %d connections", MAX_CONNS);
}

static void on_accept(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct conn *c = calloc(1, sizeof(*c));
        if (!c) {
            bench_die("no memory");
        }
        c->fd = fd;
        give_id(c);
        if (listener == up.tls) {
            c->ssl = SSL_new(up.ctx);
            if (!c->ssl || !SSL_set_fd(c->ssl, fd)) {
                bench_die("no memory");
            }
            SSL_set_accept_state(c->ssl);
        }
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
        if (epoll_ctl(up.epoll, EPOLL_CTL_ADD, fd, &ev)) {
            bench_die("epoll: %s", strerror(errno));
        }
    }
}

static void watch(int fd, void *mark)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = mark };
    if (fd >= 0 && epoll_ctl(up.epoll, EPOLL_CTL_ADD, fd, &ev)) {
        bench_die("epoll: %s", strerror(errno));
    }
}

static void serve(void)
{
    struct epoll_event events[128];
    for (;;) {
        int count = epoll_wait(up.epoll, events, 128, up.busy ? 0 : -1);
        if (!count) {
            sched_yield();  // The load generator shares our processor.
        }
        for (int i = 0; i < count; i++) {
            void *mark = events[i].data.ptr;
            struct conn *c = mark;
            if (mark == &up.timer) {
                on_timer();
            } else if (mark == &up.datagrams) {
                on_datagram();
            } else if (mark == &up.plain || mark == &up.tls) {
                on_accept(*(int *)mark);
            } else if (!c->dead) {
                if (events[i].events & EPOLLOUT) {
                    flush(c);
                }
                if (!c->dead && events[i].events & ~(uint32_t)EPOLLOUT) {
                    on_readable(c);
                }
            }
        }
        free_dead();
    }
}

static void use_tls(const char *cert, const char *key)
{
    up.ctx = SSL_CTX_new(TLS_server_method());
    if (!up.ctx || SSL_CTX_use_certificate_chain_file(up.ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(up.ctx, key, SSL_FILETYPE_PEM) != 1) {
        bench_die("cannot use %s with %s", cert, key);
    }
    SSL_CTX_set_mode(up.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
}

static const char HELP[] =
    "usage: bench_upstream [options]\n"
    "Answers in five protocols, as the model's name asks (NAME-eN: N events, each when the one\n"
    "before has arrived, NAME-tN: N events by the clock, NAME-slow: one event and silence, else a\n"
    "small answer). Prints its ports.\n"
    "  --port N            plain HTTP/1.1; 0 (default) takes a free one\n"
    "  --cert F --key F    also TLS, on a free port\n"
    "  --gap-us N          between two events of a stream by the clock (2000)\n"
    "  --slots N           streams that speak at different times within a gap, 1 to 256 (32)\n"
    "  --content N         bytes of text in an event (100)\n"
    "  --cpu N             stay on this processor\n";

/// What the command line says, apart from what goes into `up`.
struct command {
    int port;
    long content;
    const char *cert, *key;
};

/// Applies one option; false if there is none like it.
static bool apply(struct command *cmd, int option, const char *value)
{
    switch (option) {
    case 'p': cmd->port = (int)bench_number("--port", value, 0); break;
    case 'c': cmd->cert = value; break;
    case 'k': cmd->key = value; break;
    case 'g': up.gap_us = bench_number("--gap-us", value, 1); break;
    case 's': up.slot_count = bench_number("--slots", value, 1); break;
    case 't': cmd->content = bench_number("--content", value, 6); break;
    case 'u': bench_pin((int)bench_number("--cpu", value, 0)); break;
    default: return false;
    }
    return up.slot_count <= MAX_SLOTS;
}

static void start(struct command *cmd)
{
    int tls_port = 0, ack_port = 0;
    signal(SIGPIPE, SIG_IGN);
    bench_raise_files();
    for (int kind = 0; kind < BENCH_KINDS; kind++) {
        bench_answers_init(&up.answers[kind], (enum bench_kind)kind, (size_t)cmd->content);
    }
    up.epoll = epoll_create1(EPOLL_CLOEXEC);
    up.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    up.datagrams = bench_datagram(&ack_port, true);
    up.plain = bench_listen(&cmd->port);
    if (cmd->cert) {
        use_tls(cmd->cert, cmd->key);
        up.tls = bench_listen(&tls_port);
    }
    watch(up.timer, &up.timer);
    watch(up.datagrams, &up.datagrams);
    watch(up.plain, &up.plain);
    watch(up.tls, &up.tls);
    printf("port %d tls %d ack %d\n", cmd->port, tls_port, ack_port);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "port", 1, NULL, 'p' },   { "cert", 1, NULL, 'c' },  { "key", 1, NULL, 'k' },
        { "gap-us", 1, NULL, 'g' }, { "slots", 1, NULL, 's' }, { "content", 1, NULL, 't' },
        { "cpu", 1, NULL, 'u' },    { "help", 0, NULL, 'h' },  { NULL, 0, NULL, 0 },
    };
    struct command cmd = { .content = 100 };
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (opt == 'h') {
            fputs(HELP, stdout);
            return 0;
        }
        if (!apply(&cmd, opt, optarg)) {
            fputs(HELP, stderr);
            return 2;
        }
    }
    if (!cmd.cert != !cmd.key) {
        fputs(HELP, stderr);
        return 2;
    }
    start(&cmd);
    serve();
}
