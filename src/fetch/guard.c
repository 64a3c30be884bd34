// Which addresses are public. The tables follow IANA's registries of special-purpose addresses.

#include "guard.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const struct range4 {
    uint32_t first;
    unsigned bits;
} closed4[] = {
    { 0x00000000, 8 },   // "This network": 0.0.0.0 reaches this machine.
    { 0x0A000000, 8 },   // Private.
    { 0x64400000, 10 },  // Shared by carriers; 100.100.100.200 is a cloud's metadata service.
    { 0x7F000000, 8 },   // Loopback.
    { 0xA83F8110, 32 },  // 168.63.129.16, a cloud's own service.
    { 0xA9FE0000, 16 },  // Link-local, with 169.254.169.254.
    { 0xAC100000, 12 },  // Private.
    { 0xC0000000, 24 },  // Protocol assignments.
    { 0xC0000200, 24 },  // Documentation.
    { 0xC0586300, 24 },  // 6to4 relays.
    { 0xC0A80000, 16 },  // Private.
    { 0xC6120000, 15 },  // Benchmarks.
    { 0xC6336400, 24 },  // Documentation.
    { 0xCB007100, 24 },  // Documentation.
    { 0xE0000000, 4 },   // Multicast.
    { 0xF0000000, 4 },   // Reserved, and broadcast.
};

// Inside 2000::/3, which is all that is public of IPv6.
static const struct range6 {
    unsigned char first[4];
    unsigned bits;
} closed6[] = {
    { { 0x20, 0x01, 0x00, 0x00 }, 23 },  // Protocol assignments; Teredo holds an IPv4 address.
    { { 0x20, 0x01, 0x0D, 0xB8 }, 32 },  // Documentation.
    { { 0x20, 0x02, 0x00, 0x00 }, 16 },  // 6to4 holds an IPv4 address.
    { { 0x3F, 0xFF, 0x00, 0x00 }, 20 },  // Documentation.
};

static bool starts(const unsigned char *address, const unsigned char *first, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(address, first, whole) == 0 &&
           (!rest || (address[whole] ^ first[whole]) >> (8 - rest) == 0);
}

static bool is_public4(const unsigned char *bytes)
{
    uint32_t address =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    for (size_t i = 0; i < sizeof(closed4) / sizeof(*closed4); i++) {
        if ((address ^ closed4[i].first) >> (32 - closed4[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_public6(const unsigned char *bytes)
{
    static const unsigned char mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    static const unsigned char nat64[12] = { 0x00, 0x64, 0xFF, 0x9B };
    static const unsigned char global[1] = { 0x20 };
    if (starts(bytes, mapped, 96) || starts(bytes, nat64, 96)) {
        return is_public4(bytes + 12);
    }
    if (!starts(bytes, global, 3)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(closed6) / sizeof(*closed6); i++) {
        if (starts(bytes, closed6[i].first, closed6[i].bits)) {
            return false;
        }
    }
    return true;
}

bool px_address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return is_public4((const unsigned char *)&v4->sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        return is_public6(v6->sin6_addr.s6_addr);
    }
    return false;
}
