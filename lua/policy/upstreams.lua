--- The configured providers with their accounts, ready for requests: everything that does not
--- change from one request to the next is computed when the generation is loaded.

local core = require('px.core')
local glob = require('px.glob')
local lists = require('policy.lists')
local settings = require('px.settings')
local escape = require('px.url').escape

local M = {}

--- @class px.Upstream
--- @field id string The user's name for it.
--- @field label string Its name in '[Label] model', which no other one has.
--- @field type px.Provider
--- @field accounts table[] Enabled ones, by priority.
--- @field disabled string[] Names of the others.
--- @field speaks table<string, string> Protocol: path.
--- @field adapt boolean A request is asked once more without what it refuses.

local by_id, ordered, by_label = {}, {}, {}

--- An account's settings over its provider's.
local function merged(under, over)
  local out = {}
  for _, set in ipairs({ under or {}, over or {} }) do
    for name, value in pairs(set) do
      out[name] = value
    end
  end
  return out
end

local function account_of(config, provider, account)
  local out = {
    name = account.name,
    kind = account.api_key and 'key' or account.credentials and 'oauth' or 'none',
    secret = account.api_key,
    settings = merged(config.settings, account.settings),
  }
  local headers = provider.forward and {} or {
    ['accept'] = 'application/json, text/event-stream',
    ['content-type'] = 'application/json',
    ['user-agent'] = 'proxima',
  }
  for _, more in ipairs({
    provider.headers and provider.headers(out) or {}, config.headers or {}, account.headers or {},
  }) do
    for name, value in pairs(more) do
      headers[name:lower()] = value
    end
  end
  local options = {
    proxy = account.proxy, ca_file = account.ca_file, http2 = config.http2 or nil,
  }
  return {
    name = account.name,
    public = out,
    headers = headers,
    options = options,
    stream_options = {
      proxy = options.proxy, ca_file = options.ca_file, http2 = options.http2, streamed = true,
    },
    models = #(account.models or {}) > 0 and glob.list(account.models) or nil,
    listed = account.models or {},
    not_models = #(account.not_models or {}) > 0 and glob.list(account.not_models) or nil,
    priority = account.priority or 100,
  }
end

