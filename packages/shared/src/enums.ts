/** Every state of the domain is named here once. Convex validators and zod schemas are both derived from these arrays. */

export const TASK_STATUSES = ['inbox', 'assigned', 'in_progress', 'review', 'done', 'blocked', 'archived'] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]

/**
 * `offline`: no active runtime, or paused. `online`: runtime active and the agent synced to its gateway. `busy`: an item is
 * claimed. `idle`: no open work at the last heartbeat. `error`: the last sync or turn failed, with a reason.
 */
export const AGENT_STATUSES = ['offline', 'online', 'busy', 'idle', 'error'] as const
export type AgentStatus = (typeof AGENT_STATUSES)[number]

export const RUNTIME_STATUSES = ['provisioning', 'online', 'degraded', 'offline', 'error'] as const
export type RuntimeStatus = (typeof RUNTIME_STATUSES)[number]

export const RUNTIME_ROLES = ['active', 'standby', 'gone'] as const
export type RuntimeRole = (typeof RUNTIME_ROLES)[number]

export const MEMBER_ROLES = ['owner', 'admin', 'member'] as const
export type MemberRole = (typeof MEMBER_ROLES)[number]

export const ACTOR_TYPES = ['user', 'agent', 'system'] as const
export type ActorType = (typeof ACTOR_TYPES)[number]

/** Who can be assigned, subscribed, mentioned or notified. */
export const PARTY_TYPES = ['user', 'agent'] as const satisfies readonly ActorType[]
export type PartyType = (typeof PARTY_TYPES)[number]

export const TOKEN_STATES = ['active', 'revoked', 'expired'] as const
export type TokenState = (typeof TOKEN_STATES)[number]

/** An invitation is answered once: accepted by the invited, revoked by an admin, or expired by the clock. */
export const INVITATION_STATES = ['pending', 'accepted', 'revoked', 'expired'] as const
export type InvitationState = (typeof INVITATION_STATES)[number]

export const DOCUMENT_KINDS = ['file', 'folder'] as const
export type DocumentKind = (typeof DOCUMENT_KINDS)[number]

export const DOCUMENT_TYPES = ['deliverable', 'note', 'template', 'reference'] as const
export type DocumentType = (typeof DOCUMENT_TYPES)[number]

/** What usage is counted over. Both are of UTC. */
export const USAGE_PERIODS = ['hour', 'day'] as const
export type UsagePeriod = (typeof USAGE_PERIODS)[number]

/** What people are told. The first five have the same causes as an agent's deliveries. */
export const NOTIFICATION_TYPES = [
  'mention',
  'assignment',
  'thread_update',
  'status_change',
  'response_request',
  'member_added',
  'member_removed',
  'role_changed',
  'runtime_status',
  'dead_letter',
  'budget',
] as const
export type NotificationType = (typeof NOTIFICATION_TYPES)[number]

/**
 * What a person cannot mute: that work was given up for good (nothing else would tell its author), and that somebody changed who may
 * do what. Everything else is also visible elsewhere, in a thread, on a board or as a state.
 */
export const UNMUTABLE_NOTIFICATION_TYPES = [
  'dead_letter',
  'member_removed',
  'role_changed',
] as const satisfies readonly NotificationType[]

/** Why an agent is given something to do. */
export const DELIVERY_TYPES = [
  'mention',
  'assignment',
  'thread_update',
  'status_change',
  'response_request',
  'response',
  'continuation',
  'heartbeat',
] as const
export type DeliveryType = (typeof DELIVERY_TYPES)[number]

/** See packages/shared/src/lanes for what moves an item from one to the next. */
export const DELIVERY_STATES = ['queued', 'ready', 'claimed', 'waiting', 'delivered', 'skipped', 'dead'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export const TERMINAL_DELIVERY_STATES = ['delivered', 'skipped', 'dead'] as const satisfies readonly DeliveryState[]

/** How one attempt ended; `open` while it runs. */
export const RUN_OUTCOMES = ['open', 'reply', 'receipt', 'skipped', 'failed', 'released', 'lapsed', 'orphaned'] as const
export type RunOutcome = (typeof RUN_OUTCOMES)[number]

export const RUNTIME_COMMANDS = ['restart', 'drain'] as const
export type RuntimeCommand = (typeof RUNTIME_COMMANDS)[number]

export const ACTIVITY_TYPES = [
  'account_created',
  'account_updated',
  'account_deleting',
  'member_added',
  'member_updated',
  'member_removed',
  'member_role_changed',
  'ownership_transferred',
  'invitation_created',
  'invitation_accepted',
  'invitation_revoked',
  'invitation_expired',
  'service_token_created',
  'service_token_renamed',
  'service_token_rotated',
  'service_token_revoked',
  'service_token_expired',
  'agent_created',
  'agent_updated',
  'agent_paused',
  'agent_resumed',
  'agent_deleted',
  'task_created',
  'task_updated',
  'task_status_changed',
  'task_assigned',
  'task_unassigned',
  'message_created',
  'message_edited',
  'message_deleted',
  'attachment_added',
  'attachment_removed',
  'subscription_changed',
  'document_created',
  'document_updated',
  'document_moved',
  'document_deleted',
  'document_restored',
  'response_requested',
  'standup_written',
  'budget_reached',
  'runtime_status_changed',
  'runtime_commanded',
  'delivery_dead',
  'delivery_redriven',
  'delivery_stopped',
] as const
export type ActivityType = (typeof ACTIVITY_TYPES)[number]

/** What an agent may be allowed to do. */
export const PERMISSIONS = [
  'canCreateTasks',
  'canModifyTaskStatus',
  'canCreateDocuments',
  'canRequestResponses',
  'canReview',
  'canMarkDone',
] as const
export type Permission = (typeof PERMISSIONS)[number]
