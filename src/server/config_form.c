// What a single value must look like, and the words for it.

#include "config_load.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 100

// -- Words ----------------------------------------------------------------------------------------

static void add(char *out, size_t size, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s%s", len ? " or " : "", text);
}

static void add_words(const struct px_config_rule *rule, char *out, size_t size)
{
    for (const char *const *word = rule->words; word && *word; word++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "\"%s\"", *word);
        add(out, size, quoted);
    }
}

static void print_size(double bytes, char *out, size_t size)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
    size_t unit = 0;
    for (; unit < 3 && bytes >= 1024; unit++) {
        bytes /= 1024;
    }
    snprintf(out, size, "%.0f%s", bytes, units[unit]);
}

// Words for a form with a range of its own. Empty for others.
static void print_range(const struct px_config_rule *rule, char *out, size_t size)
{
    out[0] = '\0';
    if (rule->form == PX_FORM_INTEGER) {
        snprintf(out, size, "an integer from %.0f to %.0f", rule->min, rule->max);
    } else if (rule->form == PX_FORM_NUMBER) {
        snprintf(out, size, "a number from %g to %.7g", rule->min, rule->max);
    } else if (rule->form == PX_FORM_SIZE) {
        char min[32], max[32];
        print_size(rule->min, min, sizeof(min));
        print_size(rule->max, max, sizeof(max));
        snprintf(out, size, "a size from %s to %s", min, max);
    }
}

static const char *form_words(enum px_config_form form)
{
    switch (form) {
    case PX_FORM_NAME: return "a name of 1 to 100 printable characters";
    case PX_FORM_TEXT: return "a string that is not empty";
    case PX_FORM_PATH: return "a path";
    case PX_FORM_KEY: return "a key of printable ASCII characters without spaces";
    case PX_FORM_HEADER: return "a header's value of printable ASCII characters";
    case PX_FORM_ADDRESS: return "a numeric address such as \"127.0.0.1\" or \"::1\"";
    case PX_FORM_URL: return "a URL such as \"https://host/path\", without user, query or fragment";
    case PX_FORM_PROXY: return "a URL with http://, https://, socks5:// or socks5h://";
    default: return NULL;
    }
}

void px_config_expected(const struct px_config_rule *rule, char *out, size_t size)
{
    char range[80];
    out[0] = '\0';
    print_range(rule, range, sizeof(range));
    add_words(rule, out, size);
    if (*range) {
        add(out, size, range);
    } else if (form_words(rule->form)) {
        add(out, size, form_words(rule->form));
    } else if (rule->types & PX_CONFIG_STRING && !rule->words) {
        add(out, size, "a string");
    }
    if (rule->types & PX_CONFIG_NUMBER && !*range) {
        add(out, size, "a number");
    }
    if (rule->types & PX_CONFIG_BOOLEAN) {
        bool no = rule->form == PX_FORM_NO || rule->form == PX_FORM_PROXY;
        add(out, size, no ? "false" : "true or false");
    }
    if (rule->types & PX_CONFIG_LIST) {
        add(out, size, "a list");
    }
    if (rule->types & PX_CONFIG_OBJECT) {
        add(out, size, "an object");
    }
}

void px_config_found(const struct px_config_load *load, const struct px_config_node *node,
                     char *out, size_t size)
{
    bool hide = load->secret || node->hidden;
    switch (node->type) {
    case PX_JSON_STRING:
        if (*node->text == '\0') {
            snprintf(out, size, "an empty string");
        } else if (hide) {
            snprintf(out, size, "another string");
        } else {
            size_t len = strnlen(node->text, 61);
            bool cut = len > 60;
            for (len -= cut; cut && len && ((unsigned char)node->text[len] & 0xc0) == 0x80; len--) {
            }
            snprintf(out, size, "\"%.*s%s\"", (int)len, node->text, cut ? "…" : "");
        }
        return;
    case PX_JSON_NUMBER:
        if (hide) {
            snprintf(out, size, "a number");
        } else {
            char number[PX_JSON_NUMBER_MAX];
            snprintf(out, size, "%.*s", (int)px_json_print_number(node->number, number), number);
        }
        return;
    case PX_JSON_ARRAY: snprintf(out, size, "a list"); return;
    case PX_JSON_OBJECT: snprintf(out, size, "an object"); return;
    case PX_JSON_TRUE: snprintf(out, size, "true"); return;
    case PX_JSON_FALSE: snprintf(out, size, "false"); return;
    case PX_JSON_NULL: snprintf(out, size, "null"); return;
    }
}

void px_config_mismatch(struct px_config_load *load, const struct px_config_node *node,
                        const struct px_config_rule *rule)
{
    char expected[300], found[100];
    px_config_expected(rule, expected, sizeof(expected));
    // People write passwords into URLs.
    bool url = rule->form == PX_FORM_URL || rule->form == PX_FORM_PROXY;
    load->secret += url;
    px_config_found(load, node, found, sizeof(found));
    load->secret -= url;
    px_config_complain(load, true, node, "expected %s, found %s", expected, found);
}

