/** What the team works on: agents, tasks and threads. */
import { defineTable } from 'convex/server'
import { v } from 'convex/values'
import { nullable, vActivityType, vActorType, vAgentStatus, vPartyType, vPermissions, vTaskStatus } from '../lib/validators.js'

export const workTables = {
  agents: defineTable({
    accountId: v.id('accounts'),
    slug: v.string(),
    name: v.string(),
    nameKey: v.string(),
    role: v.string(),
    model: nullable(v.string()),
    heartbeatMinutes: v.number(),
    paused: v.boolean(),
    permissions: vPermissions,
    /** Hash of the agentProfiles row, so that the roster needs not read 150 kB per agent. */
    profileHash: v.string(),
  })
    .index('by_account_slug', ['accountId', 'slug'])
    .index('by_account_nameKey', ['accountId', 'nameKey'])
    .index('by_account_reviewer', ['accountId', 'permissions.canReview']),

  agentProfiles: defineTable({
    accountId: v.id('accounts'),
    agentId: v.id('agents'),
    soul: v.string(),
    identity: v.string(),
    user: v.string(),
  }).index('by_account_agent', ['accountId', 'agentId']),

  /** Hot: no subscription of a runtime reads it. `busy` and `offline` are derived (model/agentStatus.ts), not stored. */
  agentPresence: defineTable({
    accountId: v.id('accounts'),
    agentId: v.id('agents'),
    status: vAgentStatus,
    reason: nullable(v.string()),
    lastHeartbeatSlot: nullable(v.number()),
    lastSeenAt: nullable(v.number()),
  }).index('by_account_agent', ['accountId', 'agentId']),

  tasks: defineTable({
    accountId: v.id('accounts'),
    title: v.string(),
    description: v.string(),
    status: vTaskStatus,
    priority: v.number(),
    blockedReason: nullable(v.string()),
    createdByType: vActorType,
    createdBy: v.string(),
    createdByName: v.string(),
    statusChangedAt: v.number(),
    archivedAt: nullable(v.number()),
  }).index('by_account_status', ['accountId', 'status']),

  /** One row per task and assignee, because arrays cannot be indexed. `status` is the task's, kept in step with it. */
  assignments: defineTable({
    accountId: v.id('accounts'),
    taskId: v.id('tasks'),
    assigneeType: vPartyType,
    assigneeId: v.string(),
    status: vTaskStatus,
  })
    .index('by_account_task_assignee', ['accountId', 'taskId', 'assigneeId'])
    .index('by_account_assignee_status', ['accountId', 'assigneeId', 'status']),

  messages: defineTable({
    accountId: v.id('accounts'),
    taskId: v.id('tasks'),
    authorType: vActorType,
    authorId: v.string(),
    /** As it was when the message was written, so that a thread needs no look-up per line. */
    authorName: v.string(),
    content: v.string(),
    mentions: v.array(v.object({ type: vPartyType, id: v.string(), name: v.string() })),
    /** `@all`: everybody is mentioned; `mentions` then names those that were also named one by one. */
    mentionsAll: v.boolean(),
    /** The delivery this is the reply to. */
    deliveryId: nullable(v.id('deliveries')),
    /** A caller's idempotency key. */
    key: nullable(v.string()),
  })
    .index('by_account_task', ['accountId', 'taskId'])
    .index('by_account_key', ['accountId', 'key']),

  subscriptions: defineTable({
    accountId: v.id('accounts'),
    taskId: v.id('tasks'),
    subscriberType: vPartyType,
    subscriberId: v.string(),
  })
    .index('by_account_task_type_subscriber', ['accountId', 'taskId', 'subscriberType', 'subscriberId'])
    .index('by_account_subscriber', ['accountId', 'subscriberId']),

  /** Append-only: one row per state change. */
  activities: defineTable({
    accountId: v.id('accounts'),
    type: vActivityType,
    actorType: vActorType,
    actorId: v.string(),
    actorName: v.string(),
    targetId: v.string(),
    targetName: v.string(),
    taskId: nullable(v.id('tasks')),
    detail: nullable(v.string()),
  })
    .index('by_account', ['accountId'])
    .index('by_account_task', ['accountId', 'taskId']),
}
