/** OpenClaw: installed, which version, gateway answers, agents on both sides, model provider answers. Starts and changes nothing. */
import type { Clock, Random } from '@mission-control/shared/clock'
import { INTERNAL_AGENT } from '@mission-control/openclaw/config/initial'
import { listAgents } from '@mission-control/openclaw/config/live'
import { GATEWAY_ERRORS, isGatewayError } from '@mission-control/openclaw/errors'
import type { Client } from '@mission-control/openclaw/client'
import { createExternalGateway } from '@mission-control/openclaw/supervisor/external'
import { locateOpenClaw } from '@mission-control/openclaw/supervisor/locate'
import { GATEWAY_PROTOCOL, OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import { readRoster } from '../agent-sync/roster.ts'
import type { Brain } from '../brain/brain.ts'
import type { Env, RuntimeConfig } from '../config/load.ts'
import { runningGateway } from '../running-gateway.ts'
import { checkPort } from './machine.ts'
import type { CheckResult } from './result.ts'
import { fail, pass, warn } from './result.ts'

const HANDSHAKE_MS = 10_000
const MODEL_MS = 5_000

export async function checkInstallation({ externalGateway, openclawBin }: RuntimeConfig, env: Env): Promise<CheckResult> {
  if (externalGateway !== null) return pass('openclaw', 'not needed here: OPENCLAW_GATEWAY_URL names a running gateway')
  try {
    const { entry, version } = await locateOpenClaw({
      ...(openclawBin === null ? {} : { OPENCLAW_BIN: openclawBin }),
      ...(env['PATH'] === undefined ? {} : { PATH: env['PATH'] }),
    })
    if (version === OPENCLAW_VERSION) return pass('openclaw', `${version} at ${entry}`)
    return warn(
      'openclaw',
      `version ${version ?? 'unknown'} at ${entry}; this release is tested with ${OPENCLAW_VERSION}`,
      `npm install -g openclaw@${OPENCLAW_VERSION}`,
    )
  } catch (error) {
    return fail(
      'openclaw',
      // What follows is the next step, which is said below.
      messageOf(error).split('. ', 1)[0] ?? '',
      `npm install -g openclaw@${OPENCLAW_VERSION}, or set OPENCLAW_BIN. Until then nothing is claimed.`,
      'configuration',
    )
  }
}

export interface GatewayCheckDeps {
  readonly clock: Clock
  readonly random: Random
  readonly brain: Brain | null
}

export async function checkGateway(config: RuntimeConfig, { clock, random, brain }: GatewayCheckDeps): Promise<CheckResult[]> {
  const found = config.externalGateway ?? (await runningGateway(config))
  if (found === null) return [await checkGatewayPort(config)]
  const host = createExternalGateway({ clock, random }, found)
  const signal = clock.timeout(HANDSHAKE_MS)
  try {
    const { version } = await host.start(signal)
    const handshake = pass('gateway', `${found.url} answers, version ${version}, protocol ${GATEWAY_PROTOCOL}`)
    return [handshake, ...(brain === null ? [] : [await checkAgents(host.client, brain, signal)])]
  } catch (error) {
    const auth = isGatewayError(error) && error.class === 'configuration'
    return [
      fail(
        'gateway',
        isGatewayError(error)
          ? `${found.url}: ${GATEWAY_ERRORS[error.code].meaning} (${messageOf(error)})`
          : `${found.url}: ${messageOf(error)}`,
        isGatewayError(error) ? error.whatToDo : 'See the log of the gateway.',
        auth ? 'configuration' : 'unreachable',
      ),
    ]
  } finally {
    await host.stop()
  }
}

/** Nobody has left a gateway: ours needs its port. */
async function checkGatewayPort({ gatewayPort: port }: RuntimeConfig): Promise<CheckResult> {
  const found = await checkPort({ name: 'gateway', port, host: '127.0.0.1', variable: 'OPENCLAW_GATEWAY_PORT', running: null })
  return found.status === 'pass' ? pass('gateway', `not running; start brings it up on port ${port}, which is free`) : found
}

async function checkAgents(client: Client, brain: Brain, signal: AbortSignal): Promise<CheckResult> {
  const [{ agents }, hosted] = await Promise.all([readRoster(brain, signal), listAgents(client, signal)])
  const there = new Set(hosted.map(({ slug }) => slug))
  const wanted = new Set(agents.map(({ slug }) => slug))
  const missing = [...wanted].filter((slug) => !there.has(slug))
  const extra = [...there].filter((slug) => !wanted.has(slug) && slug !== INTERNAL_AGENT)
  if (missing.length + extra.length === 0) return pass('agents', `${wanted.size} in the account and in the gateway`)
  const lists = [
    missing.length > 0 ? `not in the gateway: ${missing.join(', ')}` : '',
    extra.length > 0 ? `only in the gateway: ${extra.join(', ')}` : '',
  ]
  return warn(
    'agents',
    lists.filter(Boolean).join('; '),
    'A running runtime brings them together within a minute; mission-control-runtime sync-once --only agents does it now.',
  )
}

/** Asks for the list of models, which costs nothing. */
export async function checkModel({ model }: RuntimeConfig, clock: Clock): Promise<CheckResult> {
  const target = modelTarget(model)
  if (target === null)
    return warn(
      'model',
      'no model is configured: agents cannot answer',
      'Set MODEL_BASE_URL and OPENCLAW_MODEL, OPENAI_API_KEY or ANTHROPIC_API_KEY.',
    )
  try {
    const response = await fetch(target.url, { headers: target.headers, signal: clock.timeout(MODEL_MS) })
    if (response.status === 401 || response.status === 403)
      return fail('model', `${target.name} refuses the key (${response.status})`, `Correct ${target.variable}.`, 'configuration')
    if (!response.ok)
      return warn(
        'model',
        `${target.name} answers with status ${response.status} to a request for its models`,
        'See what the provider says about its state.',
      )
    return pass('model', `${target.name} answers`)
  } catch (error) {
    return fail(
      'model',
      `${target.name} does not answer: ${messageOf(error)}`,
      'Start the model server, or correct MODEL_BASE_URL.',
      'unreachable',
    )
  }
}

function modelTarget({
  baseUrl,
  apiKey,
  openaiApiKey,
  anthropicApiKey,
  openaiBaseUrl = 'https://api.openai.com/v1',
  anthropicBaseUrl = 'https://api.anthropic.com',
}: RuntimeConfig['model']) {
  if (baseUrl !== undefined) {
    const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
    return { name: baseUrl, url: `${baseUrl}/models`, headers, variable: 'MODEL_API_KEY' }
  }
  if (openaiApiKey !== undefined) {
    return {
      name: 'OpenAI',
      url: `${openaiBaseUrl}/models`,
      headers: { authorization: `Bearer ${openaiApiKey}` },
      variable: 'OPENAI_API_KEY',
    }
  }
  if (anthropicApiKey === undefined) return null
  const headers = { 'x-api-key': anthropicApiKey, 'anthropic-version': '2023-06-01' }
  return { name: 'Anthropic', url: `${anthropicBaseUrl}/v1/models`, headers, variable: 'ANTHROPIC_API_KEY' }
}

/** `fetch failed` says nothing; its cause names the refused port or the unknown host. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
