/**
 * One installation of the runtime: the real loops (apps/runtime/src/loops.ts and all below them) in a process that may be killed, paused
 * and started again, on a machine whose disk and clocks stay.
 */
import type { CallDeps, ToolAnswer, ToolCallRequest } from '@mission-control/runtime/agent-tools/call'
import { callTool } from '@mission-control/runtime/agent-tools/call'
import { createMcpSessions } from '@mission-control/runtime/agent-tools/sessions'
import { createTurnsInFlight } from '@mission-control/runtime/agent-tools/turns-in-flight'
import { observeBrain } from '@mission-control/runtime/brain/observed'
import { settlingTogether } from '@mission-control/runtime/brain/settling-together'
import { createTurns } from '@mission-control/runtime/gateway'
import type { GatewayLink } from '@mission-control/runtime/gateway'
import { createConditions } from '@mission-control/runtime/health/conditions'
import { createStats } from '@mission-control/runtime/health/stats'
import type { Log } from '@mission-control/runtime/log'
import type { Loops } from '@mission-control/runtime/loops'
import { createLoops } from '@mission-control/runtime/loops'
import { createRedactor } from '@mission-control/runtime/redact'
import { createGateway } from '@mission-control/openclaw/official-gateway'
import type { AgentDisk } from './agent-host.ts'
import { createSimulatedAgentHost, newAgentDisk } from './agent-host.ts'
import type { SimulatedBrain } from './brain.ts'
import { createSimulatedBrain } from './brain.ts'
import type { GatewayPart } from './gateway.ts'
import type { SimulatedClient } from './gateway-client.ts'
import { createSimulatedClient } from './gateway-client.ts'
import type { Part, PartClock } from './time.ts'
import { createPartClock } from './time.ts'
import type { World } from './world.ts'

export interface Process {
  readonly part: Part
  readonly clock: PartClock
  readonly brain: SimulatedBrain
  readonly client: SimulatedClient
  readonly loops: Loops
  tool(request: ToolCallRequest, hungUp: AbortSignal): Promise<ToolAnswer>
}

export interface Installation {
  readonly name: string
  readonly instanceId: string
  readonly disk: AgentDisk
  readonly gateway: GatewayPart
  process(): Process | null
  readonly start: () => void
  /** Like kill -9. */
  crash(): void
  /** Like SIGTERM: drains and says goodbye; `after` runs once the process is gone. */
  stop(after: () => void): void
  jumpClock(ms: number): void
}

const GRACE_MS = 30_000
const STOP_MS = 43_000
const GOODBYE_MS = 2_000
/** A service manager starts it again after this long. */
const RESTART_MS = 3_000

export function createInstallation(world: World, name: string, gateway: GatewayPart, gatewayIsOurs: boolean): Installation {
  const { time, trace } = world
  const random = world.random.fork(name)
  const instanceId = name
  const disk = newAgentDisk()
  const rate = 1 + (random.next() - 0.5) * 4e-4
  // A machine's wall clock may be minutes off.
  let wall = world.start + (random.next() - 0.5) * 600_000
  let boots = 0
  let process: Process | null = null

  function start(): void {
    if (process !== null) return
    boots += 1
    const part: Part = { name, paused: false, dead: false }
    const clock = createPartClock(time, part, { start: wall, rate })
    const log = logOf(world, part)
    const brain = createSimulatedBrain({ ...world, part, random, serve: (...call) => world.serve(part, ...call) })
    const client = createSimulatedClient({ ...world, part, clock, random, gateway })
    const turnsInFlight = createTurnsInFlight()
    const redactor = createRedactor()
    const conditions = createConditions(log, redactor)
    const link = linkOf(client, gatewayIsOurs)
    const observed = settlingTogether(observeBrain(brain, conditions, clock), clock)
    const tools: CallDeps = {
      ...{ brain: observed, clock, random, log, turns: turnsInFlight, sessions: createMcpSessions(random) },
      bootId: async (signal) => (await client.connected(signal)).bootId,
    }
    const loops = createLoops({
      ...{ brain: observed, turnsInFlight, clock, random, log, conditions, redactor },
      turns: createTurns({ gateway: createGateway(client), link, clock }),
      agentHost: createSimulatedAgentHost(client, disk, `http://${name}`),
      stats: createStats(clock),
      settings: { deliveryConcurrency: 3, deliveryIntervalMs: 5_000, agentSyncIntervalMs: 60_000, turnTimeoutMs: 600_000 },
      identity: {
        versions: () => ({ runtime: '0', openclaw: 'simulated' }),
        infrastructure: { dropletId: null, ip: null, region: null },
        intervalMs: 60_000,
      },
      instanceId,
      boot: `${name}-boot${boots}`,
      onRestart() {
        trace.note(name, 'was asked to restart')
        stop(() => startLater())
      },
      onFirstActive: () => gatewayIsOurs && world.startGatewaySoon(gateway),
    })
    process = { part, clock, brain, client, loops, tool: (request, hungUp) => callTool(tools, request, hungUp) }
    trace.note(name, `starts (boot ${boots})`)
    loops.run().catch((error: unknown) => world.violate('runtime gave up', String(error)))
  }

  function gone(): void {
    if (process === null) return
    time.kill(process.part)
    process = null
  }

  const startLater = () => void time.timer(world.outside, random.spread(RESTART_MS / 10, RESTART_MS), start)

  function stop(after: () => void): void {
    const current = process
    if (current === null) return
    const { loops, clock } = current
    trace.note(name, 'is told to stop')
    void (async () => {
      await loops.stop({ graceMs: GRACE_MS, signal: clock.timeout(STOP_MS) })
      if (gatewayIsOurs) gateway.crash()
      await loops.goOffline(clock.timeout(GOODBYE_MS))
      trace.note(name, 'has stopped')
      gone()
      after()
    })().catch((error: unknown) => world.violate('stop failed', String(error)))
  }

  return {
    ...{ name, instanceId, disk, gateway, start, stop },
    process: () => process,
    crash() {
      if (process === null) return
      trace.note(name, 'crashes')
      gone()
    },
    jumpClock(ms) {
      wall += ms
      process?.clock.jump(ms)
      trace.note(name, `wall clock jumps by ${Math.round(ms)} ms`)
    },
  }
}

function linkOf(client: SimulatedClient, isOurs: boolean): GatewayLink {
  const state = () => {
    const up = client.current !== null
    return { up, reason: up ? null : 'the gateway is not connected', version: client.current?.version ?? null }
  }
  return { isOurs, state, onChange: (listener) => client.onChange(() => listener(state())) }
}

/** Warnings and what ends a delivery are part of the trace. Nothing may be an error: an error says that something is lost or broken. */
function logOf({ trace, violate }: World, part: Part): Log {
  const say = (fields: object, message: string) => {
    const { error, delivery, ...rest } = fields as Record<string, unknown>
    const about = typeof delivery === 'string' ? `${trace.name('d', delivery)}: ` : ''
    const why = error === undefined ? '' : `: ${error instanceof Error ? error.message : JSON.stringify(error)}`
    const { outcome, state, code } = rest
    const how = [outcome, state, code].filter((one) => typeof one === 'string').join(' ')
    trace.note(part.name, `  log ${about}${message}${how === '' ? '' : ` (${how})`}${why}`)
  }
  return {
    debug: () => undefined,
    info: say,
    warn: say,
    error(fields, message) {
      say(fields, message)
      const { error } = fields as { error?: unknown }
      violate('runtime logs an error', `${message}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    },
  }
}
