/**
 * What the runtime and the backend say to each other: the arguments and results of the `service/*` functions.
 *
 * Every call carries `accountId` and `serviceToken`; a token of another account, a revoked, expired or malformed one is refused with
 * `TOKEN_REFUSED`. All ids are strings. Times named `...At` are the backend's clock in ms since the epoch and are only ever shown or
 * sent back, never compared with the runtime's clock; times named `...Ms` are durations.
 */
import type {
  AgentStatus,
  DeliveryState,
  DeliveryType,
  PartyType,
  Permission,
  RuntimeCommand,
  RuntimeStatus,
  TaskStatus,
} from './enums.ts'
import type { FailureClass } from './lanes/events.ts'

export interface ServiceCaller {
  accountId: string
  serviceToken: string
}

export interface RuntimeVersions {
  runtime: string
  /** `null` while OpenClaw has not been found. */
  openclaw: string | null
}

export interface RuntimeInfrastructure {
  dropletId: string | null
  ip: string | null
  region: string | null
}

/** `service/runtime:hello` */
export interface HelloArgs extends ServiceCaller {
  /** Stands for the data folder; the same over restarts. */
  instanceId: string
  /** Stands for this process; new at each start. */
  boot: string
  versions: RuntimeVersions
  infrastructure: RuntimeInfrastructure
  announcedIntervalMs: number
}
export type HelloResult =
  | { role: 'active'; epoch: number; now: number; rosterVersion: number; controlSeq: number }
  /** Another installation is active; its lease runs out in this many milliseconds unless it renews. */
  | { role: 'standby'; activeLeaseMs: number }

/** `service/runtime:checkIn` */
export interface CheckInArgs extends ServiceCaller {
  epoch: number
  held: { id: string; fence: number }[]
  /** Agents whose heartbeat slot has come, at most 100 a call. */
  dueAgents: { agentId: string; slot: number }[]
  status: Extract<RuntimeStatus, 'online' | 'degraded'>
  /** Why the status is `degraded`; empty otherwise. */
  reasons: string[]
  versions: RuntimeVersions
  infrastructure: RuntimeInfrastructure
  announcedIntervalMs: number
}
export type CheckInResult =
  /** Another runtime may be active: let go of everything, say hello, and end turns only if somebody else is (decision 5). */
  | { superseded: true }
  | {
      superseded: false
      now: number
      rosterVersion: number
      controlSeq: number
      /** Earliest `dueAt` of the ready heads, or `null`: the unconditional safety poll. In ms from now, negative when overdue. */
      oldestDueInMs: number | null
      /**
       * Held items whose turn must be aborted now: stopped, or no longer this runtime's. Each is about the fence that this very
       * check-in listed: a runtime that holds the item under another fence when the answer comes must leave that turn alone. An item
       * that this runtime has claimed again under a newer fence is not named: it knows of that claim, and the listing was outdated.
       */
      stop: string[]
      /** The due agents that have work; the others have their receipt. */
      work: string[]
    }

/** `service/runtime:goOffline` returns `null`. */
export interface EpochArgs extends ServiceCaller {
  epoch: number
}

/** `service/runtime:signals` (query, subscribable) */
export interface Signals {
  rosterVersion: number
  stopSeq: number
  /** Grows when the runtime must look at these signals or say hello again, for whatever reason. */
  controlSeq: number
  /** What the people asked for last. It stays until it is replaced or taken back, also after the runtime has done it. */
  command: RuntimeCommand | null
  /** Grows with each request and its withdrawal and with nothing else: a command is new exactly when this number is. */
  commandSeq: number
  paused: boolean
}

/** `service/runtime:tokenInfo` (query): the caller's own token. */
export interface TokenInfo {
  name: string
  /** `null`: never by itself. */
  expiresAt: number | null
}

/** `service/notifications:ready` (query, subscribable): the first 8 ready heads. */
export type ReadyHeads = { id: string; dueAt: number }[]

/** `service/notifications:claim` */
export interface ClaimArgs extends EpochArgs {
  /** At most 16. */
  ids: string[]
}
export interface ClaimResult {
  items: ClaimedItem[]
  /** Time until the earliest of the named ids that is ready but not due; `null` if none. */
  notDueInMs: number | null
}

