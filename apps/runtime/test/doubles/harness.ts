/** The real loops over the doubles and a clock that stands still. */
import type { RosterEntry } from '@mission-control/shared/service-contract'
import { silentLog } from '../../src/log.ts'
import { createTurnsInFlight } from '../../src/agent-tools/turns-in-flight.ts'
import { observeBrain } from '../../src/brain/observed.ts'
import { createConditions } from '../../src/health/conditions.ts'
import { createStats } from '../../src/health/stats.ts'
import type { Loops } from '../../src/loops.ts'
import { createLoops } from '../../src/loops.ts'
import { createRedactor } from '../../src/redact.ts'
import type { LoopSettings } from '../../src/period.ts'
import type { ManualClock } from './manual-clock.ts'
import { createManualClock, createSeededRandom } from './manual-clock.ts'
import type { MemoryAgentHost } from './memory-agent-host.ts'
import { createMemoryAgentHost } from './memory-agent-host.ts'
import type { MemoryBrain } from './memory-brain.ts'
import { createMemoryBrain } from './memory-brain.ts'
import type { ScriptedTurns } from './scripted-turns.ts'
import { createScriptedTurns } from './scripted-turns.ts'

export const rosterEntry = (slug: string, patch: Partial<RosterEntry> = {}): RosterEntry => ({
  id: slug,
  slug,
  name: slug,
  role: 'helper',
  sessionKey: `agent:${slug}:acct1`,
  heartbeatMinutes: 15,
  paused: false,
  permissions: {
    ...{ canCreateTasks: false, canModifyTaskStatus: true, canCreateDocuments: true },
    ...{ canRequestResponses: true, canReview: false, canMarkDone: false },
  },
  model: null,
  lead: false,
  profileHash: 'h1',
  lastHeartbeatSlot: null,
  ...patch,
})

export interface Harness {
  readonly clock: ManualClock
  readonly brain: MemoryBrain
  readonly turns: ScriptedTurns
  readonly host: MemoryAgentHost
  readonly loops: Loops
  readonly reasons: () => string[]
  /** Calls since the last time this was asked, by name. */
  newCalls(): string[]
  start(): Promise<void>
  stop(graceMs?: number): Promise<void>
  restarts: number
}

export function createHarness(
  options: Partial<LoopSettings> & { instanceId?: string; brain?: MemoryBrain; clock?: ManualClock; host?: MemoryAgentHost } = {},
): Harness {
  const clock = options.clock ?? createManualClock()
  const random = createSeededRandom()
  const brain = options.brain ?? createMemoryBrain({ clock, random })
  // Paused, so that they are in the gateway and never due for a heartbeat.
  const names = ['ada', 'bob', 'eve', 'agent0', 'agent1', 'agent2', 'agent3']
  if (brain.roster.length === 0) brain.roster = names.map((slug) => rosterEntry(slug, { paused: true }))
  const turns = createScriptedTurns()
  const host = options.host ?? createMemoryAgentHost()
  const conditions = createConditions(silentLog)
  let seen = 0
  let running: Promise<void> | null = null
  const harness: Harness = {
    clock,
    brain,
    turns,
    host,
    reasons: () => conditions.reasons(),
    restarts: 0,
    loops: createLoops({
      brain: observeBrain(brain, conditions, clock),
      turns,
      agentHost: host,
      turnsInFlight: createTurnsInFlight(),
      clock,
      random,
      log: silentLog,
      conditions,
      redactor: createRedactor(),
      stats: createStats(clock),
      settings: {
        deliveryConcurrency: 3,
        deliveryIntervalMs: 5_000,
        agentSyncIntervalMs: 60_000,
        turnTimeoutMs: 600_000,
        ...options,
      },
      identity: {
        versions: () => ({ runtime: '0', openclaw: null }),
        infrastructure: { dropletId: null, ip: null, region: null },
        intervalMs: 60_000,
      },
      instanceId: options.instanceId ?? 'here',
      boot: `${options.instanceId ?? 'here'}-1`,
      onRestart: () => (harness.restarts += 1),
    }),
    newCalls() {
      const names = brain.calls.slice(seen).map(({ name }) => name)
      seen = brain.calls.length
      return names
    },
    async start() {
      running = harness.loops.run()
      running.catch(() => undefined)
      await clock.settle()
    },
    async stop(graceMs = 0) {
      const stopped = harness.loops.stop({ graceMs, signal: new AbortController().signal })
      await clock.advance(graceMs)
      await stopped
      await running
    },
  }
  return harness
}
