#pragma once

#include <stdbool.h>

/// What may stand in a configuration: the one table behind type checks, ranges, defaults and
/// suggestions. configs/proxima.schema.json says the same to editors; a test compares the two.

/// JSON types that a value may have.
enum {
    PX_CONFIG_STRING = 1,
    PX_CONFIG_NUMBER = 2,
    PX_CONFIG_BOOLEAN = 4,
    PX_CONFIG_OBJECT = 8,
    PX_CONFIG_LIST = 16,
    PX_CONFIG_NULL = 32,
    PX_CONFIG_ANY = 63,
};

/// What a value of the right type must be beyond that.
enum px_config_form {
    PX_FORM_NONE,
    PX_FORM_NAME,     ///< Not empty, printable, short.
    PX_FORM_TEXT,     ///< Not empty.
    PX_FORM_PATH,     ///< `~` and the configuration's folder are put before it.
    PX_FORM_KEY,      ///< A secret that fits into a header.
    PX_FORM_HEADER,   ///< Value of a header; the names beside it are headers' names.
    PX_FORM_INTEGER,  ///< min to max; strings are one of `words`.
    PX_FORM_NUMBER,   ///< min to max.
    PX_FORM_SIZE,     ///< Bytes, or "32MiB"; becomes a number.
    PX_FORM_WORD,     ///< One of `words`.
    PX_FORM_ADDRESS,  ///< Numeric IPv4 or IPv6.
    PX_FORM_URL,      ///< http or https.
    PX_FORM_PROXY,    ///< URL of a proxy, or false.
    PX_FORM_NO,       ///< A boolean may only be false.
};

enum {
    PX_CONFIG_REQUIRED = 1,
    PX_CONFIG_SECRET = 2,   ///< Never shown, nor is anything below it.
    PX_CONFIG_LATER = 4,    ///< Known, but without effect in this version: warned about.
    PX_CONFIG_REFUSED = 8,  ///< As LATER, but leaving it without effect would be unsafe: an error.
    PX_CONFIG_OPEN = 16,    ///< Members that are not known are settings of a provider's type.
    PX_CONFIG_MAKE = 32,    ///< Its `file:` may be missing below data_dir: it is made at the start.
};

struct px_config_rule {
    const char *name;
    unsigned types;
    enum px_config_form form;
    unsigned flags;
    double min, max;
    const char *standard;  ///< JSON text of the default; NULL: none.
    const char *const *words;
    const struct px_config_rule *members;  ///< Of an object; the last one has no name.
    const struct px_config_rule *item;     ///< Of a list's elements, or of a map's members.
};

/// The whole document.
extern const struct px_config_rule px_config_root;

/// Member of an object's rule, or NULL.
const struct px_config_rule *px_config_rule_member(const struct px_config_rule *rule,
                                                   const char *name);
