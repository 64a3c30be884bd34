// What the vendors of the matrix were asked, read from their protocols into the words that all share:
//
//   { system, said: [[role, text]], images, tools: [{ name, schema }], choice, parallel, calls,
//     results: [{ text, error }], think, format, stop, max, likely }

const pngOf = (url) => url.replace(/^data:image\/png;base64,/, '');
const textOf = (content) => (typeof content === 'string' ? content
  : (content ?? []).map((part) => part.text ?? part.refusal ?? '').join(''));
const BIG = '9007199254740993';
const argsOf = (args) => JSON.parse((typeof args === 'string' ? args : JSON.stringify(args))
  .replaceAll(`:${BIG}`, ':"BIG"'));

function choiceOf(choice, name) {
  return name ? { name } : { required: 'any', any: 'any', ANY: 'any' }[choice];
}

function chat(body) {
  const seen = { system: '', said: [], images: [], calls: [], results: [] };
  for (const { content, role, tool_calls: calls = [] } of body.messages) {
    if (role === 'system' || role === 'developer') {
      seen.system += textOf(content);
    } else if (role === 'tool') {
      seen.results.push({ text: textOf(content) });
    } else {
      if (textOf(content)) {
        seen.said.push([role, textOf(content)]);
      }
      seen.images.push(...(Array.isArray(content) ? content : [])
        .filter((part) => part.type === 'image_url').map((part) => pngOf(part.image_url.url)));
      seen.calls.push(...calls.map(({ function: { arguments: args, name } }) => ({ name,
        args: argsOf(args) })));
    }
  }
  return { ...seen, tools: (body.tools ?? []).map(({ function: { name, parameters } }) => ({ name,
    schema: parameters })),
  choice: choiceOf(body.tool_choice, body.tool_choice?.function?.name),
  parallel: body.parallel_tool_calls, think: body.reasoning_effort,
  format: body.response_format?.json_schema?.schema, stop: body.stop,
  likely: body.logprobs && body.top_logprobs,
  max: body.max_completion_tokens ?? body.max_tokens };
}

function responses(body) {
  const seen = { system: body.instructions ?? '', said: [], images: [], calls: [], results: [] };
  for (const item of body.input) {
    if (item.type === 'function_call') {
      seen.calls.push({ name: item.name, args: argsOf(item.arguments) });
    } else if (item.type === 'function_call_output') {
      seen.results.push({ text: textOf(item.output) });
    } else if (item.role === 'system' || item.role === 'developer') {
      seen.system += textOf(item.content);
    } else if (item.role) {
      seen.said.push([item.role, textOf(item.content)]);
      seen.images.push(...(Array.isArray(item.content) ? item.content : [])
        .filter((part) => part.type === 'input_image').map((part) => pngOf(part.image_url)));
    }
  }
  return { ...seen, tools: (body.tools ?? []).map(({ name, parameters }) => ({ name,
    schema: parameters })),
  choice: choiceOf(body.tool_choice, body.tool_choice?.name), parallel: body.parallel_tool_calls,
  think: body.reasoning?.effort, format: body.text?.format?.schema, stop: undefined,
  likely: body.include?.includes('message.output_text.logprobs') && body.top_logprobs,
  max: body.max_output_tokens };
}

function anthropic(body) {
  const seen = { system: textOf(body.system), said: [], images: [], calls: [], results: [] };
  for (const { content, role } of body.messages) {
    const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
    for (const block of blocks) {
      if (block.type === 'text') {
        seen.said.push([role, block.text]);
      } else if (block.type === 'image') {
        seen.images.push(block.source.data);
      } else if (block.type === 'tool_use') {
        seen.calls.push({ name: block.name, args: argsOf(block.input) });
      } else if (block.type === 'tool_result') {
        seen.results.push({ text: textOf(block.content), error: block.is_error === true });
      }
    }
  }
  return { ...seen, tools: (body.tools ?? []).map((tool) => ({ name: tool.name,
    schema: tool.input_schema })),
  choice: choiceOf(body.tool_choice?.type, body.tool_choice?.name),
  parallel: body.tool_choice?.disable_parallel_tool_use ? false : undefined,
  think: body.thinking?.budget_tokens ?? body.output_config?.effort,
  format: body.output_config?.format?.schema, stop: body.stop_sequences, max: body.max_tokens };
}

function gemini(body) {
  const seen = { system: textOf(body.systemInstruction?.parts), said: [], images: [], calls: [],
    results: [] };
  for (const { parts, role } of body.contents) {
    for (const part of parts) {
      if (part.text !== undefined && !part.thought) {
        seen.said.push([role === 'model' ? 'assistant' : role, part.text]);
      } else if (part.inlineData) {
        seen.images.push(part.inlineData.data);
      } else if (part.functionCall) {
        seen.calls.push({ name: part.functionCall.name, args: argsOf(part.functionCall.args) });
      } else if (part.functionResponse) {
        const { error, output } = part.functionResponse.response;
        seen.results.push({ text: error ?? output, error: error !== undefined });
      }
    }
  }
  const { generationConfig: config = {}, tools = [], toolConfig } = body;
  const calling = toolConfig?.functionCallingConfig;
  return { ...seen, tools: tools.flatMap(({ functionDeclarations }) => functionDeclarations)
    .map((tool) => ({ name: tool.name, schema: tool.parametersJsonSchema ?? tool.parameters })),
  choice: choiceOf(calling?.mode, calling?.allowedFunctionNames?.[0]),
  think: config.thinkingConfig?.thinkingBudget,
  format: config.responseJsonSchema ?? config.responseSchema, stop: config.stopSequences,
  likely: config.responseLogprobs && config.logprobs, max: config.maxOutputTokens };
}

function ollama(body) {
  const seen = { system: '', said: [], images: [], calls: [], results: [] };
  for (const { content, images = [], role, tool_calls: calls = [] } of body.messages) {
    if (role === 'system') {
      seen.system += content;
    } else if (role === 'tool') {
      seen.results.push({ text: content });
    } else {
      if (content) {
        seen.said.push([role, content]);
      }
      seen.images.push(...images);
      seen.calls.push(...calls.map(({ function: { arguments: args, name } }) => ({ name,
        args: argsOf(args) })));
    }
  }
  return { ...seen, tools: (body.tools ?? []).map(({ function: { name, parameters } }) => ({ name,
    schema: parameters })),
  think: body.think, format: body.format, stop: body.options?.stop,
  likely: body.logprobs && body.top_logprobs,
  max: body.options?.num_predict };
}

const SEEN = { openai: chat, responses, anthropic, gemini, ollama };

/** What the vendor was asked last. */
export function seen(kind, fake) {
  return meaning(kind, fake.last.body.toString());
}

/** What a body asks. A number that lost a digit is not the one that was asked. */
export function meaning(kind, text) {
  const inText = kind === 'openai' || kind === 'responses';
  return SEEN[kind](JSON.parse(inText ? text : text.replaceAll(`:${BIG}`, ':"BIG"')));
}

/** What a vendor has no words for. */
export const CANNOT = {
  openai: ['error'], responses: ['error', 'stop'], anthropic: ['likely', 'refusal'],
  gemini: ['parallel', 'refusal'],
  ollama: ['error', 'choice', 'parallel', 'cached', 'filter', 'level', 'refusal'],
};
