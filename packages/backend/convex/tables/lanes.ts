/** The queue: lanes, their items, the journal of attempts, and who works them off. docs/architecture.md holds the contract. */
import { defineTable } from 'convex/server'
import { v } from 'convex/values'
import {
  nullable,
  vDeliveryState,
  vDeliveryType,
  vInfrastructure,
  vRunOutcome,
  vRuntimeCommand,
  vRuntimeRole,
  vRuntimeStatus,
  vUsage,
  vUsagePeriod,
  vVersions,
} from '../lib/validators.js'

/** What an attempt tells people, stored as it is shown. */
export const runFields = {
  fence: v.number(),
  turn: v.number(),
  reconcile: v.boolean(),
  outcome: vRunOutcome,
  reason: nullable(v.string()),
  claimedAt: v.number(),
  sentAt: nullable(v.number()),
  acceptedAt: nullable(v.number()),
  repliedAt: nullable(v.number()),
  endedAt: nullable(v.number()),
  usage: nullable(vUsage),
  /** Parts of the whole text kept in `replyParts`, because the thread got only some of it or nothing. */
  keptParts: v.number(),
}

export const laneTables = {
  runtimes: defineTable({
    accountId: v.id('accounts'),
    instanceId: v.string(),
    boot: v.string(),
    /** Number of this activation; 0 for a runtime that never was active. */
    epoch: v.number(),
    role: vRuntimeRole,
    leaseUntil: v.number(),
    status: vRuntimeStatus,
    reasons: v.array(v.string()),
    versions: vVersions,
    infrastructure: vInfrastructure,
    announcedIntervalMs: v.number(),
    lastSeenAt: v.number(),
  })
    .index('by_account_role', ['accountId', 'role'])
    .index('by_account_instance', ['accountId', 'instanceId'])
    // The lapse cron looks over all accounts.
    .index('by_role_lease', ['role', 'leaseUntil']),

  /** One row per account, written rarely: the runtime subscribes to it. */
  signals: defineTable({
    accountId: v.id('accounts'),
    rosterVersion: v.number(),
    stopSeq: v.number(),
    controlSeq: v.number(),
    command: nullable(vRuntimeCommand),
    /** Grows with each request of people and nothing else, so that a finished command never looks new. */
    commandSeq: v.number(),
    paused: v.boolean(),
    /** Newest epoch given out; only grows. */
    epoch: v.number(),
    /** Here so that `claim` finds it with a point read. */
    activeRuntimeId: nullable(v.id('runtimes')),
  }).index('by_account', ['accountId']),

  lanes: defineTable({
    accountId: v.id('accounts'),
    agentId: v.id('agents'),
    taskId: nullable(v.id('tasks')),
    generation: v.number(),
    sessionKey: v.string(),
    activeId: nullable(v.id('deliveries')),
    tailId: nullable(v.id('deliveries')),
    nextSeq: v.number(),
    /** Rows in state `queued`, so that the limit costs no count. */
    queued: v.number(),
    closed: nullable(v.string()),
    /** Answered turns of this lane have shown every message created from `seenFrom` to `seenAt`, both included; 0 for none. */
    seenFrom: v.number(),
    seenAt: v.number(),
    /** The newest /stop means the items numbered below this; 0 before the first. */
    stopBefore: v.number(),
    /** The newest turn that ended here was never answered: its text is void for the next one. */
    voidEarlier: v.boolean(),
  })
    .index('by_agent_task', ['accountId', 'agentId', 'taskId'])
    .index('by_task', ['accountId', 'taskId']),

  deliveries: defineTable({
    accountId: v.id('accounts'),
    laneId: v.id('lanes'),
    agentId: v.id('agents'),
    taskId: nullable(v.id('tasks')),
    type: vDeliveryType,
    messageId: nullable(v.id('messages')),
    /** Creation time of the oldest message the item stands for: older than `messageId` once it has taken over newer ones. */
    unseenFrom: nullable(v.number()),
    /** What there is to say beside the message: the move of a status change, why a request was not answered. */
    note: nullable(v.string()),
    /** 0 from people, one more than the turn that caused it otherwise. */
    depth: v.number(),
    /** For a `response_request`: the lane that asked and is told the answer. */
    askedFrom: nullable(v.id('lanes')),
    committedAt: v.number(),
    // What packages/shared/src/lanes knows as LaneItem:
    seq: v.number(),
    state: vDeliveryState,
    dueAt: v.number(),
    hold: nullable(v.string()),
    fence: v.number(),
    attempts: v.number(),
    turn: v.number(),
    turnOpen: v.boolean(),
    claimedBy: nullable(v.number()),
    claimedAt: nullable(v.number()),
    stopAt: nullable(v.number()),
    reason: nullable(v.string()),
    // Copied from the lane when the item becomes its head, so that `claim` reads no lane row, which every enqueue writes:
    sessionKey: v.string(),
    seenFrom: v.number(),
    seenAt: v.number(),
    voidEarlier: v.boolean(),
    turnCode: nullable(v.string()),
    /** Creation time of the oldest message its newest claim showed; `null` while it has shown none. */
    shownFrom: nullable(v.number()),
    /** Somebody asked for it once more: it is shown even if a later turn has shown its messages. */
    redriven: v.boolean(),
    replyId: nullable(v.id('messages')),
  })
    .index('by_account_state_due', ['accountId', 'state', 'dueAt'])
    .index('by_lane_state_seq', ['accountId', 'laneId', 'state', 'seq'])
    .index('by_account_task', ['accountId', 'taskId'])
    .index('by_account_agent', ['accountId', 'agentId'])
    // Whether an agent has an open request on a task.
    .index('by_agent_type_task_state', ['accountId', 'agentId', 'type', 'taskId', 'state']),

  /** One row per attempt: the journal. */
  agentRuns: defineTable({
    accountId: v.id('accounts'),
    deliveryId: v.id('deliveries'),
    agentId: v.id('agents'),
    taskId: nullable(v.id('tasks')),
    epoch: v.number(),
    /** Counted by its claim already, because a cap on turns had to be kept. */
    turnCounted: v.boolean(),
    committedAt: v.number(),
    ...runFields,
  }).index('by_delivery', ['accountId', 'deliveryId', 'fence']),

  /** The whole text of a reply that was cut or had no thread to go to, in order. A document may hold 1 MiB. */
  replyParts: defineTable({
    accountId: v.id('accounts'),
    deliveryId: v.id('deliveries'),
    fence: v.number(),
    n: v.number(),
    text: v.string(),
  }).index('by_delivery', ['accountId', 'deliveryId', 'fence', 'n']),

  /** What a turn created through tools, so that a repeated or recovered turn does not create it again. */
  effects: defineTable({
    accountId: v.id('accounts'),
    deliveryId: v.id('deliveries'),
    /** SHA-256 of the tool and its arguments. */
    key: v.string(),
    n: v.number(),
    /** Fence and boot of the gateway that the newest execution or take-over ran under. */
    pass: v.string(),
    callId: v.string(),
    tool: v.string(),
    /** One line for the prompt of a later attempt. */
    summary: v.string(),
    /** JSON. */
    result: v.string(),
  }).index('by_delivery_key', ['accountId', 'deliveryId', 'key', 'n']),

  /** Turns, tokens and money of an agent, or of the account (`agentId` null), in one hour or day of UTC. */
  usage: defineTable({
    accountId: v.id('accounts'),
    agentId: nullable(v.id('agents')),
    period: vUsagePeriod,
    /** When the hour or day began. */
    start: v.number(),
    turns: v.number(),
    inputTokens: v.number(),
    outputTokens: v.number(),
    microUsd: v.number(),
    /** `<cap>:<limit>` of each cap that people have been told of in this period. */
    reached: v.array(v.string()),
  })
    .index('by_account_agent_period', ['accountId', 'agentId', 'period', 'start'])
    .index('by_account_start', ['accountId', 'start']),

  /** One row per broken invariant that the audit mended. There must be none. */
  laneRepairs: defineTable({
    accountId: v.id('accounts'),
    laneId: v.id('lanes'),
    what: v.string(),
  }).index('by_account', ['accountId']),
}
