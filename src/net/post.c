#include <stdlib.h>

#include "inner.h"

#define MAX_WAITING 4096

static struct message *take_all(struct mailbox *mail)
{
    pthread_mutex_lock(&mail->mutex);
    struct message *first = mail->first;
    mail->first = NULL;
    mail->last = &mail->first;
    mail->count = 0;
    pthread_mutex_unlock(&mail->mutex);
    return first;
}

static void run_messages(void *user)
{
    struct px_loop *loop = user;
    for (struct message *next, *msg = take_all(&loop->mail); msg; msg = next) {
        next = msg->next;
        msg->fn(msg->user);
        free(msg);
    }
}

static void on_async(uv_async_t *async)
{
    struct px_loop *loop = async->data;
    px_loop_defer(loop, &loop->mail.work);
}

static enum px_status post(struct px_loop *loop, px_fn fn, void *user, size_t max)
{
    struct mailbox *mail = &loop->mail;
    struct message *msg = malloc(sizeof(*msg));
    if (!msg) {
        return PX_ENOMEM;
    }
    *msg = (struct message){ fn, user, NULL };

    pthread_mutex_lock(&mail->mutex);
    if (mail->count >= max) {
        pthread_mutex_unlock(&mail->mutex);
        free(msg);
        return PX_ETOOBIG;
    }
    *mail->last = msg;
    mail->last = &msg->next;
    if (mail->count++ == 0) {
        // Under the lock: the loop must not be freed between the message and its bell.
        uv_async_send(&mail->async);
    }
    pthread_mutex_unlock(&mail->mutex);
    return PX_OK;
}

enum px_status px_post(struct px_loop *loop, px_fn fn, void *user)
{
    return post(loop, fn, user, MAX_WAITING);
}

enum px_status px_post_sure(struct px_loop *loop, px_fn fn, void *user)
{
    return post(loop, fn, user, SIZE_MAX);
}

bool px_mail_waiting(struct px_loop *loop)
{
    pthread_mutex_lock(&loop->mail.mutex);
    bool waiting = loop->mail.first;
    pthread_mutex_unlock(&loop->mail.mutex);
    return waiting;
}

void px_loop_keep(struct px_loop *loop, bool on)
{
    if (on) {
        uv_ref((uv_handle_t *)&loop->mail.async);
    } else {
        uv_unref((uv_handle_t *)&loop->mail.async);
    }
}

int px_mail_init(struct px_loop *loop)
{
    struct mailbox *mail = &loop->mail;
    pthread_mutex_init(&mail->mutex, NULL);
    mail->last = &mail->first;
    mail->work = (struct px_defer){ .fn = run_messages, .user = loop };
    mail->async.data = loop;
    int rc = uv_async_init(&loop->uv, &mail->async, on_async);
    if (!rc) {
        uv_unref((uv_handle_t *)&mail->async);
    }
    return rc;
}

void px_mail_deinit(struct px_loop *loop)
{
    struct mailbox *mail = &loop->mail;
    if (mail->async.loop) {
        uv_close((uv_handle_t *)&mail->async, NULL);
    }
    for (struct message *next, *msg = take_all(mail); msg; msg = next) {
        next = msg->next;
        free(msg);
    }
    px_loop_undefer(loop, &mail->work);
    pthread_mutex_destroy(&mail->mutex);
}
