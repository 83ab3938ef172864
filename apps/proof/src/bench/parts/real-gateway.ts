/**
 * What we add to a turn of the real OpenClaw: turns a second through backend, runtime and gateway, and of the same gateway called directly,
 * with the same client, sessions, prompts and number of turns at a time. The runtime supervises the gateway, as in production; the model is
 * scripted and answers at once, so that no model hides what we cost. Both kinds take turns, and who begins changes, because a session that
 * grows makes each turn a little slower.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { ConvexHttpClient } from 'convex/browser'
import { api } from '@mission-control/backend/convex/_generated/api'
import { loadOfMachine } from '@mission-control/host/numbers'
import { freePort } from '@mission-control/host/ports'
import { untilAborted } from '@mission-control/host/until-aborted'
import { createClient } from '@mission-control/openclaw/client'
import { createGateway } from '@mission-control/openclaw/official-gateway'
import { readRecord } from '@mission-control/openclaw/supervisor/record'
import { gatewayPaths } from '@mission-control/openclaw/supervisor/supervisor'
import { startModelServer } from '@mission-control/openclaw/testing/model-server'
import { runTurn } from '@mission-control/openclaw/turn/run'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import { startBuilt } from '@mission-control/runtime/stack/scene'
import type { BenchContext } from '../context.ts'
import type { BenchReport } from '../report.ts'
import { createAccount } from '../stage/account.ts'
import { keysIn, messageOf } from '../stage/messages.ts'
import { openStage } from '../stage/stage.ts'
import { countAnswers } from './answers.ts'

const AT_ONCE = 3 // the runtime's default
const AGENTS = 3
const TASKS = 2 // so that a slot always finds a free lane
const ANSWER = 'done'
const START_MS = 300_000 // 10 to 40 s on a quiet machine
const TURN_TIMEOUT_MS = 300_000

interface Plan {
  readonly perRound: number
  readonly rounds: number
}
const FULL: Plan = { perRound: 24, rounds: 4 }
const QUICK: Plan = { perRound: 6, rounds: 1 }

/** A turn as the gateway got it from the runtime. */
interface Told {
  readonly sessionKey: string
  readonly message: string
}

/** The installed OpenClaw, or `null`: `OPENCLAW_BIN`, else the one in `.tools`. */
export function installedOpenClaw(): string | null {
  const root = path.resolve(import.meta.dirname, '../../../../..')
  const local = path.join(root, `.tools/openclaw-${OPENCLAW_VERSION}/node_modules/openclaw/openclaw.mjs`)
  return process.env['OPENCLAW_BIN'] ?? (existsSync(local) ? local : null)
}

