// The library's results in our words. Its own words are used where they say more, cleaned of
// control bytes; none of those we use repeats a URL or a password.

#include <stdio.h>
#include <string.h>

#include "inner.h"

/// The library says "out of memory" when a line of the head outgrows its 100 KiB. Between the
/// request and the end of the head that is what happens, if memory is not truly short.
static bool long_line(const struct px_fetch *fetch)
{
    return fetch->code == CURLE_OUT_OF_MEMORY && fetch->phase != FETCH_CONNECTING &&
           !fetch->answer.done;
}

enum px_fetch_failure px_failure_of(const struct px_fetch *fetch, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return fetch->answer.done && (!fetch->end || fetch->end->seen) ? PX_FETCH_NONE
                                                                       : PX_FETCH_CUT;
    case CURLE_OUT_OF_MEMORY: return long_line(fetch) ? PX_FETCH_PROTOCOL : PX_FETCH_INTERNAL;
    case CURLE_OPERATION_TIMEDOUT: return PX_FETCH_TIMEOUT;
    default: break;
    }
    if (fetch->phase == FETCH_CONNECTING) {
        return PX_FETCH_CONNECT;
    }
    switch (code) {
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return PX_FETCH_CUT;
    case CURLE_RECV_ERROR:
        return strstr(fetch->error, "chunked") ? PX_FETCH_PROTOCOL : PX_FETCH_CUT;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case 100: /* CURLE_TOO_LARGE, of newer libraries */ return PX_FETCH_PROTOCOL;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return PX_FETCH_CONNECT;  // A second try of the library.
    default: return PX_FETCH_INTERNAL;
    }
}

/// "host:port", an IPv6 address in brackets.
static const char *name_of(const struct px_target *target, char *text, size_t size)
{
    bool v6 = memchr(target->host.ptr, ':', target->host.len) != NULL;
    snprintf(text, size, v6 ? "[%.*s]:%u" : "%.*s:%u", (int)target->host.len, target->host.ptr,
             target->port);
    return text;
}

/// The library's words without its prefixes and without control bytes.
static const char *words_of(const struct px_fetch *fetch, char *text, size_t size)
{
    static const char *const prefixes[] = { "SSL certificate problem: ", "SSL: " };
    const char *words = fetch->error[0] ? fetch->error : curl_easy_strerror(fetch->code);
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        if (strncmp(words, prefixes[i], strlen(prefixes[i])) == 0) {
            words += strlen(prefixes[i]);
        }
    }
    snprintf(text, size, "%s", words);
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
            *c = '?';
        }
    }
    return text;
}

static void limit_text(const struct px_fetch *fetch, const char *host, char *text, size_t size)
{
    const struct px_fetch_times *times = &fetch->times;
    switch (fetch->limit) {
    case LIMIT_FIRST_BYTE:
        snprintf(text, size, "%s did not begin to answer within %u ms", host, times->first_byte);
        return;
    case LIMIT_IDLE:
        snprintf(text, size, "%s sent nothing for %u ms in the middle of its answer", host,
                 times->idle);
        return;
    case LIMIT_TOTAL:
        snprintf(text, size, "the exchange with %s was not over within %u ms", host, times->total);
        return;
    default: snprintf(text, size, "no connection to %s within %u ms", host, times->connect); return;
    }
}

/// What went wrong before the connection stood.
static bool connect_text(const struct px_fetch *fetch, const char *host, const char *via,
                         const char *words, char *text, size_t size)
{
    long os = 0, answer = 0, proxy_verdict = 0;
    char reason[64];
    if (fetch->lean) {
        os = fetch->os_error;
    } else {
        curl_easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &os);
        curl_easy_getinfo(fetch->easy, CURLINFO_HTTP_CONNECTCODE, &answer);
        curl_easy_getinfo(fetch->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy_verdict);
    }
    switch (fetch->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        snprintf(text, size, "the name of %s has no address", host);
        return true;
    case CURLE_COULDNT_RESOLVE_PROXY:
        snprintf(text, size, "the name of the proxy %s has no address", via);
        return true;
    case CURLE_COULDNT_CONNECT:
        if (fetch->forbidden) {
            snprintf(text, size, "%s has no public address", host);
            return true;
        }
        snprintf(text, size, "cannot connect to %s%s: %s", fetch->proxy_url ? "the proxy " : "",
                 via, os ? strerror_r((int)os, reason, sizeof(reason)) : words);
        return true;
    case CURLE_PEER_FAILED_VERIFICATION:
        snprintf(text, size, "certificate of %s is not trusted: %s", proxy_verdict ? via : host,
                 words);
        return true;
    case CURLE_SSL_CONNECT_ERROR:
        snprintf(text, size, "TLS with %s failed: %s", host, words);
        return true;
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(text, size, "the CA file for %s cannot be read", host);
        return true;
    case CURLE_PROXY:
        snprintf(text, size, "the proxy %s did not connect to %s: %s", via, host, words);
        return true;
    default: break;
    }
    if (fetch->phase != FETCH_CONNECTING) {
        return false;
    }
    if (fetch->proxy_url && answer >= 300) {
        snprintf(text, size, "the proxy %s answered %ld to CONNECT %s", via, answer, host);
    } else {
        snprintf(text, size, "no connection to %s%s%s: %s", host,
                 fetch->proxy_url ? " through " : "", fetch->proxy_url ? via : "", words);
    }
    return true;
}

void px_failure_text(const struct px_fetch *fetch, char *text, size_t size)
{
    char host[300], via[300], words[CURL_ERROR_SIZE];
    name_of(&fetch->target, host, sizeof(host));
    name_of(fetch->proxy_url ? &fetch->proxy : &fetch->target, via, sizeof(via));
    words_of(fetch, words, sizeof(words));

    if (fetch->failure == PX_FETCH_TIMEOUT) {
        limit_text(fetch, host, text, size);
    } else if (fetch->fault) {
        snprintf(text, size, "%s: %s", host, fetch->fault);
    } else if (long_line(fetch)) {
        snprintf(text, size, "%s: a line in the head of the answer is too long", host);
    } else if (!fetch->answer.done &&
               (fetch->code == CURLE_OK || fetch->code == CURLE_GOT_NOTHING)) {
        snprintf(text, size, "%s closed the connection before its answer", host);
    } else if (fetch->code == CURLE_OK || fetch->code == CURLE_PARTIAL_FILE) {
        snprintf(text, size, "%s closed the connection before the end of its answer", host);
    } else if (connect_text(fetch, host, via, words, text, size)) {
        return;
    } else if (fetch->failure == PX_FETCH_CUT) {
        snprintf(text, size, "the connection to %s broke: %s", host, words);
    } else if (fetch->failure == PX_FETCH_PROTOCOL) {
        snprintf(text, size, "the answer of %s is not HTTP: %s", host, words);
    } else {
        snprintf(text, size, "%s: %s", host, words);
    }
}
