/**
 * `/metrics` for Prometheus: its own registry, nothing global, no timers. What happened is counted as it happens; what is so right now
 * is read from the health page when somebody asks. No label takes a value from outside: names of outcomes, states, conditions, and
 * error codes of the registry; anything else is `other`.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { ERRORS } from '@mission-control/shared/errors'
import type { HealthPage } from '@mission-control/shared/health'
import { GATEWAY_ERRORS } from '@mission-control/openclaw/errors'
import { CONDITION_NAMES } from './conditions.ts'
import type { ConditionName } from './conditions.ts'
import { readProcess } from './process-usage.ts'
import type { StatsEvents } from './stats.ts'

/** What is so at the moment of a scrape. */
export interface MetricsView {
  readonly page: HealthPage
  readonly ready: boolean
  /** Conditions that hold. */
  readonly conditions: readonly ConditionName[]
  /** Seconds since the oldest delivery in our hands was committed; 0 without one. */
  readonly oldestHeldAgeSeconds: number
}

export interface Metrics {
  readonly events: StatsEvents
  readonly contentType: string
  /** The whole page in Prometheus' text format. */
  render(view: MetricsView): Promise<string>
}

/** Milliseconds are what the product promises; a slow model takes minutes. */
const FROM_1_MS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]
const TURN = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900]
/** DELIVERY_POLICY gives up after five. */
const ATTEMPTS = [1, 2, 3, 4, 5]

