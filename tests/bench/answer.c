#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sock.h"

#define HEAD_OF(type)                                                                              \
    "HTTP/1.1 200 OK\r\nContent-Type: " type                                                       \
    "\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"

#define STREAM_HEAD HEAD_OF("text/event-stream")

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

#define RESPONSE(status, output, usage)                                                            \
    "{\"id\":\"resp_bench\",\"object\":\"response\",\"created_at\":1700000000,\"status\":"         \
    "\"" status                                                                                    \
    "\",\"model\":\"bench\",\"error\":null,\"incomplete_details\":null,\"instructions\":null,"     \
    "\"metadata\":{},\"parallel_tool_calls\":true,\"temperature\":1,\"tool_choice\":\"auto\","     \
    "\"tools\":[],\"top_p\":1,\"output\":" output ",\"usage\":" usage "}"
#define RESPONSE_USAGE                                                                             \
    "{\"input_tokens\":12,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":20,"    \
    "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":32}"
#define RESPONSE_ITEM(status, content)                                                             \
    "{\"id\":\"msg_bench\",\"type\":\"message\",\"status\":\"" status                              \
    "\",\"role\":\"assistant\",\"content\":" content "}"
#define RESPONSE_PART(text)                                                                        \
    "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"" text "\"}"
#define RESPONSE_EVENT(type, members)                                                              \
    "event: response." type "\ndata: {\"type\":\"response." type                                   \
    "\",\"sequence_number\":7," members "}\n\n"
#define RESPONSE_PLACE "\"item_id\":\"msg_bench\",\"output_index\":0"

static void responses(struct bench_answers *a, const char *words)
{
    a->unary = whole(
        text(RESPONSE("completed", "[" RESPONSE_ITEM("completed", "[" RESPONSE_PART("%s") "]") "]",
                      RESPONSE_USAGE),
             words));
    struct bench_text delta =
        text(RESPONSE_EVENT("output_text.delta",
                            RESPONSE_PLACE ",\"content_index\":0,\"delta\":\"%s\",\"logprobs\":[]"),
             words);
    a->first = chunk(
        STREAM_HEAD,
        text(RESPONSE_EVENT("created", "\"response\":" RESPONSE("in_progress", "[]", "null"))
                 RESPONSE_EVENT("output_item.added",
                                "\"output_index\":0,\"item\":" RESPONSE_ITEM("in_progress", "[]"))
                     RESPONSE_EVENT("content_part.added", RESPONSE_PLACE
                                    ",\"content_index\":0,\"part\":" RESPONSE_PART("")) "%s",
             delta.ptr),
        "");
    a->next = chunk("", delta, "");
    // The ends repeat nothing here: what they would is in the pieces.
    a->last =
        chunk("",
              text(RESPONSE_EVENT("output_item.done", "\"output_index\":0,\"item\":" RESPONSE_ITEM(
                                                          "completed", "[" RESPONSE_PART("") "]"))
                       RESPONSE_EVENT("completed",
                                      "\"response\":" RESPONSE("completed", "[]", RESPONSE_USAGE))),
              "0\r\n\r\n");
}

#define GEMINI_CHUNK(text, finish)                                                                 \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text                                  \
    "\"}],\"role\":\"model\"}," finish "\"index\":0}],\"usageMetadata\":{"                         \
    "\"promptTokenCount\":12,\"candidatesTokenCount\":20,\"totalTokenCount\":32},"                 \
    "\"modelVersion\":\"bench\",\"responseId\":\"bench\"}"
#define GEMINI_STOP "\"finishReason\":\"STOP\","

static void gemini(struct bench_answers *a, const char *words)
{
    a->unary = whole(text(GEMINI_CHUNK("%s", GEMINI_STOP), words));
    a->first = chunk(STREAM_HEAD, text("data: " GEMINI_CHUNK("%s", "") "\r\n\r\n", words), "");
    a->next = chunk("", text("data: " GEMINI_CHUNK("%s", "") "\r\n\r\n", words), "");
    a->last = chunk("", text("data: " GEMINI_CHUNK("", GEMINI_STOP) "\r\n\r\n"), "0\r\n\r\n");
}

