/** Where agents live: the gateway's configuration and their workspace folders. packages/openclaw stands behind it. */
import type { AgentProfile, RosterEntry } from '@mission-control/shared/service-contract'
import type { AppliedAgent, HostedAgent, Place, Renamed } from './diff.ts'

export interface AgentHost extends Place {
  /** These agents and no others may use tools from now on. */
  keepTools(agentIds: readonly string[]): Promise<void>
  /** The agents of the gateway's configuration; `null` when there is no gateway to ask. */
  list(signal: AbortSignal): Promise<HostedAgent[] | null>
  /** Adds or changes these agents in one patch of the configuration; they can be used when it resolves. */
  put(agents: readonly RosterEntry[], signal: AbortSignal): Promise<void>
  remove(slug: string, signal: AbortSignal): Promise<void>
  /** Writes our files of one workspace atomically. @returns paths of what was in the way and not ours, and was put aside */
  writeWorkspace(agent: RosterEntry, profile: AgentProfile): Promise<readonly string[]>
  /** Moves workspaces to other slugs, all at once: two agents may change places. @returns what went wrong, by agent id */
  moveWorkspaces(renamed: readonly Renamed[]): Promise<ReadonlyMap<string, Error>>
  readApplied(): Promise<AppliedAgent[]>
  writeApplied(applied: readonly AppliedAgent[]): Promise<void>
}
