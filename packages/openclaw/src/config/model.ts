/**
 * Which model the agents use, as OpenClaw wants to hear it. One provider, one default model. A known provider (OpenAI,
 * Anthropic) is configured by key alone; anything else is an OpenAI-compatible server described in full.
 */
import { GatewayError } from '../errors.ts'

export interface ModelSettings {
  /** Model id as the provider calls it; `provider/model` is accepted for the two known providers. */
  readonly model?: string
  /** An OpenAI-compatible server, for example `http://127.0.0.1:8080/v1`. */
  readonly baseUrl?: string
  /** Key for `baseUrl`. Local servers often need none. */
  readonly apiKey?: string
  readonly openaiApiKey?: string
  /** In place of `https://api.openai.com/v1`, `/v1` included: a proxy or a regional endpoint that speaks OpenAI Responses. */
  readonly openaiBaseUrl?: string
  readonly anthropicApiKey?: string
  /** In place of `https://api.anthropic.com`: a proxy that speaks Anthropic Messages. */
  readonly anthropicBaseUrl?: string
}

export interface ModelChoice {
  readonly kind: 'compatible' | 'openai' | 'anthropic'
  readonly model: string
  readonly baseUrl: string
  readonly apiKey: string
}

/** Models used when only a key is given: current, capable of tools, moderately priced. */
const DEFAULT_MODEL = { openai: 'gpt-5.4', anthropic: 'claude-sonnet-4-6' } as const

const BASE_URL = { openai: 'https://api.openai.com/v1', anthropic: 'https://api.anthropic.com' } as const

/** Local servers that take no key still need a non-empty one in the request. */
const NO_KEY = 'none'

const KEY_VARIABLE = { openai: 'OPENAI_API_KEY', anthropic: 'ANTHROPIC_API_KEY' } as const

/**
 * Picks the provider: an explicit base URL first, then the provider named in `model`, then whichever key there is (OpenAI
 * before Anthropic). Null when nothing is configured. Throws GATEWAY_CONFIG_INVALID on a combination that cannot work.
 */
export function chooseModel(settings: ModelSettings): ModelChoice | null {
  const { baseUrl, model } = settings
  if (baseUrl !== undefined) {
    if (model === undefined)
      throw new GatewayError('GATEWAY_CONFIG_INVALID', 'a model base URL needs a model name (OPENCLAW_MODEL)')
    return { kind: 'compatible', baseUrl, model: model.replace(/^compatible\//, ''), apiKey: settings.apiKey ?? NO_KEY }
  }
  const keys = { openai: settings.openaiApiKey, anthropic: settings.anthropicApiKey }
  const named = /^(openai|anthropic)\/(.+)$/.exec(model ?? '')
  const kind =
    (named?.[1] as 'openai' | 'anthropic' | undefined) ?? (keys.openai ? 'openai' : keys.anthropic ? 'anthropic' : null)
  if (kind === null) {
    if (model === undefined) return null
    throw new GatewayError(
      'GATEWAY_CONFIG_INVALID',
      `model "${model}" has no provider: set MODEL_BASE_URL, OPENAI_API_KEY or ANTHROPIC_API_KEY`,
    )
  }
  const apiKey = keys[kind]
  if (!apiKey) throw new GatewayError('GATEWAY_CONFIG_INVALID', `model "${model ?? ''}" needs ${KEY_VARIABLE[kind]}`)
  const ownUrl = { openai: settings.openaiBaseUrl, anthropic: settings.anthropicBaseUrl }[kind]
  return { kind, model: named?.[2] ?? model ?? DEFAULT_MODEL[kind], baseUrl: ownUrl ?? BASE_URL[kind], apiKey }
}

/** `provider/model`, the way OpenClaw names a model. */
export function modelRef(choice: ModelChoice): string {
  return `${choice.kind}/${choice.model}`
}

/**
 * Environment the gateway needs for this choice. The key travels here; the configuration only names the variable, so that no
 * provider key stands in a file the gateway copies to backups.
 */
export function modelEnv(choice: ModelChoice | null): Record<string, string> {
  return choice === null ? {} : { [PROVIDERS[choice.kind].keyVariable]: choice.apiKey }
}

interface Provider {
  readonly api: string
  readonly keyVariable: string
  readonly contextWindow: number
  readonly maxTokens: number
}

/**
 * All three are described in full: with plugins off (they cost seconds at start, and memory) OpenClaw's own catalogue knows no
 * provider, not even these.
 */
const PROVIDERS: Readonly<Record<ModelChoice['kind'], Provider>> = {
  compatible: { api: 'openai-completions', keyVariable: 'MODEL_API_KEY', contextWindow: 128_000, maxTokens: 8192 },
  openai: {
    api: 'openai-responses',
    keyVariable: KEY_VARIABLE.openai,
    contextWindow: 272_000,
    maxTokens: 32_000,
  },
  anthropic: {
    api: 'anthropic-messages',
    keyVariable: KEY_VARIABLE.anthropic,
    contextWindow: 200_000,
    maxTokens: 32_000,
  },
}

/**
 * Request parameters of every agent. With plugins off nothing tells OpenClaw that OpenAI is reached by plain streaming, and it takes
 * a WebSocket at api.openai.com: that goes past a configured HTTPS proxy, and a call that breaks after it was sent is not retried.
 */
export function modelParams(choice: ModelChoice): Record<string, unknown> {
  return choice.kind === 'openai' ? { transport: 'sse' } : {}
}

/** The `models` section. */
export function modelsSection(choice: ModelChoice | null): Record<string, unknown> {
  if (choice === null) return { mode: 'replace', catalogRefresh: { enabled: false } }
  const { api, keyVariable, contextWindow, maxTokens } = PROVIDERS[choice.kind]
  // No prices: they change under us and a wrong figure is worse than none. The gateway then reports a cost of 0.
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }
  const model = {
    id: choice.model,
    name: choice.model,
    reasoning: false,
    input: ['text', 'image'],
    cost,
    contextWindow,
    maxTokens,
  }
  return {
    mode: 'replace',
    catalogRefresh: { enabled: false },
    providers: {
      [choice.kind]: {
        baseUrl: choice.baseUrl,
        apiKey: `\${${keyVariable}}`,
        api,
        models: [model],
      },
    },
  }
}
