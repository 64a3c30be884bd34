// The load generator: one request, sent many times, each answer verified, one line of JSON for each
// target.

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "sock.h"

static const char HELP[] =
    "usage: bench_load --port N --body FILE [options]\n"
    "  --port N           a target on loopback; up to four, served in turn\n"
    "  --path P           (/v1/chat/completions)\n"
    "  --header 'A: b'    up to 16\n"
    "  --body FILE        what to POST\n"
    "  --connections N    for each target (32)\n"
    "  --requests N       for each target (1000)\n"
    "  --rate N           open loop: so many a second and target\n"
    "  --events N         events of text in a right answer (1)\n"
    "  --end TEXT         what a right answer's last bytes hold\n"
    "  --ack-port N       tell the upstream of events that arrived (streams named -eN need it)\n"
    "  --busy             neither this nor the upstream sleeps; needs --ack-port\n"
    "  --hold             one request on each connection, then hold them until stdin ends\n"
    "  --open             with --hold: go on after the first event\n"
    "  --tls              with --hold: over TLS, certificate not checked\n"
    "  --cpu N            stay on this processor\n";

static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        bench_die("%s: %s", path, strerror(errno));
    }
    long size = ftell(file);
    rewind(file);
    char *bytes = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        bench_die("%s: cannot be read", path);
    }
    fclose(file);
    *len = (size_t)size;
    return bytes;
}

static void compose(struct bench_load *load, const char *path, char **headers, size_t count,
                    const char *body_file)
{
    size_t body_len;
    char *body = read_file(body_file, &body_len);
    FILE *out = open_memstream(&load->request, &load->request_len);
    if (!out) {
        bench_die("no memory");
    }
    fprintf(out, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n", path);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s\r\n", headers[i]);
    }
    fprintf(out, "Content-Length: %zu\r\n\r\n", body_len);
    fwrite(body, 1, body_len, out);
    if (fclose(out)) {
        bench_die("no memory");
    }
    free(body);
}

void bench_complain(const struct bench_reply *reply, const struct bench_load *load)
{
    static int said;
    if (said++ < 3) {
        size_t shown = reply->tail_len < 120 ? reply->tail_len : 120;
        fprintf(stderr, "wrong answer: status %d, %zu events of %zu, %s, ends with \"%.*s\"\n",
                reply->status, reply->marks, load->marks,
                reply->state == BENCH_DONE ? "complete" : "cut", (int)shown,
                reply->tail + reply->tail_len - shown);
    }
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/// The value below which `part` of all lie, in microseconds.
static double quantile(uint64_t *values, long count, double part)
{
    if (!count) {
        return 0;
    }
    qsort(values, (size_t)count, sizeof(*values), ascending);
    return (double)values[(size_t)((double)(count - 1) * part)] / 1000;
}

static void report(const struct bench_load *load, struct bench_tally *t, size_t i, double seconds)
{
    printf("{\"port\":%d,\"requests\":%ld,\"errors\":%ld,\"seconds\":%.4f,\"p50\":%.1f,"
           "\"p99\":%.1f,\"first_p50\":%.1f,\"first_p99\":%.1f,\"reads\":%llu}\n",
           load->ports[i], t->done, t->errors, seconds, quantile(t->whole, t->done, 0.5),
           quantile(t->whole, t->done, 0.99), quantile(t->first, t->done, 0.5),
           quantile(t->first, t->done, 0.99), (unsigned long long)t->reads);
}

static int drive(const struct bench_load *load)
{
    struct bench_tally tallies[BENCH_TARGETS] = { 0 };
    for (size_t i = 0; i < load->targets; i++) {
        tallies[i].whole = calloc((size_t)load->requests, sizeof(uint64_t));
        tallies[i].first = calloc((size_t)load->requests, sizeof(uint64_t));
        if (!tallies[i].whole || !tallies[i].first) {
            bench_die("no memory");
        }
    }
    uint64_t start = bench_now();
    bench_drive(load, tallies);
    double seconds = (double)(bench_now() - start) / 1e9;
    long errors = 0;
    for (size_t i = 0; i < load->targets; i++) {
        report(load, &tallies[i], i, seconds);
        errors += tallies[i].errors;
        free(tallies[i].whole);
        free(tallies[i].first);
    }
    return errors ? 1 : 0;
}

/// What the command line says.
struct command {
    struct bench_load load;
    const char *path, *body;
    char *headers[16];
    size_t header_count;
    bool hold, open;
};

static void add_target(struct bench_load *load, const char *port)
{
    if (load->targets == BENCH_TARGETS) {
        bench_die("--port: at most %d targets", BENCH_TARGETS);
    }
    load->ports[load->targets++] = (int)bench_number("--port", port, 1);
}

static void add_header(struct command *cmd, char *header)
{
    if (cmd->header_count == sizeof(cmd->headers) / sizeof(*cmd->headers)) {
        bench_die("--header: at most 16");
    }
    cmd->headers[cmd->header_count++] = header;
}

/// Applies one option; false if there is none like it.
static bool apply(struct command *cmd, int option, char *value)
{
    struct bench_load *load = &cmd->load;
    switch (option) {
    case 'p': add_target(load, value); break;
    case 'a': cmd->path = value; break;
    case 'H': add_header(cmd, value); break;
    case 'b': cmd->body = value; break;
    case 'c': load->connections = bench_number("--connections", value, 1); break;
    case 'n': load->requests = bench_number("--requests", value, 1); break;
    case 'r': load->rate = bench_number("--rate", value, 1); break;
    case 'e': load->marks = (size_t)bench_number("--events", value, 0); break;
    case 'E': load->end = value; break;
    case 'k': load->ack_port = (int)bench_number("--ack-port", value, 1); break;
    case 'B': load->busy = true; break;
    case 'o': cmd->hold = true; break;
    case 'O': cmd->open = true; break;
    case 't': load->tls = true; break;
    case 'u': bench_pin((int)bench_number("--cpu", value, 0)); break;
    default: return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "port", 1, NULL, 'p' },
        { "path", 1, NULL, 'a' },
        { "header", 1, NULL, 'H' },
        { "body", 1, NULL, 'b' },
        { "connections", 1, NULL, 'c' },
        { "requests", 1, NULL, 'n' },
        { "rate", 1, NULL, 'r' },
        { "events", 1, NULL, 'e' },
        { "end", 1, NULL, 'E' },
        { "ack-port", 1, NULL, 'k' },
        { "busy", 0, NULL, 'B' },
        { "hold", 0, NULL, 'o' },
        { "open", 0, NULL, 'O' },
        { "tls", 0, NULL, 't' },
        { "cpu", 1, NULL, 'u' },
        { "help", 0, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct command cmd = { .load = { .connections = 32, .requests = 1000, .marks = 1 },
                           .path = "/v1/chat/completions" };
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
    if (!cmd.load.targets || !cmd.body || (!cmd.hold && (cmd.open || cmd.load.tls)) ||
        (cmd.load.busy && !cmd.load.ack_port)) {
        fputs(HELP, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    bench_raise_files();
    compose(&cmd.load, cmd.path, cmd.headers, cmd.header_count, cmd.body);
    int rc = cmd.hold ? bench_hold(&cmd.load, cmd.open) > 0 : drive(&cmd.load);
    free(cmd.load.request);
    return rc;
}
