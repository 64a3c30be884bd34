// What a request asks, read from any of the five protocols into the words that all share:
//
//   { texts, images, calls: [{ name, args }], tools, chooses }
//
// `texts` is what users, systems and tools say, `images` their base64, `tools` the names that are
// declared. Recorded requests of many programs come through here: what is unknown is passed over.

const DATA_URL = /^data:image\/[\w.+-]+;base64,/;

const list = (value) => (Array.isArray(value) ? value : value ? [value] : []);
const parts = (content) => (typeof content === 'string' ? [{ text: content }] : list(content));

function parsed(args) {
  if (typeof args !== 'string') {
    return args ?? {};
  }
  try {
    return args.trim() ? JSON.parse(args) : {};
  } catch {
    return { _raw: args };
  }
}

class Asked {
  constructor() {
    Object.assign(this, { texts: [], images: [], calls: [], tools: [], chooses: false });
  }

  text(text) {
    if (typeof text === 'string' && text.trim()) {
      this.texts.push(text.trim());
    }
  }

  image(data) {
    if (data) {
      // Google's programs write base64 for URLs.
      this.images.push(data.replace(DATA_URL, '').replace(/-/g, '+').replace(/_/g, '/'));
    }
  }

  call(name, args) {
    this.calls.push({ name, args: parsed(args) });
  }
}

function chatParts(asked, content) {
  for (const part of parts(content)) {
    asked.text(part.text);
    const url = part.image_url?.url ?? part.image_url;
    asked.image(typeof url === 'string' && DATA_URL.test(url) ? url : undefined);
  }
}

function chat(body) {
  const asked = new Asked();
  for (const { content, role, tool_calls: calls } of body.messages) {
    if (role !== 'assistant') {
      chatParts(asked, content);
    }
    for (const { custom, function: made } of list(calls)) {
      asked.call((made ?? custom).name, made ? made.arguments : { input: custom.input });
    }
  }
  asked.tools = list(body.tools).filter((tool) => tool.function ?? tool.custom)
    .map((tool) => (tool.function ?? tool.custom).name);
  asked.chooses = body.tool_choice === 'none' || typeof body.tool_choice === 'object';
  return asked;
}

const SAYS = new Set(['user', 'system', 'developer']);

function responses(body) {
  const asked = new Asked();
  asked.text(body.instructions);
  for (const item of typeof body.input === 'string' ? [{ role: 'user', content: body.input }]
    : body.input ?? []) {
    if (item.type === 'function_call') {
      // Only here tools have a namespace.
      asked.call([item.namespace, item.name].filter(Boolean).join('__'), item.arguments);
    } else if (item.type === 'custom_tool_call') {
      asked.call(item.name, { input: item.input });
    }
    const said = SAYS.has(item.role) ? item.content
      : /^(function|custom_tool)_call_output$/.test(item.type) ? item.output : [];
    chatParts(asked, said);
  }
  asked.tools = list(body.tools).filter((tool) => /^(function|custom)$/.test(tool.type))
    .map((tool) => tool.name);
  asked.chooses = body.tool_choice === 'none' || typeof body.tool_choice === 'object';
  return asked;
}

function anthropicBlocks(asked, content, isUser) {
  for (const block of parts(content)) {
    if (block.type === 'tool_use') {
      asked.call(block.name, block.input);
    } else if (block.type === 'tool_result') {
      anthropicBlocks(asked, block.content, true);
    } else if (isUser) {
      asked.text(block.text);
      asked.image(block.type === 'image' ? block.source.data : undefined);
    }
  }
}

function anthropic(body) {
  const asked = new Asked();
  anthropicBlocks(asked, body.system, true);
  body.messages.forEach(({ content, role }) => anthropicBlocks(asked, content,
    role !== 'assistant'));
  asked.tools = list(body.tools).filter((tool) => (tool.type ?? 'custom') === 'custom')
    .map((tool) => tool.name);
  asked.chooses = /none|tool/.test(body.tool_choice?.type);
  return asked;
}

function gemini(body) {
  const asked = new Asked();
  const system = body.systemInstruction ?? body.system_instruction;
  parts(system?.parts ?? system).forEach(({ text }) => asked.text(text));
  for (const { parts: said, role } of list(body.contents)) {
    for (const part of list(said)) {
      const call = part.functionCall ?? part.function_call;
      const data = part.inlineData ?? part.inline_data;
      if (call) {
        asked.call(call.name, call.args);
      } else if (role !== 'model') {
        asked.text(part.text);
        asked.image(/^image\//.test(data?.mimeType ?? data?.mime_type) ? data.data : undefined);
      }
    }
  }
  asked.tools = list(body.tools).flatMap((tool) => (
    list(tool.functionDeclarations ?? tool.function_declarations).map(({ name }) => name)));
  const calling = (body.toolConfig ?? body.tool_config)?.functionCallingConfig;
  asked.chooses = calling?.mode === 'NONE' || calling?.allowedFunctionNames !== undefined;
  return asked;
}

function ollama(body) {
  const asked = new Asked();
  asked.text(body.system);
  asked.text(body.prompt);
  for (const { content, images, role, tool_calls: calls } of body.messages ?? []) {
    if (role !== 'assistant') {
      asked.text(content);
    }
    list(images).forEach((image) => asked.image(image));
    list(calls).forEach(({ function: made }) => asked.call(made.name, made.arguments));
  }
  asked.tools = list(body.tools).map((tool) => tool.function.name);
  return asked;
}

const READ = { openai: chat, responses, anthropic, gemini, ollama };

/** What `body` asks, in the words of the protocol `kind`. */
export function asked(kind, body) {
  return READ[kind](body);
}

/** All strings of a JSON value in one text, so that a text can be found wherever it went. */
export function strings(value) {
  if (typeof value === 'string') {
    return value;
  }
  return value && typeof value === 'object' ? Object.values(value).map(strings).join('\n') : '';
}
