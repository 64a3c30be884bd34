#include <http_parser.h>

#include "other.h"

static int on_url(http_parser *parser, const char *at, size_t len)
{
    other_target(parser->data, at, len);
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    other_name(parser->data, at, len);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    other_value(parser->data, at, len);
    return 0;
}

static int on_complete(http_parser *parser)
{
    other_complete(parser->data, http_method_str(parser->method), parser->http_minor,
                   parser->flags & F_CHUNKED, parser->flags & F_CONTENTLENGTH,
                   parser->content_length);
    return 0;
}

bool other_http_parser(struct px_str head, struct other *other)
{
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_complete;
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = other;
    size_t used = http_parser_execute(&parser, &settings, head.ptr, head.len);
    return other->complete && HTTP_PARSER_ERRNO(&parser) == HPE_OK && used == head.len;
}
