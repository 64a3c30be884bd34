// The transfer library, process-wide.

#include <signal.h>

#include "inner.h"

enum px_status px_fetch_global_init(struct px_error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        return px_fail(err, PX_EIO, "libcurl does not start");
    }
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    const int needed = CURL_VERSION_SSL | CURL_VERSION_ASYNCHDNS | CURL_VERSION_THREADSAFE;
    if (info->version_num < 0x075700 || (info->features & needed) != needed) {
        curl_global_cleanup();
        return px_fail(err, PX_EIO,
                       "libcurl %s will not do: 7.87 or newer is needed, with TLS and a resolver "
                       "that does not block",
                       info->version);
    }
    // OpenSSL writes to sockets without MSG_NOSIGNAL.
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        signal(SIGPIPE, SIG_IGN);
    }
    return PX_OK;
}

void px_fetch_global_deinit(void)
{
    curl_global_cleanup();
}

const char *px_fetch_library(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
