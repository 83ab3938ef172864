/** Reads the roster page by page; profiles and reports in as many as one call may name. */
import { LIMITS } from '@mission-control/shared/limits'
import type { AgentProfile, AgentReport, RosterEntry, RosterPage } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
import type { BrainError } from '../brain/errors.ts'
import { toBrainError } from '../brain/errors.ts'
import { service } from '../service.ts'

export interface Roster {
  /** Of the first page: should it change while the others are read, the next look starts again. */
  readonly version: number
  readonly agents: readonly RosterEntry[]
}

export async function readRoster(brain: Brain, signal: AbortSignal): Promise<Roster> {
  const agents: RosterEntry[] = []
  let page: RosterPage = await brain.query(service.roster, { cursor: null, limit: LIMITS.pageSize }, signal)
  const version = page.rosterVersion
  agents.push(...page.agents)
  while (page.cursor !== null) {
    page = await brain.query(service.roster, { cursor: page.cursor, limit: LIMITS.pageSize }, signal)
    agents.push(...page.agents)
  }
  return { version, agents }
}

/**
 * The profiles of some agents, at most `LIMITS.profilesPerCall`. Where the backend refuses the call, they are asked for one by one, so
 * that one bad profile keeps no other away.
 * @returns per id the profile, or why there is none; an id that nothing is said of is gone
 */
export async function readProfiles(
  brain: Brain,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, AgentProfile | BrainError>> {
  const found = new Map<string, AgentProfile | BrainError>()
  const read = async (some: readonly string[]) => {
    for (const profile of await brain.query(service.profiles, { ids: [...some] }, signal)) found.set(profile.id, profile)
  }
  try {
    await read(ids)
  } catch (thrown) {
    if (signal.aborted || !isAboutTheCall(toBrainError(thrown))) throw thrown
    for (const id of ids) {
      await read([id]).catch((again: unknown) => {
        const error = toBrainError(again)
        if (signal.aborted || !isAboutTheCall(error)) throw again
        found.set(id, error)
      })
    }
  }
  return found
}

/** The backend was reached and did not like this very call; asked for something else it may answer. */
const isAboutTheCall = ({ kind, code }: BrainError): boolean =>
  kind === 'server' || (kind === 'refused' && code !== 'TOKEN_REFUSED')

export async function reportAgents(brain: Brain, reports: readonly AgentReport[], signal: AbortSignal): Promise<void> {
  for (const some of chunks(reports, LIMITS.dueAgents)) await brain.mutate(service.reportAgents, { agents: some }, signal)
}

export function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