export interface ClaimedItem {
  id: string
  fence: number
  /** The gateway's idempotency key of this turn. */
  turnKey: string
  /** Six characters that name the turn in an agent's tool calls. */
  turnCode: string
  /** An earlier attempt may have sent this turn: look before sending. */
  reconcile: boolean
  sessionKey: string
  type: DeliveryType
  /** 1 for the first. */
  attempt: number
  depth: number
  /** How long ago it was committed, waiting for its turn in the lane and earlier attempts included. */
  committedAgoMs: number
  /** How long the claim may last. */
  deadlineInMs: number
  agent: { id: string; slug: string; name: string }
  context: DeliveryContext
}

export interface Author {
  type: 'user' | 'agent' | 'system'
  name: string
}

export interface ThreadMessage {
  id: string
  author: Author
  content: string
  /** Files beside it, by name only: their contents are not part of a context. All three are as the uploader said. `size` in bytes. */
  attachments: { name: string; contentType: string | null; size: number }[]
  createdAt: number
}

/** Everything a turn needs, at most 64 kB of JSON; longer text is cut with a marker. */
export interface DeliveryContext {
  title: string
  /** What the agent is told: the message, the reason of a status change, ... Untrusted text. */
  body: string
  task: {
    id: string
    title: string
    status: TaskStatus
    priority: number
    description: string
    blockedReason: string | null
  } | null
  /** The message that caused the delivery. */
  message: ThreadMessage | null
  /**
   * The messages of the thread before it, oldest first: all the delivery stands for (several messages may share one), or the newest
   * where those are few. What finds no room is named by a first line of the author `system`: "[12 earlier messages are left out ...]".
   */
  thread: ThreadMessage[]
  /**
   * An earlier turn of this lane was stopped or aborted: what earlier turns in the session asked without getting an answer is void.
   * Nothing in this context is.
   */
  voidEarlier: boolean
  /** What earlier attempts of this very turn already did through tools. */
  effectsDone: string[]
  heartbeat: HeartbeatContext | null
}

export interface HeartbeatContext {
  nowIso: string
  assigned: { id: string; title: string; status: TaskStatus; priority: number }[]
  recentActivity: { summary: string; at: number }[]
  /**
   * Mentions of and requests to this agent that were given up since its last heartbeat. Others need no list: each is a delivery and
   * comes as a turn of its own. `title` is the task's, `from` who wrote it.
   */
  unreadMentions: { taskId: string | null; title: string; from: string; at: number }[]
  /** Of the lead only: tasks on which nothing has happened for long (a handful). The name of an agent is its slug. */
  stale: StaleTask[]
}

export interface StaleTask {
  id: string
  title: string
  status: TaskStatus
  priority: number
  /** Since the last activity on the task. */
  quietMs: number
  /** The first few. */
  assignees: { type: PartyType; name: string }[]
  blockedReason: string | null
}

/** How one attempt went. Offsets are measured by the runtime on its monotonic clock from the moment `claim` was answered. */
export interface RunReport {
  sentAfterMs: number | null
  acceptedAfterMs: number | null
  repliedAfterMs: number | null
  usage: RunUsage | null
}
export interface RunUsage {
  model: string | null
  inputTokens: number
  outputTokens: number
  costUsd: number | null
}

/** `service/notifications:settle` */
export interface SettleArgs extends ServiceCaller {
  id: string
  fence: number
  /** `receipt`: HEARTBEAT_OK or nothing; no message is posted. */
  outcome: 'reply' | 'receipt'
  /** The text, when the outcome is `reply`. Never refused for its content or size. */
  reply: string | null
  run: RunReport
}
export interface SettleResult {
  state: DeliveryState
  messageId: string | null
  /** True when this claim had been settled before; the rest is the stored answer. */
  replayed: boolean
}

/** `service/notifications:settleMany`: what became of each. */
export type SettledOne =
  | { readonly settled: SettleResult }
  | { readonly refused: { readonly code: 'STALE_FENCE' | 'NOT_FOUND'; readonly message: string } }

