/** Convex validators derived from the const arrays of packages/shared, so that a state is named once. */
import type { Validator, VLiteral, VUnion } from 'convex/values'
import { v } from 'convex/values'
import * as enums from '@mission-control/shared/enums'

type LiteralUnion<T extends string> = VUnion<T, VLiteral<T>[]>

/** `v.union(v.literal(a), v.literal(b), ...)` of a const array. */
export const oneOf = <const T extends readonly string[]>(values: T): LiteralUnion<T[number]> =>
  v.union(...values.map((value) => v.literal(value)))

export const nullable = <T extends Parameters<typeof v.union>[number]>(validator: T) => v.union(validator, v.null())

export const vTaskStatus = oneOf(enums.TASK_STATUSES)
export const vAgentStatus = oneOf(enums.AGENT_STATUSES)
export const vRuntimeStatus = oneOf(enums.RUNTIME_STATUSES)
export const vRuntimeRole = oneOf(enums.RUNTIME_ROLES)
export const vMemberRole = oneOf(enums.MEMBER_ROLES)
export const vActorType = oneOf(enums.ACTOR_TYPES)
export const vDeliveryType = oneOf(enums.DELIVERY_TYPES)
export const vDeliveryState = oneOf(enums.DELIVERY_STATES)
export const vRunOutcome = oneOf(enums.RUN_OUTCOMES)
export const vRuntimeCommand = oneOf(enums.RUNTIME_COMMANDS)
export const vActivityType = oneOf(enums.ACTIVITY_TYPES)
export const vNotificationType = oneOf(enums.NOTIFICATION_TYPES)
export const vTokenState = oneOf(enums.TOKEN_STATES)
export const vInvitationState = oneOf(enums.INVITATION_STATES)
export const vDocumentKind = oneOf(enums.DOCUMENT_KINDS)
export const vDocumentType = oneOf(enums.DOCUMENT_TYPES)
export const vUsagePeriod = oneOf(enums.USAGE_PERIODS)
/** Sums of `usage` (packages/shared/src/budgets.ts). */
export const usageSums = { turns: v.number(), inputTokens: v.number(), outputTokens: v.number(), microUsd: v.number() }
/** Who can be assigned, subscribed or mentioned. */
export const vPartyType = oneOf(enums.PARTY_TYPES)

/** One field of this type per permission. */
const perPermission = <T extends Validator<unknown, 'required' | 'optional', string>>(field: T) =>
  Object.fromEntries(enums.PERMISSIONS.map((name) => [name, field])) as Record<enums.Permission, T>

export const vPermissions = v.object(perPermission(v.boolean()))
/** Changes of a layer: `null` takes an override back. */
export const vPermissionChange = v.object(perPermission(v.optional(nullable(v.boolean()))))
/** Which layer an effective permission comes from. */
export const vPermissionOrigins = v.object(perPermission(oneOf(['default', 'account', 'agent'])))

/** Somebody who can be assigned, subscribed, mentioned or notified. */
export const vParty = v.object({ type: vPartyType, id: v.string() })

/** Caps; `null` for none. Money in millionths of a US dollar, so that sums stay exact. */
export const vBudgets = v.object({
  turnsPerHour: nullable(v.number()),
  tokensPerDay: nullable(v.number()),
  microUsdPerDay: nullable(v.number()),
})
/** Days that rows are kept after they ended. */
export const vRetention = v.object({
  deliveriesDays: v.number(),
  activitiesDays: v.number(),
  notificationsDays: v.number(),
})
/** A file beside a message or a document; its contents are in file storage. */
export const vAttachment = v.object({
  id: v.id('attachments'),
  name: v.string(),
  contentType: nullable(v.string()),
  size: v.number(),
})

export const vVersions = v.object({ runtime: v.string(), openclaw: nullable(v.string()) })
export const vInfrastructure = v.object({
  dropletId: nullable(v.string()),
  ip: nullable(v.string()),
  region: nullable(v.string()),
})
export const vUsage = v.object({
  model: nullable(v.string()),
  inputTokens: v.number(),
  outputTokens: v.number(),
  costUsd: nullable(v.number()),
})
