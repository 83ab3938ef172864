/** The environment -> RuntimeConfig, or one sentence per problem. Reads no file but the ones it is told to. */
import { homedir } from 'node:os'
import path from 'node:path'
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { parseServiceToken } from '@mission-control/shared/service-token'
import type { Environment } from './schema.ts'
import { environmentSchema } from './schema.ts'
import { STOP_MARGIN_MS } from './variables.ts'

export type Env = Readonly<Record<string, string | undefined>>

export interface RuntimeConfig {
  readonly accountId: string
  readonly convexUrl: string
  readonly serviceToken: string
  readonly health: { readonly port: number; readonly host: string }
  /** `url`: where gateways reach the tools; `null`: where they listen. */
  readonly tools: { readonly port: number; readonly host: string; readonly url: string | null }
  readonly deliveryIntervalMs: number
  readonly checkInIntervalMs: number
  readonly agentSyncIntervalMs: number
  readonly deliveryConcurrency: number
  readonly turnTimeoutMs: number
  readonly shutdownGraceMs: number
  readonly stopTimeoutMs: number
  readonly logLevel: string
  readonly dataDir: string
  /** Connect to this one; `null`: supervise our own. */
  readonly externalGateway: { readonly url: string; readonly token: string } | null
  readonly gatewayPort: number
  readonly openclawBin: string | null
  readonly openclawStateDir: string
  readonly workspaceRoot: string
  readonly model: {
    readonly [
      K in 'model' | 'baseUrl' | 'apiKey' | 'openaiApiKey' | 'anthropicApiKey' | 'openaiBaseUrl' | 'anthropicBaseUrl'
    ]?: string
  }
  readonly versions: { readonly runtime: string; readonly openclaw: string | null }
  readonly infrastructure: { readonly dropletId: string | null; readonly ip: string | null; readonly region: string | null }
}

export interface LoadedConfig {
  readonly config: RuntimeConfig
  /** Values that were used differently from how they were given. */
  readonly warnings: readonly string[]
}

/** What is wrong with the environment; the process ends with exit code 3. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'CONFIG'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/**
 * @param env the environment; see `withEnvFile` for files
 * @param packageVersion version of this package
 * @throws ConfigError
 */
export function loadConfig(env: Env, packageVersion: string): LoadedConfig {
  const warnings: string[] = []
  const parsed = environmentSchema((warning) => warnings.push(warning)).safeParse(env)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(({ message }) => message))
  const e = parsed.data
  const problems = contradictions(e)
  if (problems.length > 0) throw new ConfigError(problems)
  return { config: toConfig(e, env, packageVersion, warnings), warnings }
}

function contradictions(e: Environment): string[] {
  const token = parseServiceToken(e.SERVICE_TOKEN)
  return [
    ...(token !== null && token.accountId !== e.ACCOUNT_ID
      ? [`SERVICE_TOKEN belongs to account ${token.accountId}, not to ACCOUNT_ID ${e.ACCOUNT_ID}: set the pair of one account.`]
      : []),
    ...(e.OPENCLAW_GATEWAY_URL !== null && e.OPENCLAW_GATEWAY_TOKEN === null
      ? ['OPENCLAW_GATEWAY_TOKEN is not set: a running gateway (OPENCLAW_GATEWAY_URL) asks for its token; set it.']
      : []),
    ...(e.MODEL_BASE_URL !== null && e.OPENCLAW_MODEL === null
      ? ['OPENCLAW_MODEL is not set: MODEL_BASE_URL needs the name of a model it serves; set it.']
      : []),
  ]
}

