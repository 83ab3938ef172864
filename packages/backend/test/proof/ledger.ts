/**
 * What a history must have caused, written down by a model that knows none of the queue's code: who must hear of which message, how
 * many assignments and status changes there were, what each claim showed, and which replies may stand in a thread.
 */
export interface Expected {
  readonly agentId: string
  readonly taskId: string
  readonly messageId: string
  readonly why: 'mention' | 'thread_update'
  /** Number of the step that caused it. */
  readonly step: number
}

export interface Shown {
  readonly laneKey: string
  readonly messageIds: ReadonlySet<string>
  /** The message the claim is about, if it is about one. */
  readonly about: string | null
}

export const laneKey = (agentId: string, taskId: string | null): string => `${agentId}|${taskId ?? ''}`
export const claimKey = (id: string, fence: number): string => `${id}.${fence}`

export interface Ledger {
  readonly expected: Expected[]
  /** `<type>|<agent>|<task>` to how many items of that kind there must be. */
  readonly counts: Map<string, number>
  /** By `claimKey`. */
  readonly shown: Map<string, Shown>
  /** Text of a reply to whether a settle said that it was delivered. */
  readonly replies: Map<string, boolean>
  /** Agents that some version of a message has mentioned. */
  readonly told: Map<string, Set<string>>
  /** Messages of which some version was for @all. */
  readonly toldAll: Set<string>
  /** Newest step with a /stop, by task. */
  readonly stops: Map<string, number>
  readonly redriven: Set<string>
  /** By `claimKey`: claims whose task was stopped while they stood. None of them may be answered. */
  readonly stopped: Set<string>
}

export const newLedger = (): Ledger => ({
  expected: [],
  counts: new Map(),
  shown: new Map(),
  replies: new Map(),
  told: new Map(),
  toldAll: new Set(),
  stops: new Map(),
  redriven: new Set(),
  stopped: new Set(),
})

export function count(ledger: Ledger, type: string, agentId: string, taskId: string): void {
  const key = `${type}|${laneKey(agentId, taskId)}`
  ledger.counts.set(key, (ledger.counts.get(key) ?? 0) + 1)
}
