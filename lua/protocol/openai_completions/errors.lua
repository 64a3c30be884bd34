--- Errors of legacy completions are those of Chat.

return require('protocol.openai_chat.errors')
