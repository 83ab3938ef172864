/** One pass of the agent sync: roster -> plan -> files, configuration, removals -> report. Idempotent; one bad agent stops no other. */
import { LIMITS } from '@mission-control/shared/limits'
import type { AgentProfile, AgentReport, RosterEntry } from '@mission-control/shared/service-contract'
import { filesKey } from '../agent-texts/workspace.ts'
import type { Brain } from '../brain/brain.ts'
import { inParallel } from '../in-parallel.ts'
import { appliedAfter } from './applied.ts'
import type { AppliedAgent, SyncPlan } from './diff.ts'
import { planSync, waitingFor } from './diff.ts'
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
  /** Slugs left as they are until a turn has ended: to be removed, or to be changed in a way a running turn must not see. */
  readonly postponed: ReadonlySet<string>
  /** What stood in the way in workspaces and was not ours, by its new path. */
  readonly kept: readonly string[]
  /** The gateway could not be asked: its part is still to do. */
  readonly gatewayMissing: boolean
}

export interface SyncOptions {
  readonly brain: Brain
  readonly host: AgentHost
  /** Statuses the backend was told before; updated by this pass. */
  readonly reported: Map<string, string>
  /** Slugs whose turns the gateway has refused as those of deleted agents; a pass that has removed them there takes them out. */
  readonly takenForDeleted?: Set<string>
  readonly dryRun?: boolean
  /** Whether a turn of this agent may be running. */
  readonly isBusy?: (slug: string) => boolean
  /** Called as soon as the roster is known. */
  readonly onRoster?: (roster: readonly RosterEntry[]) => void
}

export async function syncAgents(
  { brain, host, reported, takenForDeleted = new Set(), dryRun = false, isBusy = () => false, onRoster }: SyncOptions,
  signal: AbortSignal,
): Promise<SyncResult> {
  const { version, agents: roster } = await readRoster(brain, signal)
  onRoster?.(roster)
  for (const slug of takenForDeleted) if (!roster.some((agent) => agent.slug === slug)) takenForDeleted.delete(slug)
  if (!dryRun) await host.keepTools(roster.map(({ id }) => id))
  const before = await host.readApplied()
  const hosted = await host.list(signal)
  const plan = planSync(roster, hosted, before, host, takenForDeleted)
  // A gateway that is killed after an agent was removed in mid-turn does not start again (seen on OpenClaw 2026.9.6). The turn is
  // being stopped already: the removal waits for it. A workspace is not moved away under a running turn either.
  // Nothing runs of an agent that the gateway takes for a deleted one: the turn that was told so waits for it to be made anew.
  const mustWait = (slug: string) => !takenForDeleted.has(slug) && isBusy(slug)
  const postponed = new Set([...plan.remove.filter(isBusy), ...waitingFor(plan, roster, mustWait)])
  const work: Work = {
    ...{ brain, host, postponed, applied: new Map(before.map((agent) => [agent.agentId, agent])) },
    ...{ errors: new Map(), removed: new Set(), put: new Set(), kept: [] },
  }
  const { errors, removed } = work
  if (!dryRun) {
    await remove(plan.replace, work, signal)
    for (const slug of removed) takenForDeleted.delete(slug)
    await moveFolders(plan, roster, work)
    await writeFiles(plan, work, signal)
    await putAgents(plan, work, signal)
    await remove(plan.remove, work, signal)
    const after = appliedAfter({ before, roster, hosted, ...work })
    if (JSON.stringify(after) !== JSON.stringify(before)) await host.writeApplied(after)
    await report(roster, { brain, reported, errors, postponed, hosted: hosted !== null }, signal)
  }
  const done = (slugs: readonly string[]) => slugs.filter((slug) => !errors.has(slug) && !postponed.has(slug)).length
  const counts: SyncCounts = {
    added: done(plan.added),
    updated: done(plan.updated),
    removed: dryRun ? plan.remove.length : plan.remove.filter((slug) => removed.has(slug)).length,
    unchanged: plan.unchanged,
    failed: errors.size,
  }
  const { kept } = work
  return { rosterVersion: version, roster, plan, counts, errors, postponed, kept, gatewayMissing: hosted === null }
}

/** What a pass has done so far. All sets are of slugs. */
interface Work {
  readonly brain: Brain
  readonly host: AgentHost
  readonly postponed: ReadonlySet<string>
  readonly applied: Map<string, AppliedAgent>
  readonly errors: Map<string, string>
  readonly removed: Set<string>
  readonly put: Set<string>
  readonly kept: string[]
}

