// The agents, each as people run it without a terminal: its program, what its home folder holds, its
// environment, and its arguments. `model` is the gateway's name of the upstream's model.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { KEY } from '../e2e/lib/gateway.mjs';

const bin = (folder, name) => fileURLToPath(new URL(`${folder}/node_modules/.bin/${name}`,
  import.meta.url));

function write(home, name, text) {
  const file = path.join(home, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

export const AGENTS = {
  'Claude Code': {
    program: bin('../e2e', 'claude'),
    prepare: () => {},
    env: (gw, model) => ({ ANTHROPIC_BASE_URL: gw.url, ANTHROPIC_API_KEY: KEY,
      ANTHROPIC_MODEL: model, ANTHROPIC_SMALL_FAST_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' }),
    args: (_, prompt) => ['-p', prompt, '--allowedTools', 'Read'],
  },
  Codex: {
    program: bin('.', 'codex'),
    prepare: (home, gw, model) => write(home, '.codex/config.toml', `model = ${JSON.stringify(model)}
model_provider = "gw"
[model_providers.gw]
name = "gw"
base_url = "${gw.url}/v1"
env_key = "GW_KEY"
wire_api = "responses"
`),
    env: () => ({ GW_KEY: KEY }),
    args: (_, prompt) => ['exec', '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox', prompt],
  },
  'Gemini CLI': {
    program: bin('.', 'gemini'),
    prepare: (home) => write(home, '.gemini/settings.json',
      '{"security":{"auth":{"selectedType":"gemini-api-key"}}}'),
    env: (gw) => ({ GOOGLE_GEMINI_BASE_URL: gw.url, GEMINI_API_KEY: KEY,
      GEMINI_CLI_TRUST_WORKSPACE: 'true' }),
    args: (model, prompt) => ['-m', model, '--yolo', '-p', prompt],
  },
  'Qwen Code': {
    program: bin('.', 'qwen'),
    prepare: () => {},
    env: (gw, model) => ({ OPENAI_BASE_URL: `${gw.url}/v1`, OPENAI_API_KEY: KEY,
      OPENAI_MODEL: model }),
    args: (_, prompt) => ['--yolo', '-p', prompt],
  },
  opencode: {
    program: bin('.', 'opencode'),
    prepare: (home, gw, model) => write(home, '.config/opencode/opencode.json', JSON.stringify({
      $schema: 'https://opencode.ai/config.json', autoupdate: false, share: 'disabled',
      small_model: `gw/${model}`,
      provider: { gw: { npm: '@ai-sdk/openai-compatible', name: 'gw',
        options: { baseURL: `${gw.url}/v1`, apiKey: KEY }, models: { [model]: { name: model,
          tool_call: true, limit: { context: 200000, output: 8000 } } } } } })),
    env: () => ({ OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' }),
    args: (model, prompt) => ['run', '-m', `gw/${model}`, prompt],
  },
};
