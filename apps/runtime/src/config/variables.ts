/**
 * Every environment variable of the runtime, once: the schema, the help text, `.env.example`, docs/runtime-environment.md and `check`
 * are all derived from this table. Plain data, so that `--help` loads no library.
 */
export type VariableKind = 'text' | 'url' | 'wsUrl' | 'account' | 'token' | 'host' | 'path' | 'integer' | 'choice' | 'secret'

export interface Variable {
  readonly name: string
  readonly kind: VariableKind
  readonly group: 'Required' | 'Health' | 'Agent tools' | 'Loops' | 'Process' | 'OpenClaw' | 'Model' | 'Deployment'
  /** One sentence, without the default. */
  readonly about: string
  readonly required?: true
  /** As it would stand in the environment; absent: unset. */
  readonly default?: string
  /** What the default is when it is computed. */
  readonly defaultText?: string
  /** Integers outside are clamped with a warning. */
  readonly min?: number
  readonly max?: number
  readonly unit?: 'ms'
  readonly choices?: readonly string[]
  readonly example?: string
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** Ports: 0 lets the system pick a free one. */
const PORT = { kind: 'integer', min: 0, max: 65_535 } as const

export const VARIABLES = [
  {
    name: 'ACCOUNT_ID',
    kind: 'account',
    group: 'Required',
    required: true,
    about: 'The account this runtime serves.',
    example: 'k57ad2x0r1v9h8s7',
  },
  {
    name: 'CONVEX_URL',
    kind: 'url',
    group: 'Required',
    required: true,
    about: 'Where the backend answers: Convex cloud, self-hosted or embedded.',
    example: 'http://127.0.0.1:3210',
  },
  {
    name: 'SERVICE_TOKEN',
    kind: 'token',
    group: 'Required',
    required: true,
    about: 'The service token of this account, `mcs_<accountId>_<secret>`.',
    example: 'mcs_k57ad2x0r1v9h8s7_<secret>',
  },

  {
    name: 'HEALTH_PORT',
    ...PORT,
    group: 'Health',
    default: '3001',
    about: 'Port of the health pages; 0 picks a free one, which is logged and recorded in the data folder.',
  },
  {
    name: 'HEALTH_HOST',
    kind: 'host',
    group: 'Health',
    default: '127.0.0.1',
    about: 'Address the health pages listen on; the container image sets 0.0.0.0.',
  },

  {
    name: 'TOOLS_PORT',
    ...PORT,
    group: 'Agent tools',
    default: '3002',
    about: "Port of the agents' tools (MCP); 0 picks a free one, and after a crash the one before it.",
  },
  {
    name: 'TOOLS_HOST',
    kind: 'host',
    group: 'Agent tools',
    default: '127.0.0.1',
    about:
      'Address the tools listen on. Agents send a bearer token in each call: beyond this machine only on a network you trust, or behind TLS.',
  },
  {
    name: 'TOOLS_URL',
    kind: 'url',
    group: 'Agent tools',
    defaultText: 'http://TOOLS_HOST:TOOLS_PORT/mcp',
    about: 'Where the gateway reaches the tools; needed when OPENCLAW_GATEWAY_URL is on another machine.',
    example: 'http://10.0.0.5:3002/mcp',
  },

  {
    name: 'DELIVERY_INTERVAL',
    kind: 'integer',
    unit: 'ms',
    min: 500,
    max: 60_000,
    group: 'Loops',
    default: '5000',
    about: 'Poll of the ready query while the subscription is known to be down.',
  },
  {
    name: 'HEALTH_CHECK_INTERVAL',
    kind: 'integer',
    unit: 'ms',
    min: 5_000,
    max: 60_000,
    group: 'Loops',
    default: '60000',
    about: 'Check-in when idle: presence, lease and safety poll in one call. It is 15 s while anything is held.',
  },
  {
    name: 'AGENT_SYNC_INTERVAL',
    kind: 'integer',
    unit: 'ms',
    min: 5_000,
    max: 3_600_000,
    group: 'Loops',
    default: '60000',
    about:
      'Oldest the roster may be; below HEALTH_CHECK_INTERVAL it shortens the check-in, which carries the roster version. Asked for directly when check-ins stay unanswered.',
  },
  {
    name: 'DELIVERY_CONCURRENCY',
    kind: 'integer',
    min: 1,
    max: 64,
    group: 'Loops',
    default: '3',
    about: 'Turns in flight. OpenClaw spends about half a second of CPU on each; slow models allow more.',
  },
  {
    name: 'TURN_TIMEOUT',
    kind: 'integer',
    unit: 'ms',
    min: 5_000,
    max: 840_000,
    group: 'Loops',
    default: '600000',
    about: 'Longest turn of an agent.',
  },

  {
    name: 'SHUTDOWN_GRACE',
    kind: 'integer',
    unit: 'ms',
    min: 0,
    max: 600_000,
    group: 'Process',
    default: '30000',
    about: 'How long a stop waits for turns in flight before it gives them back.',
  },
  {
    name: 'STOP_TIMEOUT',
    kind: 'integer',
    unit: 'ms',
    min: 2_000,
    max: 660_000,
    group: 'Process',
    default: '45000',
    about: 'A stop is over after this time, whatever hangs; must leave at least 10 s beyond SHUTDOWN_GRACE.',
  },
  {
    name: 'LOG_LEVEL',
    kind: 'choice',
    choices: LOG_LEVELS,
    group: 'Process',
    default: 'info',
    about: 'Least severe line that is logged.',
  },
  {
    name: 'DATA_DIR',
    kind: 'path',
    group: 'Process',
    defaultText: 'per-user data folder',
    about: 'Lock, instance id, gateway state and workspaces. One running runtime per folder.',
  },

  {
    name: 'OPENCLAW_GATEWAY_URL',
    kind: 'wsUrl',
    group: 'OpenClaw',
    about: 'A gateway that runs already; unset, the runtime starts and supervises its own.',
    example: 'ws://127.0.0.1:18789',
  },
  {
    name: 'OPENCLAW_GATEWAY_TOKEN',
    kind: 'secret',
    group: 'OpenClaw',
    about: 'Token of that gateway; needed with OPENCLAW_GATEWAY_URL.',
  },
  {
    name: 'OPENCLAW_GATEWAY_PORT',
    kind: 'integer',
    min: 1,
    max: 65_535,
    group: 'OpenClaw',
    default: '18789',
    about: 'Port of our own gateway.',
  },
  {
    name: 'OPENCLAW_BIN',
    kind: 'path',
    group: 'OpenClaw',
    defaultText: 'found on PATH',
    about: 'openclaw.mjs of the installation to run.',
  },
  {
    name: 'OPENCLAW_STATE_DIR',
    kind: 'path',
    group: 'OpenClaw',
    defaultText: 'openclaw under DATA_DIR',
    about: 'State of our own gateway.',
  },
  {
    name: 'WORKSPACE_ROOT',
    kind: 'path',
    group: 'OpenClaw',
    defaultText: 'workspaces under DATA_DIR',
    about: 'One folder per agent.',
  },

  {
    name: 'OPENCLAW_MODEL',
    kind: 'text',
    group: 'Model',
    about: 'Default model of the agents, as the provider names it.',
    example: 'openai/gpt-5.4',
  },
  {
    name: 'MODEL_BASE_URL',
    kind: 'url',
    group: 'Model',
    about: 'An OpenAI-compatible server: llama.cpp, vLLM, Ollama, a cloud provider.',
    example: 'http://127.0.0.1:8080/v1',
  },
  { name: 'MODEL_API_KEY', kind: 'secret', group: 'Model', about: 'Key for MODEL_BASE_URL.' },
  { name: 'OPENAI_API_KEY', kind: 'secret', group: 'Model', about: 'Uses OpenAI, unless MODEL_BASE_URL is set.' },
  {
    name: 'ANTHROPIC_API_KEY',
    kind: 'secret',
    group: 'Model',
    about: 'Uses Anthropic, unless MODEL_BASE_URL or OPENAI_API_KEY is set.',
  },
  {
    name: 'OPENAI_BASE_URL',
    kind: 'url',
    group: 'Model',
    about: 'Where OpenAI answers, with /v1; for a proxy. Only with OPENAI_API_KEY.',
    example: 'https://api.openai.com/v1',
  },
  {
    name: 'ANTHROPIC_BASE_URL',
    kind: 'url',
    group: 'Model',
    about: 'Where Anthropic answers, without /v1; for a proxy. Only with ANTHROPIC_API_KEY.',
    example: 'https://api.anthropic.com',
  },

  {
    name: 'RUNTIME_VERSION',
    kind: 'text',
    group: 'Deployment',
    defaultText: 'package.json',
    about: 'Version shown in health and to the backend.',
  },
  {
    name: 'OPENCLAW_VERSION',
    kind: 'text',
    group: 'Deployment',
    defaultText: 'what the gateway says',
    about: 'OpenClaw version shown in health and to the backend.',
  },
  { name: 'DROPLET_ID', kind: 'text', group: 'Deployment', about: 'Id of the machine, shown in health and to the backend.' },
  { name: 'DROPLET_IP', kind: 'text', group: 'Deployment', about: 'Address of the machine, shown in health and to the backend.' },
  {
    name: 'DROPLET_REGION',
    kind: 'text',
    group: 'Deployment',
    about: 'Region of the machine, shown in health and to the backend.',
  },
] as const satisfies readonly Variable[]

export type VariableName = (typeof VARIABLES)[number]['name']

/** Time a stop needs beyond the grace: aborting turns, stopping the gateway, saying goodbye. */
export const STOP_MARGIN_MS = 10_000
