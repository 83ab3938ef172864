/**
 * One pass of the very loops `start` runs: an active period that is drained as soon as nothing is left to do. It never says goodbye,
 * so a runtime of the same folder that starts later simply goes on.
 */
import { randomUUID } from 'node:crypto'
import type { Brain } from '../brain/brain.ts'
import type { Part, Period } from '../period.ts'
import { startPeriod } from '../period.ts'
import type { LoopDeps } from '../period.ts'
import { service } from '../service.ts'
import type { PassPart, PassReport } from './report.ts'

export interface PassDeps extends LoopDeps {
  readonly instanceId: string
  readonly shutdownGraceMs: number
}

/** How often it is asked whether anything is left. */
const LOOK_MS = 200
/** A supervised gateway may take this long to come up (its own start grace), and one sync pass on top. */
const PATIENCE_MS = 150_000

/** @returns `null` when another installation is active */
export async function runPass(parts: ReadonlySet<PassPart>, deps: PassDeps, signal: AbortSignal): Promise<PassReport | null> {
  const { brain, identity } = deps
  const hello = await brain.mutate(
    service.hello,
    {
      instanceId: deps.instanceId,
      boot: randomUUID(),
      versions: identity.versions(),
      infrastructure: identity.infrastructure,
      announcedIntervalMs: identity.intervalMs,
    },
    signal,
  )
  if (hello.role === 'standby') return null
  const period = startPeriod(hello, deps, new Set([...parts].filter((part): part is Part => part !== 'health')))
  const report: PassReport = { mode: 'done', why: '', failed: [] }
  const end = await Promise.race([untilDone(period, parts, deps, signal), period.over])
  if (end === 'superseded') report.failed.push('another runtime took over in the middle of the pass')
  if (end === 'impatient')
    report.failed.push(
      `after ${PATIENCE_MS / 1000} s there was still something to do: ${period.delivery.blocked() ?? period.sync.status().lastError ?? 'no answer'}`,
    )
  await period.drain(deps.shutdownGraceMs)
  describe(report, period, parts, deps)
  return report
}

async function untilDone(
  period: Period,
  parts: ReadonlySet<PassPart>,
  { brain, clock }: PassDeps,
  signal: AbortSignal,
): Promise<'done' | 'impatient'> {
  const impatientAt = clock.monotonic() + PATIENCE_MS
  while (!signal.aborted) {
    const holds = period.delivery.held().length
    if (holds === 0 && (await nothingLeft(period, parts, brain, signal))) return 'done'
    // A turn in flight has its own time limit.
    if (holds === 0 && clock.monotonic() > impatientAt) return 'impatient'
    await clock.sleep(LOOK_MS, signal).catch(() => undefined)
  }
  return 'done'
}

async function nothingLeft(period: Period, parts: ReadonlySet<PassPart>, brain: Brain, signal: AbortSignal): Promise<boolean> {
  if (!period.sync.hasSynced() || period.checkIn.lastAt() === null || period.heartbeats.status().waiting > 0) return false
  if (parts.has('heartbeats') && period.heartbeats.due().length > 0) {
    period.checkIn.within(0)
    return false
  }
  if (!parts.has('delivery')) return true
  const heads = await brain.query(service.ready, {}, signal)
  return !heads.some(({ dueAt }) => dueAt <= period.backendNow()) && period.delivery.held().length === 0
}

function describe(report: PassReport, period: Period, parts: ReadonlySet<PassPart>, { stats, conditions }: PassDeps): void {
  const { delivered, failed, released } = stats.snapshot()
  const sync = period.sync.status()
  if (parts.has('agents')) {
    report.agents = { counts: sync.totals ?? sync.counts, lastError: sync.lastError }
    if (sync.lastError !== null) report.failed.push(`agents: ${sync.lastError}`)
  }
  if (parts.has('delivery')) {
    report.delivery = { delivered, failed, released }
    if (failed > 0) report.failed.push(`delivery: ${failed} attempts failed`)
  }
  if (parts.has('heartbeats')) {
    const { begun, skipped } = period.heartbeats.status()
    report.heartbeats = { begun, skipped }
  }
  const reasons = conditions.reasons()
  if (parts.has('health')) report.health = { status: reasons.length > 0 ? 'degraded' : 'healthy', reasons }
}
