#include "sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

_Noreturn void bench_die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void bench_pin(int cpu)
{
    if (cpu < 0) {
        return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set)) {
        bench_die("processor %d cannot be had: %s", cpu, strerror(errno));
    }
}

void bench_raise_files(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

long bench_number(const char *name, const char *text, long min)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < min || value > INT32_MAX) {
        bench_die("%s: \"%s\" is not a whole number from %ld on", name, text, min);
    }
    return value;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

int bench_listen(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in addr = loopback(*port);
    socklen_t len = sizeof(addr);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&addr, &len)) {
        bench_die("cannot listen on port %d: %s", *port, strerror(errno));
    }
    *port = ntohs(addr.sin_port);
    return fd;
}

int bench_datagram(int *port, bool bound)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = loopback(*port);
    socklen_t len = sizeof(addr);
    if (fd < 0 || (bound ? bind(fd, (struct sockaddr *)&addr, len) ||
                               getsockname(fd, (struct sockaddr *)&addr, &len)
                         : connect(fd, (struct sockaddr *)&addr, len))) {
        bench_die("no datagrams on port %d: %s", *port, strerror(errno));
    }
    *port = ntohs(addr.sin_port);
    return fd;
}

int bench_connect(int port, bool blocking)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in addr = loopback(port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))) {
        bench_die("cannot connect to port %d: %s", port, strerror(errno));
    }
    if (!blocking && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)) {
        bench_die("fcntl: %s", strerror(errno));
    }
    return fd;
}
