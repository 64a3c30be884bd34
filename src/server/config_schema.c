#include "config_schema.h"

#include <stddef.h>
#include <string.h>

#define STRING PX_CONFIG_STRING
#define NUMBER PX_CONFIG_NUMBER
#define BOOLEAN PX_CONFIG_BOOLEAN
#define OBJECT PX_CONFIG_OBJECT
#define LIST PX_CONFIG_LIST

#define KIB 1024.0
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY 86400

static const struct px_config_rule text = { .types = STRING, .form = PX_FORM_TEXT };
static const struct px_config_rule text_list = { .types = STRING | LIST,
                                                 .form = PX_FORM_TEXT,
                                                 .item = &text };
static const struct px_config_rule header = { .types = STRING, .form = PX_FORM_HEADER };
static const struct px_config_rule any = { .types = PX_CONFIG_ANY };

// -- Listening and clients ------------------------------------------------------------------------

static const struct px_config_rule tls_members[] = {
    { "cert_file", STRING, .form = PX_FORM_PATH, .flags = PX_CONFIG_REQUIRED },
    { "key_file", STRING, .form = PX_FORM_PATH, .flags = PX_CONFIG_REQUIRED },
    { 0 },
};

static const char *const fd_words[] = { "systemd", NULL };

static const struct px_config_rule listener_members[] = {
    { "address", STRING, .form = PX_FORM_ADDRESS, .standard = "\"127.0.0.1\"" },
    { "port", NUMBER, .form = PX_FORM_INTEGER, .max = 65535, .standard = "3000" },
    { "fd", NUMBER | STRING, .form = PX_FORM_INTEGER, .min = 3, .max = 65535, .words = fd_words },
    { "tls", OBJECT, .members = tls_members },
    { 0 },
};

static const struct px_config_rule listener = { .types = OBJECT, .members = listener_members };

static const struct px_config_rule client_members[] = {
    { "name", STRING, .form = PX_FORM_NAME, .flags = PX_CONFIG_REQUIRED },
    { "key", STRING, .form = PX_FORM_KEY,
      .flags = PX_CONFIG_REQUIRED | PX_CONFIG_SECRET | PX_CONFIG_MAKE },
    { 0 },
};

static const struct px_config_rule client = { .types = OBJECT, .members = client_members };

// -- Providers ------------------------------------------------------------------------------------

static const char *const loss_words[] = { "record", "refuse", NULL };

static const struct px_config_rule account_members[] = {
    { "name", STRING, .form = PX_FORM_NAME, .flags = PX_CONFIG_REQUIRED },
    { "api_key", STRING, .form = PX_FORM_KEY, .flags = PX_CONFIG_SECRET },
    { "credentials", STRING, .form = PX_FORM_PATH },
    { "priority", NUMBER, .form = PX_FORM_INTEGER, .max = 1000000, .standard = "100" },
    { "weight", NUMBER, .form = PX_FORM_NUMBER, .flags = PX_CONFIG_LATER, .max = 1000000,
      .standard = "1" },
    { "concurrency", NUMBER, .form = PX_FORM_INTEGER, .flags = PX_CONFIG_LATER, .min = 1,
      .max = 100000 },
    { "queue", NUMBER, .form = PX_FORM_INTEGER, .flags = PX_CONFIG_LATER, .max = 100000 },
    { "models", LIST, .item = &text, .standard = "[]" },
    { "not_models", LIST, .item = &text, .standard = "[]" },
    { "proxy", STRING | BOOLEAN, .form = PX_FORM_PROXY, .flags = PX_CONFIG_SECRET },
    { "headers", OBJECT, .flags = PX_CONFIG_SECRET, .item = &header, .standard = "{}" },
    { "ca_file", STRING, .form = PX_FORM_PATH },
    { "enabled", BOOLEAN, .standard = "true" },
    { "check_health", BOOLEAN, .flags = PX_CONFIG_LATER },
    { "check_model", STRING, .form = PX_FORM_TEXT, .flags = PX_CONFIG_LATER },
    { 0 },
};

static const struct px_config_rule account = { .types = OBJECT,
                                               .flags = PX_CONFIG_OPEN,
                                               .members = account_members };

