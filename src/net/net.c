#include "net.h"

void px_net_flush(struct px_loop *loop)
{
    (void)loop;
}

void px_net_deinit(struct px_loop *loop)
{
    (void)loop;
}

void px_net_free(struct px_loop *loop)
{
    (void)loop;
}