const CODES: ReadonlySet<string> = new Set([...Object.keys(ERRORS), ...Object.keys(GATEWAY_ERRORS)])

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const name = (text: string) => `mission_control_${text}`
  const counter = <L extends string>(text: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: name(text), help, labelNames, registers })
  const gauge = <L extends string>(text: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: name(text), help, labelNames, registers })
  const histogram = (text: string, help: string, buckets: number[]) =>
    new Histogram({ name: name(text), help, buckets, registers })

  const commitToClaim = histogram(
    'notification_commit_to_claim_seconds',
    'From the commit of a notification to its first claim; the wait for its turn in the lane included.',
    FROM_1_MS,
  )
  const commitToAccept = histogram(
    'notification_commit_to_accept_seconds',
    'From the commit of a notification to the acceptance of its first turn by the gateway.',
    FROM_1_MS,
  )
  const claimCall = histogram('claim_duration_seconds', 'One claim call to the backend that was answered.', FROM_1_MS)
  const turn = histogram('turn_duration_seconds', 'From the acceptance of a turn by the gateway to its reply.', TURN)
  const attempts = histogram('delivery_attempts', 'Attempts used by deliveries that were settled or died here.', ATTEMPTS)
  const claims = counter('claims_total', 'Claim calls to the backend.', ['result'])
  const claimed = counter('claimed_items_total', 'Items claimed.')
  const deliveries = counter('deliveries_total', 'Attempts that ended, by outcome and error code.', ['outcome', 'reason'])
  const settles = counter('settle_results_total', 'State of an item after the backend took the result of an attempt.', ['state'])
  const dead = counter('dead_letters_total', 'Deliveries that died of an attempt of this runtime.')
  const checkIns = counter('check_ins_total', 'Check-ins with the backend.', ['result'])
  const polls = counter('fallback_polls_total', 'Times the ready query was polled because the subscription could not be trusted.')
  const heartbeats = counter('heartbeats_total', 'Due heartbeats by what they came to; idle: nothing to do, no turn.', [
    'outcome',
  ])
  const tokens = counter('turn_tokens_total', 'Tokens of the model, as the gateway reports them.', ['direction'])
  const cost = counter('turn_cost_usd_total', 'Cost of turns in US dollars, where the gateway knows a price.')

  const inFlight = gauge('deliveries_in_flight', 'Items in our hands.')
  const oldest = gauge(
    'oldest_undelivered_age_seconds',
    'Age of the oldest notification that is due and has no answer: in our hands since its commit, or ready and overdue as of the last check-in. The one to alert on.',
  )
  const push = gauge('push_connected', 'Whether the subscription socket is known to be up.')
  const gateway = gauge('gateway_up', 'Whether the gateway takes requests.')
  const ready = gauge('ready', 'Whether work is being taken (as /readyz).')
  const active = gauge('active', 'Whether this runtime is the active one of its account.')
  const degraded = gauge('degraded', 'Conditions that are wrong right now.', ['condition'])
  const checkInAge = gauge('last_check_in_age_seconds', 'Seconds since the last answered check-in; absent before the first.')
  const scheduled = gauge('heartbeats_scheduled', 'Agents with a heartbeat schedule.')
  const agents = gauge('agent_sync_agents', 'Agents in the last agent sync, by what it did with them.', ['result'])
  const syncedAt = gauge(
    'agent_sync_last_success_timestamp_seconds',
    'When the last complete agent sync ended; absent before it.',
  )
  const build = gauge('build_info', 'Constant 1; the versions are its labels.', ['version', 'openclaw', 'node'])

  const lag = gauge('event_loop_lag_seconds', 'How late the event loop ran a callback, measured at this scrape.')
  const busy = counter('event_loop_busy_seconds_total', 'Time the event loop was not idle; its rate is the utilisation.')
  const cpu = new Counter({ name: 'process_cpu_seconds_total', help: 'User and system CPU time.', registers })
  const started = new Gauge({ name: 'process_start_time_seconds', help: 'When the process started, Unix time.', registers })
  const resident = new Gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory.', registers })
  const heap = new Gauge({ name: 'nodejs_heap_used_bytes', help: 'Used heap of V8.', registers })

  // Series that exist from the start can be alerted on: a rate over one that appears with its first event misses that event.
  for (const result of ['answered', 'refused', 'failed']) {
    claims.inc({ result }, 0)
    checkIns.inc({ result }, 0)
  }
  for (const outcome of ['begun', 'idle', 'put_off', 'failed']) heartbeats.inc({ outcome }, 0)

  const events: StatsEvents = {
    claimCall(result, ms) {
      claims.inc({ result })
      if (result === 'answered') claimCall.observe(ms / 1000)
    },
    claimed(item) {
      claimed.inc()
      if (item.attempt === 1 && item.type !== 'heartbeat') commitToClaim.observe(item.committedAgoMs / 1000)
    },
    accepted(item, ms) {
      if (item.attempt === 1 && !item.reconcile && item.type !== 'heartbeat')
        commitToAccept.observe((item.committedAgoMs + ms) / 1000)
    },
    result(item, { verdict, state, report }) {
      const failure = verdict.kind === 'fail' || verdict.kind === 'release' ? verdict.code : null
      const reason = failure === null ? 'none' : CODES.has(failure) ? failure : 'other'
      deliveries.inc({ outcome: verdict.kind === 'settle' ? verdict.outcome : verdict.kind, reason })
      settles.inc({ state: state ?? 'untold' })
      if (state === 'delivered' || state === 'dead') attempts.observe(item.attempt)
      if (state === 'dead') dead.inc()
      const { acceptedAfterMs, repliedAfterMs, usage } = report
      if (acceptedAfterMs !== null && repliedAfterMs !== null) turn.observe((repliedAfterMs - acceptedAfterMs) / 1000)
      if (usage === null) return
      tokens.inc({ direction: 'input' }, usage.inputTokens)
      tokens.inc({ direction: 'output' }, usage.outputTokens)
      if (usage.costUsd !== null) cost.inc(usage.costUsd)
    },
    checkIn: (result) => checkIns.inc({ result }),
    checkedIn: () => undefined,
    fallbackPoll: () => polls.inc(),
    heartbeats: (outcome, count) => heartbeats.inc({ outcome }, count),
  }

  async function fill({ page, ready: isReady, conditions, oldestHeldAgeSeconds }: MetricsView): Promise<void> {
    inFlight.set(page.delivery.held)
    oldest.set(Math.max(oldestHeldAgeSeconds, page.delivery.oldestReadyAgeMs / 1000))
    push.set(Number(page.convex.connected))
    gateway.set(Number(page.gateway.running))
    ready.set(Number(isReady))
    active.set(Number(page.role === 'active'))
    for (const condition of CONDITION_NAMES) degraded.set({ condition }, Number(conditions.includes(condition)))
    setOrDrop(checkInAge, page.convex.lastCheckInAgeMs === null ? null : page.convex.lastCheckInAgeMs / 1000)
    scheduled.set(page.heartbeats.scheduled)
    const { counts, lastSyncAt } = page.agentSync
    for (const [result, count] of Object.entries(counts ?? {})) agents.set({ result }, count)
    setOrDrop(syncedAt, lastSyncAt === null ? null : Date.parse(lastSyncAt) / 1000)
    build.reset()
    build.set({ version: page.versions.runtime, openclaw: page.versions.openclaw ?? 'unknown', node: process.versions.node }, 1)
    const usage = await readProcess()
    lag.set(usage.lagSeconds)
    advance(busy, usage.busySeconds)
    advance(cpu, usage.cpuSeconds)
    started.set(usage.startedAtSeconds)
    resident.set(usage.residentBytes)
    heap.set(usage.heapUsedBytes)
  }

  return {
    events,
    contentType: registry.contentType,
    async render(view) {
      await fill(view)
      return registry.metrics()
    },
  }
}

/** A value that is not known is no sample, rather than a zero that looks like one. */
function setOrDrop(gauge: Gauge, value: number | null): void {
  if (value === null) gauge.remove()
  else gauge.set(value)
}

/** The system keeps the total; the counter follows it. */
function advance(counter: Counter, total: number): void {
  counter.reset()
  counter.inc(total)
}
