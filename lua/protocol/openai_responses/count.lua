--- Counting tokens as the Responses API does.

return require('protocol._count')({
  'model', 'input', 'instructions', 'tools', 'tool_choice', 'parallel_tool_calls', 'reasoning',
  'text',
})
