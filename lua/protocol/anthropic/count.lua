--- Counting tokens as Anthropic does.

return require('protocol._count')({
  'model', 'messages', 'system', 'tools', 'tool_choice', 'thinking', 'output_config',
})
