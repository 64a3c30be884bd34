#include "px/thread.h"

#include <signal.h>
#include <string.h>

enum px_status px_thread_start(pthread_t *thread, const char *name, void *(*run)(void *),
                               void *user, struct px_error *err)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        return px_fail(err, PX_ENOMEM, "cannot start thread %s: %s", name, strerror(rc));
    }
    pthread_setname_np(*thread, name);
    return PX_OK;
}