local function upstream_of(id, config)
  local provider = require('provider.' .. config.type)
  local base = (config.base_url or provider.base_url or ''):gsub('/+$', '')
  local out = {
    id = id,
    type = provider,
    label = config.label or provider.label or id,
    settings = config.settings or {},
    loss = config.loss,
    adapt = config.adapt ~= false,
    models = config.models or {},
    accounts = {},
    disabled = {},
    urls = {},
    stream_urls = {},
    origins = {},
    base = base,
    first = provider.speaks[1] and provider.speaks[1].protocol,
  }
  for _, speaks in ipairs(provider.speaks) do
    local on = not speaks.setting or out.settings[speaks.setting] == true
    if on and not out.urls[speaks.protocol] then
      out.urls[speaks.protocol] = base .. speaks.path
      out.stream_urls[speaks.protocol] = base .. (speaks.stream_path or speaks.path)
      out.origins[speaks.protocol] = speaks.protocol
        .. (provider.many_vendors and ':' .. id:gsub('[^%w_.-]', '_') or '')
    end
  end
  for _, account in ipairs(config.accounts or {}) do
    if account.enabled ~= false then
      out.accounts[#out.accounts + 1] = account_of(config, provider, account)
    else
      out.disabled[#out.disabled + 1] = account.name
    end
  end
  -- Equal priorities keep the order of the file.
  for place, account in ipairs(out.accounts) do
    account.place = place
  end
  table.sort(out.accounts, function(a, b)
    if a.priority ~= b.priority then
      return a.priority < b.priority
    end
    return a.place < b.place
  end)
  return out
end

--- Gives every provider a label of its own: what the first by id is called, the others are not.
local function give_label(upstream)
  local wanted = upstream.label:gsub('[%[%]%c]', '')
  local name, count = wanted, 1
  while name == '' or by_label[name:lower()] do
    count = count + 1
    name = count == 2 and upstream.id or ('%s %d'):format(wanted, count - 1)
  end
  upstream.label, by_label[name:lower()] = name, upstream
end

--- Reads the configuration. Called once, when the generation is loaded.
function M.load()
  local ids = {}
  for id in pairs(settings.providers or {}) do
    ids[#ids + 1] = id
  end
  table.sort(ids)
  for _, id in ipairs(ids) do
    local config = settings.providers[id]
    if config.enabled ~= false then
      by_id[id] = upstream_of(id, config)
      M.forwards = M.forwards or by_id[id].type.forward or nil
      ordered[#ordered + 1] = by_id[id]
      give_label(by_id[id])
    end
  end
end

--- @type boolean? Some provider passes on whatever it is asked.
M.forwards = nil

--- @return px.Upstream?
function M.get(id)
  return by_id[id]
end

--- Names each account and says why it does not serve a model.
---
--- @return string
function M.why_none(upstream, model)
  local reasons = {}
  for _, account in ipairs(upstream.accounts) do
    reasons[#reasons + 1] = ('%s does not serve this model'):format(account.name)
  end
  for _, name in ipairs(upstream.disabled) do
    reasons[#reasons + 1] = ('%s is disabled'):format(name)
  end
  return ('No account of %s can serve %s: %s.'):format(upstream.id, model,
    reasons[1] and table.concat(reasons, ', ') or 'it has none')
end

--- Where a request goes; some protocols have the model in the path.
function M.url(upstream, protocol, model, stream)
  return M.place((stream and upstream.stream_urls or upstream.urls)[protocol], model)
end

--- Puts a model's name where a URL has `{model}`.
function M.place(url, model)
  local first, last = url:find('{model}', 1, true)
  return first and url:sub(1, first - 1) .. escape(model, '/:') .. url:sub(last + 1) or url
end

--- The account that serves a model: the first enabled one by priority that may.
function M.account(upstream, model)
  for _, account in ipairs(upstream.accounts) do
    local may = not account.models or account.models(model)
    if may and not (account.not_models and account.not_models(model)) then
      return account
    end
  end
end

-- What is offered ---------------------------------------------------------------------------------

--- Models that an upstream is known to have, in order: those that the configuration names, and
--- those that it tells itself and an account may serve.
---
--- @return px.Model[]
local function listed(upstream)
  local out, seen = {}, {}
  local function add(name, known)
    if not name:find('[*!]') and not seen[name] then
      seen[name] = true
      out[#out + 1] = known or { id = name }
    end
  end
  for _, name in ipairs(upstream.models) do
    add(name)
  end
  for _, account in ipairs(upstream.accounts) do
    for _, name in ipairs(account.listed) do
      add(name)
    end
  end
  for _, model in ipairs(lists.of(upstream) or {}) do
    if M.account(upstream, model.id) then
      add(model.id, model)
    end
  end
  if upstream.type.answer and upstream.type.models then
    for _, model in ipairs(upstream.type.models({ settings = upstream.settings })) do
      add(model.id)
    end
  end
  return out
end

local function has(upstream, model)
  if not upstream.has then
    upstream.has = {}
    for _, one in ipairs(listed(upstream)) do
      upstream.has[one.id] = true
    end
  end
  return upstream.has[model] and #upstream.accounts > 0
end

--- Looks the lists up anew, since one of them has changed.
function M.forget()
  for _, upstream in ipairs(ordered) do
    upstream.has = nil
  end
end

--- The provider whose list has the model: the default one, else the first by id.
function M.having(model)
  local default = settings.default_provider and by_id[settings.default_provider]
  if default and has(default, model) then
    return default
  end
  for _, upstream in ipairs(ordered) do
    if has(upstream, model) then
      return upstream
    end
  end
end

--- Asks the providers for lists that are missing or old. May wait a little.
---
--- @param only? px.Upstream
function M.want(only)
  lists.want(only and { only } or ordered)
end

local CREATED = 1735689600

--- All models that are offered, of one provider or of all.
---
--- @param only? px.Upstream
--- @return px.Model[]
function M.models(only)
  local out, seen = {}, {}
  local function add(model, owner, label)
    local id = model.id
    local first = seen[id]
    if first then
      first.labels = first.labels or { first.label }
      table.insert(first.labels, label)
      return
    end
    seen[id] = {
      id = id, owned_by = owner, created = model.created or CREATED,
      display_name = model.display_name or id, label = label,
      input_limit = model.input_limit, output_limit = model.output_limit,
      embeds = model.embeds or id:lower():find('embed', 1, true) ~= nil,
    }
    out[#out + 1] = seen[id]
  end
  if not only then
    for _, name in ipairs(require('policy.models').names()) do
      add({ id = name }, 'proxima', 'Proxima')
    end
  end
  for _, upstream in ipairs(ordered) do
    if not only or upstream == only then
      for _, model in ipairs(listed(upstream)) do
        add(model, upstream.id, upstream.label)
      end
    end
  end
  return out
end

--- The provider with a label, in whatever case, or with an id.
function M.labelled(text)
  return by_label[text:lower()] or by_id[text]
end

local FIELDS_MAX = 500
local fields, field_count = {}, 0

--- A field's name as a counter's label. Clients invent names, so length and number have limits.
local function label_of(field)
  local label = fields[field]
  if label then
    return label
  elseif field_count >= FIELDS_MAX or #field > 100 then
    return 'other'
  end
  label = field:gsub('[^\32-\126]', '_'):gsub('["\\]', '_')
  fields[field], field_count = label, field_count + 1
  return label
end

--- Counts what a conversion lost.
function M.count_loss(from, to, field)
  core.count(('proxima_lost_total{from="%s",to="%s",field="%s"}'):format(from, to,
    label_of(field)), 1)
end

return M