/** `service/notifications:fail` */
export interface FailArgs extends ServiceCaller {
  id: string
  fence: number
  class: FailureClass
  /** One of the coded errors. */
  code: string
  /** One sentence. */
  reason: string
  /** The gateway's turn is known to have ended, or never began and never will. */
  ended: boolean
  retryAfterMs: number | null
  run: RunReport
}
export interface FailResult {
  state: DeliveryState
  /** Milliseconds until it is ready again, or `null`. */
  retryInMs: number | null
}

/** `service/notifications:release`: give the claim back without using an attempt. */
export interface ReleaseArgs extends ServiceCaller {
  id: string
  fence: number
  ended: boolean
}

/**
 * `service/heartbeats:begin`: only for agents that `checkIn` named as having work. A slot is a time of the backend's clock in ms; one
 * that is done already, or older than the agent's interval, is skipped.
 */
export interface HeartbeatArgs extends EpochArgs {
  agentId: string
  slot: number
}
export type HeartbeatResult = { item: ClaimedItem } | { skip: string }

/** `service/agents:list` (query, paged) */
export interface RosterArgs extends ServiceCaller {
  cursor: string | null
  limit: number
}
export interface RosterEntry {
  id: string
  slug: string
  name: string
  role: string
  sessionKey: string
  heartbeatMinutes: number
  paused: boolean
  /** Enforced by the backend; here so that an agent is told what it may do. */
  permissions: Record<Permission, boolean>
  model: string | null
  lead: boolean
  /** Changes exactly when `service/agents:profiles` would answer something else. */
  profileHash: string
  /** The newest heartbeat slot that began or left a receipt, or `null`. */
  lastHeartbeatSlot: number | null
}
export interface RosterPage {
  rosterVersion: number
  agents: RosterEntry[]
  cursor: string | null
}

/** `service/agents:profiles` (query): up to 20 ids. */
export interface AgentProfile {
  id: string
  profileHash: string
  soul: string
  identity: string
  user: string
}

/** `service/agents:upsertHeartbeat` (mutation): what no settle already says; up to 100 agents a call. Returns `null`. */
export interface AgentReport {
  agentId: string
  status: Extract<AgentStatus, 'online' | 'idle' | 'error'>
  /** Why, for `error`. */
  reason: string | null
}

/** `service/notifications:getForDelivery` (query): one item with its attempts. */
export interface DeliveryTrace {
  id: string
  type: DeliveryType
  state: DeliveryState
  taskId: string | null
  agent: { id: string; slug: string; name: string }
  sessionKey: string
  committedAt: number
  dueAt: number
  attempts: number
  fence: number
  reason: string | null
  messageId: string | null
  replyId: string | null
  runs: {
    fence: number
    outcome: string
    reason: string | null
    claimedAt: number
    sentAt: number | null
    acceptedAt: number | null
    repliedAt: number | null
    endedAt: number | null
    usage: RunUsage | null
  }[]
}

/** `service/notifications:listUndeliveredForAccount` (query, paged) */
export interface UndeliveredPage {
  items: {
    id: string
    type: DeliveryType
    state: DeliveryState
    agentSlug: string
    taskTitle: string | null
    dueAt: number
    attempts: number
    reason: string | null
  }[]
  cursor: string | null
}

/** `service/tools:read` (query): a tool that changes nothing, in the turn of a claimed item. Which tools there are: tools.ts. */
export interface ToolReadArgs extends ServiceCaller {
  id: string
  fence: number
  tool: string
  /** A JSON object, as the model sent it. */
  args: string
}
/**
 * `service/tools:call` (mutation): a tool that changes something. Refused with STALE_FENCE once the claim has ended, was taken over or
 * stopped. What it creates is created once for each time that one run of the model asked for it.
 */
export interface ToolCallArgs extends ToolReadArgs {
  /** The gateway's boot id: with the fence it names one run of the model. */
  pass: string
  /** One per call the model made; the same in each try to bring it here. */
  callId: string
}
export interface ToolResult {
  /** JSON, for the model. */
  result: string
  /** An earlier call did this already; now nothing was done. */
  replayed: boolean
}
