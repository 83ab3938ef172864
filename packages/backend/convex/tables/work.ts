/** What the team works on: agents, tasks and threads. */
import { defineTable } from 'convex/server'
import { v } from 'convex/values'
import {
  nullable,
  vActivityType,
  vActorType,
  vAgentStatus,
  vAttachment,
  vBudgets,
  vParty,
  vPartyType,
  vPermissions,
  vTaskStatus,
} from '../lib/validators.js'

/** Tasks of a standup: how many there are (`exact` false: at least so many), and the first of them by name. */
export const vTaskLines = v.object({
  count: v.number(),
  exact: v.boolean(),
  first: v.array(v.object({ id: v.id('tasks'), title: v.string(), detail: nullable(v.string()) })),
})

/** What a standup says, stored as it is shown. */
export const standupFields = {
  /** `YYYY-MM-DD` in `timeZone`. */
  date: v.string(),
  timeZone: v.string(),
  /** The day in ms since the epoch; `until` is the first millisecond after it. */
  from: v.number(),
  until: v.number(),
  done: vTaskLines,
  inProgress: vTaskLines,
  blocked: vTaskLines,
  inReview: vTaskLines,
  deadLetters: v.number(),
  turns: v.number(),
  /** Input and output together. */
  tokens: v.number(),
  /** Money in millionths of a US dollar. */
  microUsd: v.number(),
}

export const workTables = {
  agents: defineTable({
    accountId: v.id('accounts'),
    slug: v.string(),
    name: v.string(),
    nameKey: v.string(),
    role: v.string(),
    /** A name of the dashboard's icon set, or `null`. */
    icon: nullable(v.string()),
    model: nullable(v.string()),
    heartbeatMinutes: v.number(),
    paused: v.boolean(),
    /** The agent's own layer: what it does not name comes from the account's defaults. */
    permissionOverrides: vPermissions.partial(),
    /** What holds: default, account and agent merged. Kept in step with all three, because an index needs it. */
    permissions: vPermissions,
    budgets: vBudgets,
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
    /** Of a lead: where its next look for stale tasks begins in each state (model/stale.ts). Absent before the first. */
    staleAfter: v.optional(v.array(v.object({ status: vTaskStatus, at: v.number(), createdAt: v.number() }))),
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
    labels: v.array(v.string()),
    dueAt: nullable(v.number()),
    /** Place in its column: higher priority first, then the newest change of status. Lower comes first (model/rank.ts). */
    rank: v.number(),
    /** The same as its `assignments` rows, so that a board reads one row per task. */
    assignees: v.array(vParty),
    /** A caller's idempotency key (model/keys.ts). */
    key: v.optional(v.string()),
  })
    .index('by_account_key', ['accountId', 'key'])
    .index('by_account_status_rank', ['accountId', 'status', 'rank'])
    .index('by_account_status_changed', ['accountId', 'status', 'statusChangedAt'])
    .index('by_account_status_due', ['accountId', 'status', 'dueAt'])
    .searchIndex('search_title', { searchField: 'title', filterFields: ['accountId', 'status'] })
    .searchIndex('search_description', { searchField: 'description', filterFields: ['accountId', 'status'] }),

  /** When the lead was last told that nothing happens on a task. One row per task that it ever was told of. */
  taskNudges: defineTable({
    accountId: v.id('accounts'),
    taskId: v.id('tasks'),
    at: v.number(),
  }).index('by_account_task', ['accountId', 'taskId']),

  /** One row per task and label, because arrays cannot be indexed. */
  taskLabels: defineTable({
    accountId: v.id('accounts'),
    taskId: v.id('tasks'),
    label: v.string(),
  })
    .index('by_account_label', ['accountId', 'label'])
    .index('by_account_task', ['accountId', 'taskId']),

  /** Totals that must never be counted row by row: tasks per status. Only scheduled mutations write them (model/counters.ts). */
  counters: defineTable({
    accountId: v.id('accounts'),
    key: v.string(),
    value: v.number(),
  }).index('by_account_key', ['accountId', 'key']),

  /** Changes that no counter has in it yet: two turns that each move a task must not conflict over one counter. */
  counterChanges: defineTable({
    accountId: v.id('accounts'),
    key: v.string(),
    by: v.number(),
  }).index('by_account', ['accountId']),

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
    /** A caller's idempotency key (model/keys.ts). */
    key: nullable(v.string()),
    attachments: v.array(vAttachment),
    editedAt: nullable(v.number()),
    /** Deleted: the text is gone, the row stays in its place. */
    deletedAt: nullable(v.number()),
    /** Whom any version has mentioned, and when the first `@all` was; absent before the first edit. */
    told: v.optional(v.object({ allAt: nullable(v.number()), parties: v.array(v.string()) })),
  })
    .index('by_account_task', ['accountId', 'taskId'])
    .index('by_account_key', ['accountId', 'key'])
    .searchIndex('search_content', { searchField: 'content', filterFields: ['accountId', 'taskId'] }),

  /** Uploaded files. One that belongs to no message a day after its upload is removed. */
  attachments: defineTable({
    accountId: v.id('accounts'),
    taskId: nullable(v.id('tasks')),
    messageId: nullable(v.id('messages')),
    storageId: v.id('_storage'),
    name: v.string(),
    contentType: nullable(v.string()),
    size: v.number(),
    uploaderType: vActorType,
    uploaderId: v.string(),
    bound: v.boolean(),
  })
    .index('by_account_bound', ['accountId', 'bound'])
    .index('by_account_message', ['accountId', 'messageId'])
    // Over all accounts: a stored file belongs to whoever registered it first, and to nobody else.
    .index('by_storage', ['storageId']),

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
    .index('by_account_type', ['accountId', 'type'])
    .index('by_account_actor', ['accountId', 'actorId'])
    .index('by_account_target', ['accountId', 'targetId'])
    .index('by_account_task', ['accountId', 'taskId']),

  /** One row per account and day of its time zone, `YYYY-MM-DD`. */
  standups: defineTable({ accountId: v.id('accounts'), ...standupFields }).index('by_account_date', ['accountId', 'date']),
}
