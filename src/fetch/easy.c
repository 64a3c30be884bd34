// An easy handle set up for one transfer. It comes fresh or reset, so every option is set here.

#include <limits.h>
#include <string.h>

#include "inner.h"

/// Bodies up to here go out in one piece with the head; the library copies them for the moment.
#define MAX_POSTED (60 * 1024)

#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(easy, option, value))

static CURLcode set_callbacks(struct px_fetch *fetch)
{
    CURL *easy = fetch->easy;
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_PRIVATE, fetch);
    SET(CURLOPT_ERRORBUFFER, fetch->error);
    SET(CURLOPT_HEADERFUNCTION, px_on_header);
    SET(CURLOPT_HEADERDATA, fetch);
    SET(CURLOPT_WRITEFUNCTION, px_on_write);
    SET(CURLOPT_WRITEDATA, fetch);
    SET(CURLOPT_READFUNCTION, px_on_read);
    SET(CURLOPT_READDATA, fetch);
    SET(CURLOPT_SEEKFUNCTION, px_on_seek);
    SET(CURLOPT_SEEKDATA, fetch);
    SET(CURLOPT_PREREQFUNCTION, px_on_request);
    SET(CURLOPT_PREREQDATA, fetch);
    SET(CURLOPT_OPENSOCKETFUNCTION, px_on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, fetch);
    SET(CURLOPT_CLOSESOCKETFUNCTION, px_on_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, fetch->fetcher);
    return rc;
}

static CURLcode set_connection(struct px_fetch *fetch, bool http2, bool keep)
{
    CURL *easy = fetch->easy;
    CURLcode rc = CURLE_OK;
    // The limit is ours; the library only shares it out among the addresses of a name.
    uint32_t limit = fetch->times.connect;
    SET(CURLOPT_CONNECTTIMEOUT_MS, limit && limit < INT_MAX - 1000 ? limit + 1000L : INT_MAX);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 60L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, 60L);
    SET(CURLOPT_TCP_KEEPINTVL, 30L);
    // A guarded transfer must not come by a connection that was made without looking.
    SET(CURLOPT_FRESH_CONNECT, fetch->guarded || px_upload_is_once(fetch) ? 1L : 0L);
    SET(CURLOPT_FORBID_REUSE, keep && !fetch->guarded ? 0L : 1L);
    http2 = fetch->http2 = http2 && fetch->target.secure;
    SET(CURLOPT_HTTP_VERSION, http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PIPEWAIT, http2 ? 1L : 0L);
    if (fetch->target.secure) {
        SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_CA_CACHE_TIMEOUT, 3600L);
        SET(CURLOPT_CAPATH, NULL);  // With a folder of CAs the library would not cache them.
        if (fetch->ca_file) {
            SET(CURLOPT_CAINFO, fetch->ca_file);
        }
    }
    return rc;
}

/// Without a proxy of the caller's there is none: the environment's are not for us.
static CURLcode set_proxy(struct px_fetch *fetch)
{
    CURL *easy = fetch->easy;
    CURLcode rc = CURLE_OK;
    if (!fetch->proxy_url) {
        return SET(CURLOPT_PROXY, "");
    }
    SET(CURLOPT_PROXY, fetch->proxy_url);
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_PROXYPORT, (long)fetch->proxy.port);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (fetch->proxy.secure) {
        SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_PROXY_CAPATH, NULL);
        if (fetch->ca_file) {
            SET(CURLOPT_PROXY_CAINFO, fetch->ca_file);
        }
    }
    return rc;
}

static bool method_is(const struct px_fetch *fetch, const char *method)
{
    return strcmp(fetch->method, method) == 0;
}

static CURLcode set_method(struct px_fetch *fetch)
{
    CURL *easy = fetch->easy;
    CURLcode rc = CURLE_OK;
    if (!fetch->method) {
        fetch->method = fetch->body || fetch->source ? "POST" : "GET";
    }
    // These say Content-Length: 0 if they have no body.
    bool sends = fetch->body || fetch->source || method_is(fetch, "POST") ||
                 method_is(fetch, "PUT") || method_is(fetch, "PATCH");
    const char *own = sends ? "POST" : method_is(fetch, "HEAD") ? "HEAD" : "GET";
    if (sends) {
        fetch->posted = !fetch->source && fetch->body_len <= MAX_POSTED;
        curl_off_t len = fetch->source ? (curl_off_t)px_source_length(fetch->source)
                                       : (curl_off_t)fetch->body_len;
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, len);
        SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
        if (fetch->posted) {
            SET(CURLOPT_POSTFIELDS, fetch->body ? fetch->body->ptr : "");
        }
    } else if (method_is(fetch, "HEAD")) {
        fetch->head_only = true;
        SET(CURLOPT_NOBODY, 1L);
    }
    if (!method_is(fetch, own)) {
        SET(CURLOPT_CUSTOMREQUEST, fetch->method);
    }
    return rc;
}

enum px_status px_easy_setup(struct px_fetch *fetch, bool http2, bool keep)
{
    CURL *easy = fetch->easy;
    CURLcode rc = set_callbacks(fetch);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_URL, fetch->url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_HTTPHEADER, fetch->headers);
    rc = rc ? rc : set_connection(fetch, http2, keep);
    rc = rc ? rc : set_proxy(fetch);
    rc = rc ? rc : set_method(fetch);
    return rc ? PX_ENOMEM : PX_OK;
}
