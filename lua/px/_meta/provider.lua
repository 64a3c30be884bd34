--- @meta
--- The provider contract: one file lua/provider/<type>.lua for each kind of upstream.

--- @class px.Provider
--- @field name string
--- @field label string Its name for people: 'OpenAI'.
--- @field base_url? string Where it lives unless the configuration says otherwise.
--- @field hosts? string[] Hosts that functions which wait may fetch from, beside base_url's.
--- @field settings? table<string, px.Setting> Members of its accounts and of the provider itself.
--- @field speaks { protocol: string, path: string, stream_path: string? }[] In order of preference; appended to
---   base_url. `{model}` stands for the model.
--- @field headers? fun(account: px.Account): table<string, string> Signs one request. Names in lower case.
--- @field shape? fun(at: px.Attempt) Last change of the request before it is sent.
--- @field unwrap? fun(body: any): any Takes an envelope off an answer.
--- @field answer? fun(request: px.Request, out: fun(event: px.Event), settings: table?) Replies without a
---   network. May wait. Settings are the account's over the provider's.
--- @field judge? fun(reply: px.Failure): 'retry'|'next_account'|'next_target'|'give_up', { cool: number? }?
--- @field models? fun(account: px.Account): px.Model[] May wait.

--- @class px.Account
--- @field name string
--- @field kind 'key'|'oauth'|'none'
--- @field secret string?
--- @field settings table

--- @class px.Setting
--- @field type 'string'|'number'|'boolean'
--- @field doc string
--- @field secret? boolean

--- @class px.Attempt
--- @field url string
--- @field headers table<string, string>
--- @field protocol string
--- @field model string
--- @field account string Its name.
--- @field path? string The client's path, where it speaks the upstream's protocol.
--- @field client_headers table<string, string> The client's headers, names in lower case; {} unless it
---   speaks `protocol` too.