#define OLLAMA_LINE(text, rest)                                                                    \
    "{\"model\":\"bench\",\"created_at\":\"2026-01-01T00:00:00.123456Z\",\"message\":{"            \
    "\"role\":\"assistant\",\"content\":\"" text "\"}," rest "}"
#define OLLAMA_DONE                                                                                \
    "\"done\":true,\"done_reason\":\"stop\",\"total_duration\":9000000,\"load_duration\":1000,"    \
    "\"prompt_eval_count\":12,\"prompt_eval_duration\":2000,\"eval_count\":20,"                    \
    "\"eval_duration\":3000"

static void ollama(struct bench_answers *a, const char *words)
{
    a->unary = whole(text(OLLAMA_LINE("%s", OLLAMA_DONE), words));
    a->first = chunk(HEAD_OF("application/x-ndjson"),
                     text(OLLAMA_LINE("%s", "\"done\":false") "\n", words), "");
    a->next = chunk("", text(OLLAMA_LINE("%s", "\"done\":false") "\n", words), "");
    a->last = chunk("", text(OLLAMA_LINE("", OLLAMA_DONE) "\n"), "0\r\n\r\n");
}

void bench_answers_init(struct bench_answers *answers, enum bench_kind kind, size_t content)
{
    static void (*const write[BENCH_KINDS])(struct bench_answers * a, const char *words) = {
        [BENCH_CHAT] = chat,     [BENCH_MESSAGES] = messages, [BENCH_RESPONSES] = responses,
        [BENCH_GEMINI] = gemini, [BENCH_OLLAMA] = ollama,
    };
    char *words = malloc(content + 1);
    if (!words) {
        bench_die("no memory");
    }
    for (size_t i = 0; i < content; i++) {
        words[i] = i % 6 == 5 ? ' ' : (char)('a' + i % 26);
    }
    memcpy(words, "@0000 ", 6);
    words[content] = '\0';
    write[kind](answers, words);
    free(words);
}

enum bench_kind bench_kind_of(const char *head, size_t len)
{
    static const char *const paths[BENCH_KINDS] = {
        [BENCH_MESSAGES] = "/messages",
        [BENCH_RESPONSES] = "/responses",
        [BENCH_GEMINI] = "/models/",
        [BENCH_OLLAMA] = "/api/chat",
    };
    const char *end = memchr(head, '\n', len);
    for (int kind = BENCH_CHAT + 1; kind < BENCH_KINDS && end; kind++) {
        if (memmem(head, (size_t)(end - head), paths[kind], strlen(paths[kind]))) {
            return (enum bench_kind)kind;
        }
    }
    return BENCH_CHAT;
}

void bench_text_number(struct bench_text text, unsigned number)
{
    for (int i = 3; text.number && i >= 0; i--, number /= 10) {
        text.number[i] = (char)('0' + number % 10);
    }
}

/// The model's name: in Gemini's path, else in the body.
static const char *find_model(const char *request, size_t len, const char **stop)
{
    const char *end = request + len;
    const char *line = memchr(request, '\n', len);
    const char *at = line ? memmem(request, (size_t)(line - request), "/models/", 8) : NULL;
    if (at) {
        at += 8;
        *stop = memchr(at, ':', (size_t)(line - at));
        return at;
    }
    at = memmem(request, len, "\"model\"", 7);
    at = at ? memchr(at + 7, '"', (size_t)(end - at) - 7) : NULL;
    *stop = at ? memchr(at + 1, '"', (size_t)(end - at) - 1) : NULL;
    return at;
}

struct bench_wish bench_wish_of(const char *request, size_t len)
{
    struct bench_wish wish = { false, false, 0 };
    const char *stop = NULL;
    const char *at = find_model(request, len, &stop);
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
