/** Reads the roster page by page; profiles and reports in as many as one call may name. */
import { LIMITS } from '@mission-control/shared/limits'
import type { AgentProfile, AgentReport, RosterEntry, RosterPage } from '@mission-control/shared/service-contract'
import type { Brain } from '../brain/brain.ts'
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

/** The profiles of some agents, at most `LIMITS.profilesPerCall`; those that are gone meanwhile are left out. */
export async function readProfiles(
  brain: Brain,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, AgentProfile>> {
  const profiles = await brain.query(service.profiles, { ids: [...ids] }, signal)
  return new Map(profiles.map((profile) => [profile.id, profile]))
}

export async function reportAgents(brain: Brain, reports: readonly AgentReport[], signal: AbortSignal): Promise<void> {
  for (const some of chunks(reports, LIMITS.dueAgents)) await brain.mutate(service.reportAgents, { agents: some }, signal)
}

export function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
