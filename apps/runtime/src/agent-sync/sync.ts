/** One pass of the agent sync: roster -> plan -> files, configuration, removals -> report. Idempotent; one bad agent stops no other. */
import type { AgentReport, RosterEntry } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
import type { AppliedAgent, HostedAgent, SyncPlan } from './diff.ts'
import { filesKey, planSync } from './diff.ts'
import type { AgentHost } from './host.ts'
import { readProfiles, readRoster, reportAgents } from './roster.ts'

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
  /** The gateway could not be asked: its part is still to do. */
  /** To be removed as soon as their turns have ended. */
  readonly postponed: readonly string[]
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
  if (!dryRun) await host.keepTools(roster.map(({ id }) => id))
  const applied = new Map((await host.readApplied()).map((agent) => [agent.agentId, agent]))
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
    await host.writeApplied(stillApplied(roster, applied, plan, hosted, errors))
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

async function writeFiles(plan: SyncPlan, { brain, host, applied, errors }: Work, signal: AbortSignal): Promise<void> {
  for (const { from, to } of plan.renamed) await attempt(to, errors, () => host.renameWorkspace(from, to), signal)
  const profiles = await readProfiles(
    brain,
    plan.files.map(({ id }) => id),
    signal,
  )
  for (const agent of plan.files) {
    const profile = profiles.get(agent.id)
    if (profile === undefined) {
      errors.set(agent.slug, 'the backend has no profile of this agent')
      continue
    }
    const written = await attempt(agent.slug, errors, () => host.writeWorkspace(agent, profile), signal)
    // Should the profile have changed since the roster was read, its hash differs and the next pass writes again.
    if (written)
      applied.set(agent.id, {
        agentId: agent.id,
        slug: agent.slug,
        filesKey: filesKey({ ...agent, profileHash: profile.profileHash }),
      })
  }
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
