#include <llhttp.h>

#include "other.h"

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    other_target(parser->data, at, len);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    other_name(parser->data, at, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    other_value(parser->data, at, len);
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    other_complete(parser->data, llhttp_method_name(parser->method), parser->http_minor,
                   parser->flags & F_CHUNKED, parser->flags & F_CONTENT_LENGTH,
                   parser->content_length);
    return 0;
}

bool other_llhttp(struct px_str head, struct other *other)
{
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_complete;
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = other;
    llhttp_errno_t err = llhttp_execute(&parser, head.ptr, head.len);
    return other->complete && (err == HPE_OK || err == HPE_PAUSED_UPGRADE);
}
