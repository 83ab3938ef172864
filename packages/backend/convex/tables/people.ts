/** Who may do what: accounts, their members and their service tokens. */
import { defineTable } from 'convex/server'
import { v } from 'convex/values'
import {
  nullable,
  vBudgets,
  vInvitationState,
  vMemberRole,
  vNotificationType,
  vPermissions,
  vRetention,
  vTokenState,
} from '../lib/validators.js'

export const peopleTables = {
  accounts: defineTable({
    name: v.string(),
    /** Who runs the turns: the account's runtime, or the agent factory's workers. */
    execution: v.union(v.literal('runtime'), v.literal('factory')),
    agentLimit: v.number(),
    leadAgentId: nullable(v.id('agents')),
    createdBy: v.string(),
    /** IANA name: when the account's day begins and ends, for standups. */
    timeZone: v.string(),
    /** The account's layer of agent permissions: what it does not name is the product's default. */
    permissionDefaults: vPermissions.partial(),
    budgets: vBudgets,
    retention: vRetention,
    /** Set by its deletion and moved on by each of its steps: nobody is a member any more, and what is left goes. */
    deletingAt: nullable(v.number()),
  })
    // A deletion that was interrupted is found again by the cron, which looks over all accounts.
    .index('by_deletingAt', ['deletingAt']),

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

  invitations: defineTable({
    accountId: v.id('accounts'),
    email: v.string(),
    /** Lower case, what the identity's e-mail is compared with. */
    emailKey: v.string(),
    role: vMemberRole,
    /** First 8 hex digits of the code's hash: finds the row; the whole hash is then compared in constant time. */
    lookup: v.string(),
    /** SHA-256 of the code, hex. The code itself is stored nowhere. */
    hash: v.string(),
    state: vInvitationState,
    expiresAt: v.number(),
    invitedBy: v.string(),
    answeredBy: nullable(v.string()),
    endedAt: nullable(v.number()),
  })
    .index('by_account_state', ['accountId', 'state'])
    .index('by_account_email', ['accountId', 'emailKey', 'state'])
    // Whoever accepts is not in the account yet, and the code does not name it.
    .index('by_lookup', ['lookup']),

  /** What a member does not want to hear of. No row: everything. */
  preferences: defineTable({
    accountId: v.id('accounts'),
    userId: v.string(),
    muted: v.array(vNotificationType),
  }).index('by_account_user', ['accountId', 'userId']),

  /**
   * A member's unread notifications, counted. Written by scheduled mutations only: two turns that tell the same person must not
   * conflict over one counter.
   */
  inboxes: defineTable({
    accountId: v.id('accounts'),
    userId: v.string(),
    unread: v.number(),
  }).index('by_account_user', ['accountId', 'userId']),

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
    /** Its part in `inboxes.unread` has been added. */
    counted: v.boolean(),
  })
    .index('by_account', ['accountId'])
    .index('by_account_user', ['accountId', 'userId'])
    .index('by_account_user_read', ['accountId', 'userId', 'readAt'])
    .index('by_account_user_type', ['accountId', 'userId', 'type'])
    .index('by_account_user_type_read', ['accountId', 'userId', 'type', 'readAt'])
    .index('by_account_user_key', ['accountId', 'userId', 'key', 'readAt']),
}