export async function measureRealGateway(
  context: BenchContext,
  openclaw: string,
): Promise<NonNullable<BenchReport['realGateway']>> {
  const { clock, note, signal, functions, quick } = context
  const plan = quick ? QUICK : FULL
  /** Prompt of each message, by its key. */
  const prompts = new Map<string, string>()
  await using model = await startModelServer({
    respond({ prompt }) {
      const key = keysIn(prompt).at(-1)
      if (key !== undefined && !prompts.has(key)) prompts.set(key, prompt)
      return { kind: 'text', text: ANSWER }
    },
  })
  await using stage = await openStage({ functions, fill: (backend) => createAccount(backend, { agents: AGENTS, tasks: TASKS }) })
  const { backend, filled: account } = stage
  const { accountId, slugs, taskIds } = account
  const caller = { accountId, serviceToken: account.token }
  const env = await stage.runtimeEnv(account, {
    OPENCLAW_GATEWAY_URL: '',
    OPENCLAW_GATEWAY_TOKEN: '',
    OPENCLAW_GATEWAY_PORT: String(await freePort()),
    OPENCLAW_BIN: openclaw,
    MODEL_BASE_URL: model.baseUrl,
    OPENCLAW_MODEL: 'scripted',
    DELIVERY_CONCURRENCY: String(AT_ONCE),
  })
  const stateDir = path.join(env['DATA_DIR'] ?? '', 'openclaw')
  // Ends with its gateway: it is told to stop, and waited for.
  await using runtime = await startBuilt(context.runtime, { ...env, OPENCLAW_STATE_DIR: stateDir })
  const started = AbortSignal.any([signal, clock.timeout(START_MS)])
  await untilAborted(runtime.ready, started).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new Error(`The real OpenClaw was not ready within ${START_MS} ms: this machine is too busy to measure it.`, {
      cause: error,
    })
  })
  const record = await readRecord(gatewayPaths(stateDir).record)
  if (record === null) throw new Error('The runtime is ready and has no gateway.')
  await using client = createClient({ clock }, { url: `ws://127.0.0.1:${record.port}`, token: record.token })
  await client.connected(signal)
  const gateway = createGateway(client)
  const answered = countAnswers(runtime)
  const setPaused = (paused: boolean) =>
    backend.owner.mutation(api.accounts.setPaused, { accountId, paused }, { skipQueue: true })
  const lanes = taskIds.flatMap((taskId) => slugs.map((slug) => ({ slug, taskId })))
  /** Session of each lane. */
  const sessions: string[] = []
  let sent = 0
  let direct = 0

  /** A backlog over all lanes, worked off. @returns ms for all of it, and what the gateway was told */
  async function throughUs(count: number): Promise<{ ms: number; told: Told[] }> {
    await setPaused(true)
    const keys: string[] = []
    for (let n = 0; n < count; n += 1) {
      const { slug, taskId } = lanes[n % lanes.length] ?? unexpected('no lane')
      const key = `real-${(sent += 1)}`
      await backend.owner.mutation(api.messages.post, { accountId, taskId, content: messageOf(slug, key) }, { skipQueue: true })
      keys.push(key)
    }
    const done = answered.more(count)
    const from = clock.monotonic()
    await setPaused(false)
    const ids = await untilAborted(done, signal)
    const ms = clock.monotonic() - from
    if (sessions.length === 0) sessions.push(...(await sessionsOf(ids)))
    const told = keys.map((key, n) => ({
      sessionKey: sessions[n % lanes.length] ?? unexpected('no session'),
      message: prompts.get(key) ?? unexpected(`the model was not asked ${key}`),
    }))
    return { ms, told }
  }

  async function sessionsOf(ids: readonly string[]): Promise<string[]> {
    // Service functions refuse the owner.
    const service = new ConvexHttpClient(backend.url, { logger: false })
    const traces = await Promise.all(ids.map((id) => service.query(api.service.notifications.getForDelivery, { ...caller, id })))
    return lanes.map(
      ({ slug, taskId }) =>
        traces.find((trace) => trace.agent.slug === slug && trace.taskId === taskId)?.sessionKey ??
        unexpected('a lane had no turn'),
    )
  }

  /** The same turns, in the same order, as many at a time. @returns ms for all of them */
  async function directly(told: readonly Told[]): Promise<number> {
    let next = 0
    const from = clock.monotonic()
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let turn = told[next]; turn !== undefined; turn = told[next]) {
          next += 1
          direct += 1
          const { text } = await runTurn(
            { gateway, clock },
            { ...turn, turnKey: `direct.${direct}`, timeoutMs: TURN_TIMEOUT_MS, signal },
          )
          if (text !== ANSWER) throw new Error(`The gateway answered a direct turn with: ${text}`)
        }
      }),
    )
    return clock.monotonic() - from
  }

  // The first turn of a session takes seconds.
  let { told } = await throughUs(lanes.length)
  await directly(told)
  told = (await throughUs(plan.perRound)).told
  const spent = { ours: 0, direct: 0 }
  for (let round = 0; round < plan.rounds; round += 1) {
    const directFirst = round % 2 === 0
    if (directFirst) spent.direct += await directly(told)
    const ours = await throughUs(plan.perRound)
    spent.ours += ours.ms
    told = ours.told
    if (!directFirst) spent.direct += await directly(told)
    const turns = (round + 1) * plan.perRound
    note(
      `${turns} turns each, ${AT_ONCE} at once: ours ${((turns * 1_000) / spent.ours).toFixed(2)}, ` +
        `direct ${((turns * 1_000) / spent.direct).toFixed(2)} a second; ${answered.released()} given back on the way; ${loadOfMachine()}`,
    )
  }
  const turns = plan.rounds * plan.perRound
  return { turnsPerSecond: (turns * 1_000) / spent.ours, directTurnsPerSecond: (turns * 1_000) / spent.direct }
}

function unexpected(what: string): never {
  throw new Error(`The measurement is wrong: ${what}.`)
}