// -- Checks ---------------------------------------------------------------------------------------

static bool is_word(const struct px_config_rule *rule, const char *text)
{
    for (const char *const *word = rule->words; word && *word; word++) {
        if (strcmp(*word, text) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_printable(const char *text, char lowest, char highest)
{
    for (; *text; text++) {
        if ((unsigned char)*text < (unsigned char)lowest ||
            (unsigned char)*text > (unsigned char)highest || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_in_range(const struct px_config_rule *rule, double number)
{
    return number >= rule->min && number <= rule->max &&
           (rule->form == PX_FORM_NUMBER || floor(number) == number);
}

static bool read_size(const char *text, double *bytes)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {
        { "", 1 },
        { "B", 1 },
        { "KiB", 1024 },
        { "MiB", 1048576 },
        { "GiB", 1073741824 },
        { "KB", 1000 },
        { "MB", 1000000 },
        { "GB", 1000000000 },
    };
    size_t digits = strspn(text, "0123456789.");
    char *end = NULL;
    double number = strtod(text, &end);
    if (digits == 0 || end != text + digits) {
        return false;
    }
    end += strspn(end, " ");
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(end, units[i].name) == 0) {
            *bytes = floor(number * units[i].factor);
            return true;
        }
    }
    return false;
}

static bool has_host(const char *text, bool user_allowed)
{
    size_t len = strcspn(text, "/?#");
    const char *at = memrchr(text, '@', len);
    if (at && !user_allowed) {
        return false;
    }
    const char *host = at ? at + 1 : text;
    return host < text + len && *host != ':';
}

static bool is_url(const char *text, const char *const *schemes, bool user_allowed)
{
    for (; *schemes; schemes++) {
        size_t len = strlen(*schemes);
        if (strncasecmp(text, *schemes, len) == 0) {
            return is_printable(text, '!', '~') && !strpbrk(text, "?#\"<>\\^`{|}") &&
                   has_host(text + len, user_allowed);
        }
    }
    return false;
}

static bool is_sound_text(const struct px_config_rule *rule, const char *text)
{
    static const char *const web[] = { "http://", "https://", NULL };
    static const char *const proxies[] = { "http://", "https://", "socks5://", "socks5h://", NULL };
    struct in6_addr address;
    switch (rule->form) {
    case PX_FORM_NAME:
        return *text && strlen(text) <= NAME_MAX_LEN && is_printable(text, ' ', (char)0xff);
    case PX_FORM_TEXT:
    case PX_FORM_PATH: return *text != '\0';
    case PX_FORM_KEY: return *text && is_printable(text, '!', '~');
    case PX_FORM_HEADER: return is_printable(text, ' ', '~');
    case PX_FORM_WORD:
    case PX_FORM_INTEGER: return is_word(rule, text);
    case PX_FORM_ADDRESS:
        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
    case PX_FORM_URL: return is_url(text, web, false);
    case PX_FORM_PROXY: return is_url(text, proxies, true);
    default: return true;
    }
}

static enum px_status convert(struct px_config_load *load, struct px_config_node *node,
                              const struct px_config_rule *rule)
{
    if (rule->form == PX_FORM_PATH) {
        node->text = px_config_full_path(load, node->text);
        return node->text ? PX_OK : PX_ENOMEM;
    }
    if (rule->form == PX_FORM_URL) {
        size_t len = strlen(node->text);
        while (len && node->text[len - 1] == '/') {
            len--;
        }
        node->text = px_config_copy(&load->work, (struct px_str){ node->text, len });
        return node->text ? PX_OK : PX_ENOMEM;
    }
    return PX_OK;
}

enum px_status px_config_check_form(struct px_config_load *load, struct px_config_node *node,
                                    const struct px_config_rule *rule)
{
    bool ok = true;
    double bytes = 0;
    if (node->type == PX_JSON_STRING && rule->form == PX_FORM_SIZE) {
        ok = read_size(node->text, &bytes) && is_in_range(rule, bytes);
        if (ok) {
            node->type = PX_JSON_NUMBER;
            node->number = bytes;
        }
    } else if (node->type == PX_JSON_STRING) {
        ok = is_sound_text(rule, node->text);
    } else if (node->type == PX_JSON_NUMBER &&
               (rule->form == PX_FORM_INTEGER || rule->form == PX_FORM_NUMBER ||
                rule->form == PX_FORM_SIZE)) {
        ok = is_in_range(rule, node->number);
    } else if (node->type == PX_JSON_TRUE) {
        ok = rule->form != PX_FORM_NO && rule->form != PX_FORM_PROXY;
    }
    if (!ok) {
        px_config_mismatch(load, node, rule);
        return PX_OK;
    }
    return node->type == PX_JSON_STRING ? convert(load, node, rule) : PX_OK;
}