function toConfig(e: Environment, env: Env, packageVersion: string, warnings: string[]): RuntimeConfig {
  const dataDir = path.resolve(e.DATA_DIR ?? defaultDataDir(env, e.ACCOUNT_ID))
  const stopTimeoutMs = Math.max(e.STOP_TIMEOUT, e.SHUTDOWN_GRACE + STOP_MARGIN_MS)
  if (stopTimeoutMs !== e.STOP_TIMEOUT) {
    warnings.push(
      `STOP_TIMEOUT=${e.STOP_TIMEOUT} leaves less than ${STOP_MARGIN_MS} ms after SHUTDOWN_GRACE=${e.SHUTDOWN_GRACE}; ${stopTimeoutMs} is used.`,
    )
  }
  if (e.OPENCLAW_GATEWAY_URL !== null && e.TOOLS_URL === null && !isLoopback(e.OPENCLAW_GATEWAY_URL)) {
    warnings.push(
      'OPENCLAW_GATEWAY_URL is on another machine and TOOLS_URL is not set: its agents have no tools that they could reach. Set TOOLS_HOST to an address it reaches, and TOOLS_URL to the URL there.',
    )
  }
  const model = {
    model: e.OPENCLAW_MODEL,
    baseUrl: e.MODEL_BASE_URL,
    apiKey: e.MODEL_API_KEY,
    openaiApiKey: e.OPENAI_API_KEY,
    anthropicApiKey: e.ANTHROPIC_API_KEY,
    openaiBaseUrl: e.OPENAI_BASE_URL,
    anthropicBaseUrl: e.ANTHROPIC_BASE_URL,
  }
  return {
    accountId: e.ACCOUNT_ID,
    convexUrl: e.CONVEX_URL,
    serviceToken: e.SERVICE_TOKEN,
    health: { port: e.HEALTH_PORT, host: e.HEALTH_HOST },
    tools: { port: e.TOOLS_PORT, host: e.TOOLS_HOST, url: e.TOOLS_URL },
    deliveryIntervalMs: e.DELIVERY_INTERVAL,
    // The check-in carries the roster version, so it is what keeps the roster young enough.
    checkInIntervalMs: Math.min(e.HEALTH_CHECK_INTERVAL, e.AGENT_SYNC_INTERVAL),
    agentSyncIntervalMs: e.AGENT_SYNC_INTERVAL,
    deliveryConcurrency: e.DELIVERY_CONCURRENCY,
    turnTimeoutMs: e.TURN_TIMEOUT,
    shutdownGraceMs: e.SHUTDOWN_GRACE,
    stopTimeoutMs,
    logLevel: e.LOG_LEVEL,
    dataDir,
    externalGateway:
      e.OPENCLAW_GATEWAY_URL === null ? null : { url: e.OPENCLAW_GATEWAY_URL, token: e.OPENCLAW_GATEWAY_TOKEN ?? '' },
    gatewayPort: e.OPENCLAW_GATEWAY_PORT,
    openclawBin: e.OPENCLAW_BIN,
    openclawStateDir: path.resolve(e.OPENCLAW_STATE_DIR ?? path.join(dataDir, 'openclaw')),
    workspaceRoot: path.resolve(e.WORKSPACE_ROOT ?? path.join(dataDir, 'workspaces')),
    model: Object.fromEntries(Object.entries(model).flatMap(([key, value]) => (value === null ? [] : [[key, value]]))),
    versions: { runtime: e.RUNTIME_VERSION ?? packageVersion, openclaw: e.OPENCLAW_VERSION },
    infrastructure: { dropletId: e.DROPLET_ID, ip: e.DROPLET_IP, region: e.DROPLET_REGION },
  }
}

const isLoopback = (url: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)

/** XDG on Linux, the usual places elsewhere; one folder per account, so that two accounts on one machine do not meet. */
function defaultDataDir(env: Env, accountId: string): string {
  const base =
    env['XDG_DATA_HOME'] ??
    (process.platform === 'darwin'
      ? path.join(homedir(), 'Library', 'Application Support')
      : (env['LOCALAPPDATA'] ?? path.join(homedir(), '.local', 'share')))
  return path.join(base, 'mission-control', accountId)
}

/**
 * Adds what an env file says to the environment, which wins.
 * @param file `null`: none
 * @param optional a missing file is fine (the development default); otherwise it is a ConfigError
 */
export function withEnvFile(env: Env, file: string | null, optional: boolean): Env {
  if (file === null) return env
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (optional && (error as NodeJS.ErrnoException).code === 'ENOENT') return env
    throw new ConfigError([
      `The env file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}): correct --env-file.`,
    ])
  }
  return { ...parseEnv(text), ...env }
}
