/** One pass of the agent sync: roster -> plan -> files, configuration, removals -> report. Idempotent; one bad agent stops no other. */
import { LIMITS } from '@mission-control/shared/limits'
import type { AgentProfile, AgentReport, RosterEntry } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
import { inParallel } from '../in-parallel.ts'
import type { AppliedAgent, HostedAgent, SyncPlan } from './diff.ts'
import { filesKey, planSync } from './diff.ts'
import type { AgentHost } from './host.ts'
import { chunks, readProfiles, readRoster, reportAgents } from './roster.ts'

/** While the folders of one are written, the next is on its way. */
const PROFILE_CALLS = 2
/** Of six files each: enough to keep Node's file threads busy, few enough for a limit on open files. */
const FOLDERS_PER_CALL = 4

export interface SyncCounts {
  readonly added: number
  readonly updated: number
  readonly removed: number
  readonly unchanged: number
  readonly failed: number
}

export interface SyncResult {
  readonly rosterVersion: number
  readonly roster: readonly RosterEntry[]
  readonly plan: SyncPlan
  readonly counts: SyncCounts
  /** Per slug, one sentence. */
  readonly errors: ReadonlyMap<string, string>
  /** To be removed as soon as their turns have ended. */
  readonly postponed: readonly string[]
  /** The gateway could not be asked: its part is still to do. */
  readonly gatewayMissing: boolean
}

export interface SyncOptions {
  readonly brain: Brain
  readonly host: AgentHost
  /** Statuses the backend was told before; updated by this pass. */
  readonly reported: Map<string, string>
  readonly dryRun?: boolean
  /** Whether a turn of this agent may be running. */
  readonly isBusy?: (slug: string) => boolean
  /** Called as soon as the roster is known. */
  readonly onRoster?: (roster: readonly RosterEntry[]) => void
}

export async function syncAgents(
  { brain, host, reported, dryRun = false, isBusy = () => false, onRoster }: SyncOptions,
  signal: AbortSignal,
): Promise<SyncResult> {
  const { version, agents: roster } = await readRoster(brain, signal)
  onRoster?.(roster)
  const before = await host.readApplied()
  const applied = new Map(before.map((agent) => [agent.agentId, agent]))
  const hosted = await host.list(signal)
  const plan = planSync(roster, hosted, [...applied.values()], host)
  const errors = new Map<string, string>()
  // A gateway that is killed after an agent was removed in mid-turn does not start again (seen on OpenClaw 2026.9.6). The turn is
  // being stopped already: the removal waits for it.
  const postponed = plan.remove.filter(isBusy)
  if (!dryRun) {
    await writeFiles(plan, { brain, host, applied, errors }, signal)
    await putAgents(plan, host, errors, signal)
    for (const slug of plan.remove.filter((one) => !postponed.includes(one))) {
      await attempt(slug, errors, () => host.remove(slug, signal), signal)
    }
    const after = stillApplied(roster, applied, plan, hosted, errors)
    if (JSON.stringify(after) !== JSON.stringify(before)) await host.writeApplied(after)
    await report(roster, { brain, reported, errors, hosted: hosted !== null }, signal)
  }
  const failedOf = (slugs: readonly string[]) => slugs.filter((slug) => errors.has(slug)).length
  const counts: SyncCounts = {
    added: plan.added.length - failedOf(plan.added),
    updated: plan.updated.length - failedOf(plan.updated),
    removed: plan.remove.length - postponed.length - failedOf(plan.remove),
    unchanged: plan.unchanged,
    failed: errors.size,
  }
  return { rosterVersion: version, roster, plan, counts, errors, postponed, gatewayMissing: hosted === null }
}

interface Work {
  readonly brain: Brain
  readonly host: AgentHost
  readonly applied: Map<string, AppliedAgent>
  readonly errors: Map<string, string>
}

/**
 * Some profiles at a time, so that a thousand of them are never in memory at once (each may have 150,000 characters), and many folders
 * at a time, because each of their files is flushed to the disk before it counts.
 */
async function writeFiles(plan: SyncPlan, work: Work, signal: AbortSignal): Promise<void> {
  const { brain, host, errors } = work
  for (const { from, to } of plan.renamed) await attempt(to, errors, () => host.renameWorkspace(from, to), signal)
  await inParallel(chunks(plan.files, LIMITS.profilesPerCall), PROFILE_CALLS, async (some) => {
    const ids = some.map(({ id }) => id)
    const profiles = await readProfiles(brain, ids, signal)
    await inParallel(some, FOLDERS_PER_CALL, (agent) => writeFilesOf(agent, profiles.get(agent.id), work, signal))
  })
}

async function writeFilesOf(
  agent: RosterEntry,
  profile: AgentProfile | undefined,
  { host, applied, errors }: Work,
  signal: AbortSignal,
): Promise<void> {
  if (profile === undefined) return void errors.set(agent.slug, 'the backend has no profile of this agent')
  const written = await attempt(agent.slug, errors, () => host.writeWorkspace(agent, profile), signal)
  if (!written) return
  // Should the profile have changed since the roster was read, its hash differs and the next pass writes again.
  const key = filesKey({ ...agent, profileHash: profile.profileHash })
  applied.set(agent.id, { agentId: agent.id, slug: agent.slug, filesKey: key })
}

/** Many in one patch; when that is refused, one by one, so that a bad agent keeps out only itself. */
async function putAgents(plan: SyncPlan, host: AgentHost, errors: Map<string, string>, signal: AbortSignal): Promise<void> {
  const put = plan.put.filter(({ slug }) => !errors.has(slug))
  if (put.length === 0) return
  try {
    await host.put(put, signal)
  } catch (error) {
    if (signal.aborted) throw error
    if (put.length === 1) return void errors.set(put[0]?.slug ?? '', sentence(error))
    for (const agent of put) await attempt(agent.slug, errors, () => host.put([agent], signal), signal)
  }
}

async function report(
  roster: readonly RosterEntry[],
  {
    brain,
    reported,
    errors,
    hosted,
  }: { brain: Brain; reported: Map<string, string>; errors: Map<string, string>; hosted: boolean },
  signal: AbortSignal,
): Promise<void> {
  const reports = roster.flatMap(({ id, slug, paused }): AgentReport[] => {
    const reason = errors.get(slug) ?? null
    if (reason === null && (!hosted || paused)) return []
    const report: AgentReport = { agentId: id, status: reason === null ? 'online' : 'error', reason }
    return reported.get(id) === JSON.stringify(report) ? [] : [report]
  })
  await reportAgents(brain, reports, signal)
  for (const entry of reports) reported.set(entry.agentId, JSON.stringify(entry))
}

/** The roster's agents, and those that are gone from it but not yet from the gateway: they are still ours to remove. */
function stillApplied(
  roster: readonly RosterEntry[],
  applied: ReadonlyMap<string, AppliedAgent>,
  plan: SyncPlan,
  hosted: readonly HostedAgent[] | null,
  errors: ReadonlyMap<string, string>,
): AppliedAgent[] {
  const present = new Set(roster.map(({ id }) => id))
  const removed = new Set(plan.remove.filter((slug) => !errors.has(slug)))
  const isHosted = (slug: string) => hosted === null || hosted.some((agent) => agent.slug === slug)
  return [...applied.values()].filter(({ agentId, slug }) => present.has(agentId) || (!removed.has(slug) && isHosted(slug)))
}

async function attempt(
  slug: string,
  errors: Map<string, string>,
  work: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (signal.aborted) throw error
    errors.set(slug, sentence(error))
    return false
  }
}

const sentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 500)
