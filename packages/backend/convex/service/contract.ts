/** Validators of what `packages/shared/src/service-contract.ts` says in types. A type test keeps the two equal. */
import { v } from 'convex/values'
import {
  nullable,
  oneOf,
  vActorType,
  vDeliveryState,
  vDeliveryType,
  vInfrastructure,
  vPartyType,
  vPermissions,
  vRuntimeCommand,
  vTaskStatus,
  vUsage,
  vVersions,
} from '../lib/validators.js'

export const vHello = {
  instanceId: v.string(),
  boot: v.string(),
  versions: vVersions,
  infrastructure: vInfrastructure,
  announcedIntervalMs: v.number(),
}
export const vHelloResult = v.union(
  v.object({
    role: v.literal('active'),
    epoch: v.number(),
    now: v.number(),
    rosterVersion: v.number(),
    controlSeq: v.number(),
  }),
  v.object({ role: v.literal('standby'), activeLeaseMs: v.number() }),
)

export const vCheckIn = {
  epoch: v.number(),
  held: v.array(v.object({ id: v.string(), fence: v.number() })),
  dueAgents: v.array(v.object({ agentId: v.string(), slot: v.number() })),
  status: oneOf(['online', 'degraded']),
  reasons: v.array(v.string()),
  versions: vVersions,
  infrastructure: vInfrastructure,
  announcedIntervalMs: v.number(),
}
export const vCheckInResult = v.union(
  v.object({ superseded: v.literal(true) }),
  v.object({
    superseded: v.literal(false),
    now: v.number(),
    rosterVersion: v.number(),
    controlSeq: v.number(),
    oldestDueInMs: nullable(v.number()),
    stop: v.array(v.string()),
    work: v.array(v.string()),
  }),
)

export const vSignals = v.object({
  rosterVersion: v.number(),
  stopSeq: v.number(),
  controlSeq: v.number(),
  command: nullable(vRuntimeCommand),
  commandSeq: v.number(),
  paused: v.boolean(),
})

export const vReadyHeads = v.array(v.object({ id: v.string(), dueAt: v.number() }))

const vThreadMessage = v.object({
  id: v.string(),
  author: v.object({ type: vActorType, name: v.string() }),
  content: v.string(),
  attachments: v.array(v.object({ name: v.string(), contentType: nullable(v.string()), size: v.number() })),
  createdAt: v.number(),
})
const vTaskLine = { id: v.string(), title: v.string(), status: vTaskStatus, priority: v.number() }
export const vContext = v.object({
  title: v.string(),
  body: v.string(),
  task: nullable(v.object({ ...vTaskLine, description: v.string(), blockedReason: nullable(v.string()) })),
  message: nullable(vThreadMessage),
  thread: v.array(vThreadMessage),
  voidEarlier: v.boolean(),
  effectsDone: v.array(v.string()),
  heartbeat: nullable(
    v.object({
      nowIso: v.string(),
      assigned: v.array(v.object(vTaskLine)),
      recentActivity: v.array(v.object({ summary: v.string(), at: v.number() })),
      unreadMentions: v.array(v.object({ taskId: nullable(v.string()), title: v.string(), from: v.string(), at: v.number() })),
      stale: v.array(
        v.object({
          ...vTaskLine,
          quietMs: v.number(),
          assignees: v.array(v.object({ type: vPartyType, name: v.string() })),
          blockedReason: nullable(v.string()),
        }),
      ),
    }),
  ),
})
export const vTokenInfo = v.object({ name: v.string(), expiresAt: nullable(v.number()) })
export const vAgentName = v.object({ id: v.string(), slug: v.string(), name: v.string() })
export const vClaimedItem = v.object({
  id: v.string(),
  fence: v.number(),
  turnKey: v.string(),
  turnCode: v.string(),
  reconcile: v.boolean(),
  sessionKey: v.string(),
  type: vDeliveryType,
  attempt: v.number(),
  depth: v.number(),
  committedAgoMs: v.number(),
  deadlineInMs: v.number(),
  agent: vAgentName,
  context: vContext,
})
export const vClaimResult = v.object({ items: v.array(vClaimedItem), notDueInMs: nullable(v.number()) })
export const vHeartbeatResult = v.union(v.object({ item: vClaimedItem }), v.object({ skip: v.string() }))