/** What is neither postponed nor has failed already. */
const open = <T extends { readonly slug: string }>(agents: readonly T[], { errors, postponed }: Work): T[] =>
  agents.filter(({ slug }) => !errors.has(slug) && !postponed.has(slug))

async function remove(slugs: readonly string[], work: Work, signal: AbortSignal): Promise<void> {
  for (const slug of slugs.filter((one) => !work.postponed.has(one))) {
    if (await attempt(slug, work.errors, () => work.host.remove(slug, signal), signal)) work.removed.add(slug)
  }
}

async function moveFolders(plan: SyncPlan, roster: readonly RosterEntry[], work: Work): Promise<void> {
  const moves = plan.renamed.filter(({ to }) => !work.postponed.has(to))
  if (moves.length === 0) return
  const failed = await work.host.moveWorkspaces(moves)
  for (const { agentId, from, to } of moves) {
    const error = failed.get(agentId)
    if (error === undefined) {
      const known = work.applied.get(agentId)
      if (known) work.applied.set(agentId, { ...known, slug: to, filesKey: '' })
    } else {
      work.errors.set(to, sentence(error))
      // Whoever has that slug now must not find another agent's folder there.
      if (roster.some(({ slug }) => slug === from))
        work.errors.set(from, `the workspace of @${to} could not be moved away from here`)
    }
  }
}

/**
 * Some profiles at a time, so that a thousand of them are never in memory at once (each may have 150,000 characters), and many folders
 * at a time, because each of their files is flushed to the disk before it counts.
 */
async function writeFiles(plan: SyncPlan, work: Work, signal: AbortSignal): Promise<void> {
  await inParallel(chunks(open(plan.files, work), LIMITS.profilesPerCall), PROFILE_CALLS, async (some) => {
    const ids = some.map(({ id }) => id)
    const profiles = await readProfiles(work.brain, ids, signal)
    await inParallel(some, FOLDERS_PER_CALL, (agent) => writeFilesOf(agent, profiles.get(agent.id), work, signal))
  })
}

async function writeFilesOf(
  agent: RosterEntry,
  profile: AgentProfile | Error | undefined,
  { host, applied, errors, kept }: Work,
  signal: AbortSignal,
): Promise<void> {
  if (profile === undefined) return void errors.set(agent.slug, 'the backend has no profile of this agent')
  if (profile instanceof Error) return void errors.set(agent.slug, `its profile could not be read: ${sentence(profile)}`)
  const write = async () => kept.push(...(await host.writeWorkspace(agent, profile)))
  if (!(await attempt(agent.slug, errors, write, signal))) return
  // Should the profile have changed since the roster was read, its hash differs and the next pass writes again.
  const key = filesKey({ ...agent, profileHash: profile.profileHash })
  applied.set(agent.id, { entry: null, ...applied.get(agent.id), agentId: agent.id, slug: agent.slug, filesKey: key })
}

/** Many in one patch; when that is refused, by halves, so that a bad agent keeps out only itself and costs a few more patches. */
async function putAgents(plan: SyncPlan, work: Work, signal: AbortSignal): Promise<void> {
  const put = async (agents: readonly RosterEntry[]): Promise<void> => {
    if (agents.length === 0) return
    try {
      await work.host.put(agents, signal)
      for (const { slug } of agents) work.put.add(slug)
    } catch (error) {
      if (signal.aborted) throw error
      const [only] = agents
      if (agents.length === 1 && only) return void work.errors.set(only.slug, sentence(error))
      const half = Math.ceil(agents.length / 2)
      await put(agents.slice(0, half))
      await put(agents.slice(half))
    }
  }
  await put(open(plan.put, work))
}

interface ReportOptions {
  readonly brain: Brain
  readonly reported: Map<string, string>
  readonly errors: ReadonlyMap<string, string>
  readonly postponed: ReadonlySet<string>
  readonly hosted: boolean
}

async function report(
  roster: readonly RosterEntry[],
  { brain, reported, errors, postponed, hosted }: ReportOptions,
  signal: AbortSignal,
): Promise<void> {
  const reports = roster.flatMap(({ id, slug, paused }): AgentReport[] => {
    const reason = errors.get(slug) ?? null
    if (reason === null && (!hosted || paused || postponed.has(slug))) return []
    const report: AgentReport = { agentId: id, status: reason === null ? 'online' : 'error', reason }
    return reported.get(id) === JSON.stringify(report) ? [] : [report]
  })
  await reportAgents(brain, reports, signal)
  for (const entry of reports) reported.set(entry.agentId, JSON.stringify(entry))
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
