#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sock.h"

#define STREAM_HEAD                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"            \
    "Transfer-Encoding: chunked\r\n\r\n"

#define CHAT_CHUNK                                                                                 \
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","                       \
    "\"created\":1700000000,\"model\":\"bench\",\"choices\":["

#define CHAT_USAGE "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":20,\"total_tokens\":32}"

__attribute__((format(printf, 1, 2))) static struct bench_text text(const char *fmt, ...)
{
    struct bench_text out = { NULL, 0, NULL };
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&out.ptr, fmt, args);
    va_end(args);
    if (len < 0) {
        bench_die("no memory");
    }
    out.len = (size_t)len;
    char *mark = memchr(out.ptr, '@', out.len);
    out.number = mark ? mark + 1 : NULL;
    return out;
}

/// Wraps `body` as one chunk, between `head` and `tail`, and frees it.
static struct bench_text chunk(const char *head, struct bench_text body, const char *tail)
{
    struct bench_text out = text("%s%zx\r\n%s\r\n%s", head, body.len, body.ptr, tail);
    free(body.ptr);
    return out;
}

static struct bench_text whole(struct bench_text body)
{
    struct bench_text out = text("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: %zu\r\n\r\n%s",
                                 body.len, body.ptr);
    free(body.ptr);
    return out;
}

static void chat(struct bench_answers *a, const char *words)
{
    a->unary = whole(text("{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\","
                          "\"created\":1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,"
                          "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
                          "\"finish_reason\":\"stop\"}]," CHAT_USAGE "}",
                          words));
    a->first = chunk(STREAM_HEAD,
                     text(CHAT_CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\","
                                     "\"content\":\"%s\"},\"finish_reason\":null}]}\n\n",
                          words),
                     "");
    a->next = chunk("",
                    text(CHAT_CHUNK "{\"index\":0,\"delta\":{\"content\":\"%s\"},"
                                    "\"finish_reason\":null}]}\n\n",
                         words),
                    "");
    a->last = chunk("",
                    text(CHAT_CHUNK "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                                    "%s]," CHAT_USAGE "}\n\ndata: [DONE]\n\n",
                         CHAT_CHUNK),
                    "0\r\n\r\n");
}

static void messages(struct bench_answers *a, const char *words)
{
    a->unary = whole(text("{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
                          "\"model\":\"bench\",\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],"
                          "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,"
                          "\"usage\":{\"input_tokens\":12,\"output_tokens\":20}}",
                          words));
    struct bench_text delta =
        text("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
             "\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}}\n\n",
             words);
    a->first = chunk(STREAM_HEAD,
                     text("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"
                          "\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
                          "\"model\":\"bench\",\"content\":[],\"stop_reason\":null,"
                          "\"stop_sequence\":null,\"usage\":{\"input_tokens\":12,"
                          "\"output_tokens\":1}}}\n\nevent: content_block_start\n"
                          "data: {\"type\":\"content_block_start\",\"index\":0,"
                          "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n%s",
                          delta.ptr),
                     "");
    a->next = chunk("", delta, "");
    a->last = chunk("",
                    text("event: content_block_stop\n"
                         "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
                         "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
                         "\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
                         "\"usage\":{\"output_tokens\":20}}\n\n"
                         "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
                    "0\r\n\r\n");
}

void bench_answers_init(struct bench_answers *answers, bool anthropic, size_t content)
{
    char *words = malloc(content + 1);
    if (!words) {
        bench_die("no memory");
    }
    for (size_t i = 0; i < content; i++) {
        words[i] = i % 6 == 5 ? ' ' : (char)('a' + i % 26);
    }
    memcpy(words, "@0000 ", 6);
    words[content] = '\0';
    if (anthropic) {
        messages(answers, words);
    } else {
        chat(answers, words);
    }
    free(words);
}

void bench_text_number(struct bench_text text, unsigned number)
{
    for (int i = 3; text.number && i >= 0; i--, number /= 10) {
        text.number[i] = (char)('0' + number % 10);
    }
}

struct bench_wish bench_wish_of(const char *body, size_t len)
{
    struct bench_wish wish = { false, false, 0 };
    const char *end = body + len;
    const char *at = memmem(body, len, "\"model\"", 7);
    at = at ? memchr(at + 7, '"', (size_t)(end - at) - 7) : NULL;
    const char *stop = at ? memchr(at + 1, '"', (size_t)(end - at) - 1) : NULL;
    const char *dash = stop ? memrchr(at, '-', (size_t)(stop - at)) : NULL;
    if (!dash) {
        return wish;
    }
    if (stop - dash == 5 && !memcmp(dash, "-slow", 5)) {
        wish.slow = true;
    } else if (stop - dash > 2 && (dash[1] == 'e' || dash[1] == 't')) {
        wish.timed = dash[1] == 't';
        for (const char *c = dash + 2; c < stop && *c >= '0' && *c <= '9'; c++) {
            wish.events = wish.events * 10 + (*c - '0');
        }
    }
    return wish;
}
