#pragma once

#include <stdbool.h>
#include <sys/socket.h>

/// True if the address belongs to the public internet: not to this machine, a private network, a
/// link, a cloud's metadata service or anything reserved. Addresses of IPv4 inside IPv6 (mapped,
/// or behind NAT64) count as what they stand for. Whatever is not known to be public is not.
bool px_address_is_public(const struct sockaddr *address);