static const struct px_config_rule provider_members[] = {
    { "type", STRING, .form = PX_FORM_NAME, .flags = PX_CONFIG_REQUIRED },
    { "label", STRING, .form = PX_FORM_NAME },
    { "base_url", STRING, .form = PX_FORM_URL },
    { "accounts", LIST, .item = &account, .standard = "[]" },
    { "headers", OBJECT, .flags = PX_CONFIG_SECRET, .item = &header, .standard = "{}" },
    { "proxy", STRING | BOOLEAN, .form = PX_FORM_PROXY, .flags = PX_CONFIG_SECRET },
    { "ca_file", STRING, .form = PX_FORM_PATH },
    { "http2", BOOLEAN, .standard = "false" },
    { "loss", STRING, .form = PX_FORM_WORD, .words = loss_words, .standard = "\"record\"" },
    { "adapt", BOOLEAN, .standard = "true" },
    { "models", LIST, .item = &text, .standard = "[]" },
    { "enabled", BOOLEAN, .standard = "true" },
    { 0 },
};

static const struct px_config_rule provider = { .types = OBJECT,
                                                .flags = PX_CONFIG_OPEN,
                                                .members = provider_members };

static const struct px_config_rule proxy_members[] = {
    { "url", STRING, .form = PX_FORM_PROXY, .flags = PX_CONFIG_REQUIRED | PX_CONFIG_SECRET },
    { "providers", LIST, .item = &text },
    { 0 },
};

// -- Declarative forms ----------------------------------------------------------------------------

#define MATCH                                                                                      \
    { "model", STRING | LIST, .form = PX_FORM_TEXT, .item = &text },                               \
        { "protocol", STRING | LIST, .form = PX_FORM_TEXT, .item = &text },                        \
        { "client", STRING | LIST, .form = PX_FORM_TEXT, .item = &text },                          \
        { "path", STRING | LIST, .form = PX_FORM_TEXT, .item = &text },                            \
        { "header", OBJECT, .item = &text_list }, { "stream", .types = BOOLEAN },                  \
        { "has", STRING | LIST, .form = PX_FORM_TEXT, .item = &text },                             \
        { "share", NUMBER, .form = PX_FORM_NUMBER, .max = 1 },                                     \
        { "provider", STRING | LIST, .form = PX_FORM_TEXT, .item = &text },                        \
        { "account", STRING | LIST, .form = PX_FORM_TEXT, .item = &text },                         \
    {                                                                                              \
        "upstream_model", STRING | LIST, .form = PX_FORM_TEXT, .item = &text                       \
    }

static const char *const prompt_words[] = { "append", "prepend", "overwrite", NULL };

static const struct px_config_rule prompt_members[] = {
    MATCH,
    { "mode", STRING, .form = PX_FORM_WORD, .words = prompt_words, .standard = "\"append\"" },
    { "text", .types = STRING },
    { "file", STRING, .form = PX_FORM_PATH },
    { 0 },
};

static const struct px_config_rule params_members[] = {
    MATCH,
    { "set", OBJECT, .item = &any },
    { "default", OBJECT, .item = &any },
    { "remove", LIST, .item = &text },
    { 0 },
};

static const struct px_config_rule headers_members[] = {
    MATCH,
    { "set", OBJECT, .flags = PX_CONFIG_SECRET, .item = &header },
    { "remove", LIST, .item = &text },
    { 0 },
};

static const struct px_config_rule prompt = { .types = OBJECT, .members = prompt_members };
static const struct px_config_rule params = { .types = OBJECT, .members = params_members };
static const struct px_config_rule headers = { .types = OBJECT, .members = headers_members };

// -- The rest -------------------------------------------------------------------------------------

static const struct px_config_rule limits_members[] = {
    { "body", STRING | NUMBER, .form = PX_FORM_SIZE, .min = KIB, .max = GIB,
      .standard = "\"32MiB\"" },
    { "bodies", STRING | NUMBER, .form = PX_FORM_SIZE, .min = KIB, .max = 1024 * GIB,
      .standard = "\"256MiB\"" },
    { "connections", NUMBER, .form = PX_FORM_INTEGER, .min = 1, .max = 1000000,
      .standard = "20000" },
    { "responses", STRING | NUMBER, .form = PX_FORM_SIZE, .max = 1024 * GIB,
      .standard = "\"64MiB\"" },
    { "upload", STRING | NUMBER, .form = PX_FORM_SIZE, .min = KIB, .max = 1024 * GIB,
      .standard = "\"512MiB\"" },
    { 0 },
};

