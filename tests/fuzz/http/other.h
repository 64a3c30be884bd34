#pragma once

#include <stdbool.h>

#include "px/buf.h"
#include "px/str.h"

/// What another parser makes of a request head, as text: see dump_*() in fuzz_head.c.
struct other {
    struct px_buf text;
    bool complete;  ///< The end of the head was seen.
    struct px_buf target, name, value;
    bool in_value;
};

void other_init(struct other *other);
void other_free(struct other *other);

/// The pieces as they come from another parser's callbacks.
void other_target(struct other *other, const char *at, size_t len);
void other_name(struct other *other, const char *at, size_t len);
void other_value(struct other *other, const char *at, size_t len);
void other_complete(struct other *other, const char *method, int minor, bool chunked,
                    bool has_length, unsigned long long length);

/// Runs the parser over a whole head. False if it refuses it.
bool other_llhttp(struct px_str head, struct other *other);
bool other_http_parser(struct px_str head, struct other *other);