export const vRunReport = v.object({
  sentAfterMs: nullable(v.number()),
  acceptedAfterMs: nullable(v.number()),
  repliedAfterMs: nullable(v.number()),
  usage: nullable(vUsage),
})
export const vSettle = {
  id: v.string(),
  fence: v.number(),
  outcome: oneOf(['reply', 'receipt']),
  reply: nullable(v.string()),
  run: vRunReport,
}
export const vSettleResult = v.object({ state: vDeliveryState, messageId: nullable(v.string()), replayed: v.boolean() })

export const vSettledOne = v.union(
  v.object({ settled: vSettleResult }),
  v.object({ refused: v.object({ code: oneOf(['STALE_FENCE', 'NOT_FOUND']), message: v.string() }) }),
)

export const vFail = {
  id: v.string(),
  fence: v.number(),
  class: oneOf(['retryable', 'terminal', 'configuration']),
  code: v.string(),
  reason: v.string(),
  ended: v.boolean(),
  retryAfterMs: nullable(v.number()),
  run: vRunReport,
}
export const vFailResult = v.object({ state: vDeliveryState, retryInMs: nullable(v.number()) })

export const vRosterPage = v.object({
  rosterVersion: v.number(),
  agents: v.array(
    v.object({
      id: v.string(),
      slug: v.string(),
      name: v.string(),
      role: v.string(),
      sessionKey: v.string(),
      heartbeatMinutes: v.number(),
      paused: v.boolean(),
      permissions: vPermissions,
      model: nullable(v.string()),
      lead: v.boolean(),
      profileHash: v.string(),
      lastHeartbeatSlot: nullable(v.number()),
    }),
  ),
  cursor: nullable(v.string()),
})
export const vProfile = v.object({
  id: v.string(),
  profileHash: v.string(),
  soul: v.string(),
  identity: v.string(),
  user: v.string(),
})
export const vAgentReport = v.object({
  agentId: v.string(),
  status: oneOf(['online', 'idle', 'error']),
  reason: nullable(v.string()),
})

export const vTrace = v.object({
  id: v.string(),
  type: vDeliveryType,
  state: vDeliveryState,
  taskId: nullable(v.string()),
  agent: vAgentName,
  sessionKey: v.string(),
  committedAt: v.number(),
  dueAt: v.number(),
  attempts: v.number(),
  fence: v.number(),
  reason: nullable(v.string()),
  messageId: nullable(v.string()),
  replyId: nullable(v.string()),
  runs: v.array(
    v.object({
      fence: v.number(),
      outcome: v.string(),
      reason: nullable(v.string()),
      claimedAt: v.number(),
      sentAt: nullable(v.number()),
      acceptedAt: nullable(v.number()),
      repliedAt: nullable(v.number()),
      endedAt: nullable(v.number()),
      usage: nullable(vUsage),
    }),
  ),
})
export const vPage = { cursor: nullable(v.string()), limit: v.number() }
export const vUndeliveredPage = v.object({
  items: v.array(
    v.object({
      id: v.string(),
      type: vDeliveryType,
      state: vDeliveryState,
      agentSlug: v.string(),
      taskTitle: nullable(v.string()),
      dueAt: v.number(),
      attempts: v.number(),
      reason: nullable(v.string()),
    }),
  ),
  cursor: nullable(v.string()),
})

const vToolTurn = { id: v.string(), fence: v.number(), tool: v.string(), args: v.string() }
export const vToolRead = vToolTurn
export const vToolCall = { ...vToolTurn, pass: v.string(), callId: v.string() }
export const vToolResult = v.object({ result: v.string(), replayed: v.boolean() })
