// What the headers that matter to the connection say: where the body ends, whether the connection
// stays open, what the client waits for.

#include "chars.h"
#include "head.h"

static enum px_status note_host(struct px_http_head *head, struct px_str value,
                                struct px_error *err)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!char_is(value.ptr[i], CHAR_HOST)) {
            return px_http_refuse(head, err, 400, "Host is malformed");
        }
    }
    if (value.len == 0) {
        return px_http_refuse(head, err, 400, "Host is empty");
    }
    if (head->host.len == 0) {
        head->host = value;
    }
    return PX_OK;
}

/// Parsers disagree on white space behind the headers that say where a body ends: none may be
/// there.
static bool has_space_behind(struct px_str value)
{
    return value.ptr[value.len] != '\r';
}

static enum px_status note_length(struct px_http_head *head, struct px_str value,
                                  struct px_error *err)
{
    int64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        int digit = value.ptr[i] - '0';
        if (digit < 0 || digit > 9 || length > (INT64_MAX - digit) / 10) {
            return px_http_refuse(head, err, 400, "Content-Length is no number");
        }
        length = length * 10 + digit;
    }
    if (value.len == 0 || has_space_behind(value)) {
        return px_http_refuse(head, err, 400, "Content-Length is empty or has white space behind");
    }
    head->content_length = length;
    return PX_OK;
}

static void note_connection(struct px_http_meaning *meaning, struct px_str value)
{
    meaning->close |= px_http_has_token(value, PX_STR("close"));
    meaning->stay |= px_http_has_token(value, PX_STR("keep-alive"));
    meaning->upgrade |= px_http_has_token(value, PX_STR("upgrade"));
}

static void note_expect(struct px_http_head *head, struct px_http_meaning *meaning,
                        struct px_str value)
{
    if (px_http_same(value, PX_STR("100-continue"))) {
        head->expect_continue = true;
    } else {
        meaning->odd_expect = true;
    }
}

enum px_status px_http_note(struct px_http_head *head, struct px_http_meaning *meaning,
                            const struct px_http_header *header, struct px_error *err)
{
    struct px_str name = header->name, value = header->value;
    switch (name.len) {
    case 4:
        if (px_http_same(name, PX_STR("host"))) {
            meaning->hosts++;
            return note_host(head, value, err);
        }
        break;
    case 6:
        if (px_http_same(name, PX_STR("expect"))) {
            note_expect(head, meaning, value);
        }
        break;
    case 7:
        if (px_http_same(name, PX_STR("upgrade"))) {
            meaning->websocket |= px_http_has_token(value, PX_STR("websocket"));
        }
        break;
    case 10:
        if (px_http_same(name, PX_STR("connection"))) {
            note_connection(meaning, value);
        }
        break;
    case 14:
        if (px_http_same(name, PX_STR("content-length"))) {
            meaning->lengths++;
            return note_length(head, value, err);
        }
        break;
    case 16:
        if (px_http_same(name, PX_STR("content-encoding"))) {
            meaning->encodings++;
            head->content_encoding = value;
        }
        break;
    case 17:
        if (px_http_same(name, PX_STR("transfer-encoding"))) {
            meaning->codings++;
            head->chunked = px_http_same(value, PX_STR("chunked")) && !has_space_behind(value);
        }
        break;
    default: break;
    }
    return PX_OK;
}

static enum px_status weigh_framing(struct px_http_head *head,
                                    const struct px_http_meaning *meaning, struct px_error *err)
{
    if (meaning->hosts != 1) {
        return px_http_refuse(head, err, 400, meaning->hosts ? "several Hosts" : "Host is missing");
    }
    if (meaning->lengths > 1) {
        return px_http_refuse(head, err, 400, "several Content-Lengths");
    }
    if (meaning->codings == 0) {
        return PX_OK;
    }
    if (meaning->lengths) {
        return px_http_refuse(head, err, 400, "Content-Length and Transfer-Encoding");
    }
    if (head->minor == 0) {
        return px_http_refuse(head, err, 400, "Transfer-Encoding in HTTP/1.0");
    }
    if (meaning->codings > 1) {
        return px_http_refuse(head, err, 400, "several Transfer-Encodings");
    }
    return head->chunked ? PX_OK : px_http_refuse(head, err, 501, "unknown transfer coding");
}

enum px_status px_http_weigh(struct px_http_head *head, const struct px_http_meaning *meaning,
                             struct px_error *err)
{
    enum px_status st = weigh_framing(head, meaning, err);
    if (st) {
        return st;
    }
    if (meaning->encodings > 1) {
        return px_http_refuse(head, err, 415, "several Content-Encodings");
    }
    if (head->minor == 0) {
        head->keep_alive = meaning->stay && !meaning->close;
        head->expect_continue = false;
        return PX_OK;
    }
    if (meaning->odd_expect) {
        return px_http_refuse(head, err, 417, "unknown expectation");
    }
    head->keep_alive = !meaning->close;
    head->upgrade_websocket = meaning->upgrade && meaning->websocket;
    return PX_OK;
}