static const struct px_config_rule timeouts_members[] = {
    { "head", NUMBER, .form = PX_FORM_NUMBER, .min = 0.1, .max = 3600, .standard = "10" },
    { "keep_alive", NUMBER, .form = PX_FORM_NUMBER, .max = DAY, .standard = "75" },
    { "connect", NUMBER, .form = PX_FORM_NUMBER, .min = 0.1, .max = 3600, .standard = "10" },
    { "first_byte", NUMBER, .form = PX_FORM_NUMBER, .max = DAY, .standard = "120" },
    { "idle", NUMBER, .form = PX_FORM_NUMBER, .max = DAY, .standard = "120" },
    { "total", NUMBER, .form = PX_FORM_NUMBER, .max = DAY, .standard = "0" },
    { "shutdown", NUMBER, .form = PX_FORM_NUMBER, .max = 3600, .standard = "30" },
    { 0 },
};

static const char *const level_words[] = { "error", "warn", "info", "debug", NULL };
static const char *const format_words[] = { "text", "json", NULL };

static const struct px_config_rule log_members[] = {
    { "level", STRING, .form = PX_FORM_WORD, .words = level_words, .standard = "\"info\"" },
    { "format", STRING, .form = PX_FORM_WORD, .words = format_words, .standard = "\"text\"" },
    { 0 },
};

static const struct px_config_rule fetch_members[] = {
    { "allow", LIST, .item = &text, .standard = "[]" },
    { "media", BOOLEAN | LIST, .form = PX_FORM_NO, .item = &text, .standard = "false" },
    { "media_size", STRING | NUMBER, .form = PX_FORM_SIZE, .min = KIB, .max = 256 * MIB,
      .standard = "\"10MiB\"" },
    { "media_total", STRING | NUMBER, .form = PX_FORM_SIZE, .min = KIB, .max = 256 * MIB,
      .standard = "\"20MiB\"" },
    { "media_timeout", NUMBER, .form = PX_FORM_NUMBER, .min = 0.1, .max = 600, .standard = "20" },
    { 0 },
};

static const char *const workers_words[] = { "auto", NULL };

static const struct px_config_rule fallback_item = { .types = LIST, .item = &text };

static const struct px_config_rule root_members[] = {
    { "$schema", .types = STRING },
    { "listen", LIST, .item = &listener, .standard = "[{}]" },
    { "workers", NUMBER | STRING, .form = PX_FORM_INTEGER, .min = 1, .max = 64,
      .words = workers_words, .standard = "\"auto\"" },
    { "data_dir", STRING, .form = PX_FORM_PATH, .flags = PX_CONFIG_REQUIRED },
    { "scripts", STRING, .form = PX_FORM_PATH, .standard = "\"./\"" },
    { "clients", LIST, .item = &client, .standard = "[]" },
    { "default_provider", STRING, .form = PX_FORM_NAME },
    { "providers", OBJECT, .item = &provider, .standard = "{}" },
    { "proxy", OBJECT, .members = proxy_members },
    { "models", OBJECT, .item = &text, .standard = "{}" },
    { "fallback", OBJECT, .flags = PX_CONFIG_LATER, .item = &fallback_item, .standard = "{}" },
    { "prompt", LIST, .flags = PX_CONFIG_LATER, .item = &prompt, .standard = "[]" },
    { "params", LIST, .flags = PX_CONFIG_LATER, .item = &params, .standard = "[]" },
    { "headers", LIST, .flags = PX_CONFIG_LATER, .item = &headers, .standard = "[]" },
    { "replace", LIST, .flags = PX_CONFIG_REFUSED, .item = &any },
    { "limit", LIST, .flags = PX_CONFIG_REFUSED, .item = &any },
    { "fetch", OBJECT, .members = fetch_members, .standard = "{}" },
    { "limits", OBJECT, .members = limits_members, .standard = "{}" },
    { "timeouts", OBJECT, .members = timeouts_members, .standard = "{}" },
    { "log", OBJECT, .members = log_members, .standard = "{}" },
    { "vars", OBJECT, .flags = PX_CONFIG_SECRET, .item = &any, .standard = "{}" },
    { 0 },
};

const struct px_config_rule px_config_root = { .types = OBJECT, .members = root_members };

const struct px_config_rule *px_config_rule_member(const struct px_config_rule *rule,
                                                   const char *name)
{
    for (const struct px_config_rule *at = rule->members; at && at->name; at++) {
        if (strcmp(at->name, name) == 0) {
            return at;
        }
    }
    return NULL;
}
