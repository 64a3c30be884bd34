// The part of a configuration that Lua gets, as JSON.

#include "config_load.h"

#include <string.h>

static struct px_str str(const char *text)
{
    return (struct px_str){ text, strlen(text) };
}

// Starts a member: comma, name, colon.
static enum px_status begin(struct px_buf *out, const char *name)
{
    char last = out->len ? out->ptr[out->len - 1] : '{';
    enum px_status st = last == '{' || last == '[' ? PX_OK : px_buf_add(out, PX_STR(","));
    st = st ? st : px_json_quote(out, str(name));
    return st ? st : px_buf_add(out, PX_STR(":"));
}

static enum px_status add_member(struct px_buf *out, const char *name,
                                 const struct px_config_node *value)
{
    if (!value || value->absent) {
        return PX_OK;
    }
    enum px_status st = begin(out, name);
    return st ? st : px_config_node_write(value, out);
}

// Members of our own first, those that the provider's type declares in an object behind them.
static enum px_status add_members(struct px_buf *out, const struct px_config_node *object,
                                  const struct px_config_rule *rule, const char *const *skip)
{
    enum px_status st = PX_OK;
    for (const struct px_config_node *at = object->first; at && !st; at = at->next) {
        bool skipped = !px_config_rule_member(rule, at->name);
        for (const char *const *name = skip; *name; name++) {
            skipped = skipped || strcmp(*name, at->name) == 0;
        }
        st = skipped ? PX_OK : add_member(out, at->name, at);
    }
    st = st ? st : begin(out, "settings");
    st = st ? st : px_buf_add(out, PX_STR("{"));
    for (const struct px_config_node *at = object->first; at && !st; at = at->next) {
        bool ours = px_config_rule_member(rule, at->name);
        st = ours ? PX_OK : add_member(out, at->name, at);
    }
    return st ? st : px_buf_add(out, PX_STR("}"));
}

static bool names(const struct px_config_node *list, const char *name)
{
    for (const struct px_config_node *at = list->first; at; at = at->next) {
        if (strcmp(at->text, name) == 0) {
            return true;
        }
    }
    return false;
}

// The proxy in effect, or NULL: the account's, the provider's, the common one. `false` ends the
// search.
static const struct px_config_node *proxy_of(const struct px_config_load *load,
                                             const struct px_config_node *provider,
                                             const struct px_config_node *account)
{
    const struct px_config_node *proxy = px_config_node_member(account, "proxy");
    proxy = proxy ? proxy : px_config_node_member(provider, "proxy");
    if (proxy) {
        return proxy->type == PX_JSON_STRING ? proxy : NULL;
    }
    const struct px_config_node *common = px_config_node_member(load->root, "proxy");
    const struct px_config_node *listed = px_config_node_member(common, "providers");
    return common && (!listed || names(listed, provider->name))
               ? px_config_node_member(common, "url")
               : NULL;
}

static enum px_status add_account(const struct px_config_load *load, struct px_buf *out,
                                  const struct px_config_node *provider,
                                  const struct px_config_node *account,
                                  const struct px_config_rule *rule)
{
    static const char *const skip[] = { "proxy", "ca_file", NULL };
    const struct px_config_node *ca_file = px_config_node_member(account, "ca_file");
    ca_file = ca_file ? ca_file : px_config_node_member(provider, "ca_file");
    enum px_status st = account->parent->first == account ? PX_OK : px_buf_add(out, PX_STR(","));
    st = st ? st : px_buf_add(out, PX_STR("{"));
    st = st ? st : add_members(out, account, rule, skip);
    st = st ? st : add_member(out, "proxy", proxy_of(load, provider, account));
    st = st ? st : add_member(out, "ca_file", ca_file);
    return st ? st : px_buf_add(out, PX_STR("}"));
}

static enum px_status add_provider(const struct px_config_load *load, struct px_buf *out,
                                   const struct px_config_node *provider,
                                   const struct px_config_rule *rule)
{
    static const char *const skip[] = { "accounts", "proxy", "ca_file", NULL };
    const struct px_config_node *accounts = px_config_node_member(provider, "accounts");
    const struct px_config_rule *account = px_config_rule_member(rule, "accounts")->item;
    enum px_status st = begin(out, provider->name);
    st = st ? st : px_buf_add(out, PX_STR("{"));
    st = st ? st : add_members(out, provider, rule, skip);
    st = st ? st : begin(out, "accounts");
    st = st ? st : px_buf_add(out, PX_STR("["));
    for (const struct px_config_node *at = accounts->first; at && !st; at = at->next) {
        st = add_account(load, out, provider, at, account);
    }
    return st ? st : px_buf_add(out, PX_STR("]}"));
}

static enum px_status add_clients(const struct px_config_load *load, struct px_buf *out)
{
    const struct px_config_node *clients = px_config_node_member(load->root, "clients");
    enum px_status st = begin(out, "clients");
    st = st ? st : px_buf_add(out, PX_STR("["));
    for (const struct px_config_node *at = clients->first; at && !st; at = at->next) {
        st = at == clients->first ? PX_OK : px_buf_add(out, PX_STR(","));
        st = st ? st : px_config_node_write(px_config_node_member(at, "name"), out);
    }
    return st ? st : px_buf_add(out, PX_STR("]"));
}

enum px_status px_config_write_lua(struct px_config_load *load, struct px_buf *out)
{
    static const char *const plain[] = { "models",  "fallback", "prompt",   "params",
                                         "headers", "fetch",    "timeouts", "vars" };
    static const struct px_config_node null = { .type = PX_JSON_NULL };
    const struct px_config_node *chosen = px_config_node_member(load->root, "default_provider");
    const struct px_config_rule *rule = px_config_rule_member(&px_config_root, "providers")->item;
    enum px_status st = px_buf_add(out, PX_STR("{"));
    st = st ? st : add_member(out, "default_provider", chosen ? chosen : &null);
    st = st ? st : add_clients(load, out);
    st = st ? st : begin(out, "providers");
    st = st ? st : px_buf_add(out, PX_STR("{"));
    const struct px_config_node *providers = px_config_node_member(load->root, "providers");
    for (const struct px_config_node *at = providers->first; at && !st; at = at->next) {
        st = add_provider(load, out, at, rule);
    }
    st = st ? st : px_buf_add(out, PX_STR("}"));
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain) && !st; i++) {
        st = add_member(out, plain[i], px_config_node_member(load->root, plain[i]));
    }
    return st ? st : px_buf_add(out, PX_STR("}"));
}
