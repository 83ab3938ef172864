/** Who may do what: accounts, their members and their service tokens. */
import { defineTable } from 'convex/server'
import { v } from 'convex/values'
import { nullable, vMemberRole, vNotificationType, vTokenState } from '../lib/validators.js'

export const peopleTables = {
  accounts: defineTable({
    name: v.string(),
    /** Who runs the turns: the account's runtime, or the agent factory's workers. */
    execution: v.union(v.literal('runtime'), v.literal('factory')),
    agentLimit: v.number(),
    leadAgentId: nullable(v.id('agents')),
    createdBy: v.string(),
  }),

  memberships: defineTable({
    accountId: v.id('accounts'),
    /** The identity's tokenIdentifier: issuer and subject. */
    userId: v.string(),
    name: v.string(),
    /** Lower-case name, what a mention is looked up by. */
    nameKey: v.string(),
    email: nullable(v.string()),
    role: vMemberRole,
  })
    .index('by_account_user', ['accountId', 'userId'])
    .index('by_account_role', ['accountId', 'role'])
    .index('by_account_nameKey', ['accountId', 'nameKey'])
    // The one index beside the cron's that does not start with the account: "which accounts am I in" comes before any account.
    .index('by_user', ['userId']),

  serviceTokens: defineTable({
    accountId: v.id('accounts'),
    name: v.string(),
    /** First 8 hex digits of the hash: finds the row; the whole hash is then compared in constant time. */
    lookup: v.string(),
    /** SHA-256 of the token text, hex. The text itself is stored nowhere. */
    hash: v.string(),
    state: vTokenState,
    expiresAt: nullable(v.number()),
    createdBy: v.string(),
    endedAt: nullable(v.number()),
  }).index('by_account_lookup', ['accountId', 'lookup']),

  /** Apart from the token row, which every subscription of the runtime reads. */
  tokenUse: defineTable({
    accountId: v.id('accounts'),
    tokenId: v.id('serviceTokens'),
    lastUsedAt: v.number(),
  }).index('by_account_token', ['accountId', 'tokenId']),

  /** What people are told. Agents are told through deliveries. */
  notifications: defineTable({
    accountId: v.id('accounts'),
    userId: v.string(),
    type: vNotificationType,
    title: v.string(),
    taskId: nullable(v.id('tasks')),
    messageId: nullable(v.id('messages')),
    deliveryId: nullable(v.id('deliveries')),
    /** Set where a person is told once only: a second notice with the same key is dropped while the first is unread. */
    key: nullable(v.string()),
    readAt: nullable(v.number()),
  })
    .index('by_account_user', ['accountId', 'userId'])
    .index('by_account_user_key', ['accountId', 'userId', 'key', 'readAt']),
}
