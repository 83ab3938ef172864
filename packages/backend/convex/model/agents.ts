/** Agents: creating, changing and removing them. The roster's version moves exactly when the runtime has something to do. */
import { LIMITS } from '@mission-control/shared/limits'
import { refuseSlug } from '@mission-control/shared/session-keys'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { checkInteger, checkText, nameKey } from '../lib/text.js'
import { sha256Hex } from '../lib/tokens.js'
import { NO_BUDGETS } from './accounts.js'
import type { Actor } from './actors.js'
import { recordActivity } from './activity.js'
import { setPresence } from './presence.js'
import { bump } from './signals.js'
import { sweep } from './sweep.js'

export type Permissions = Doc<'agents'>['permissions']
export interface Profile {
  readonly soul: string
  readonly identity: string
  readonly user: string
}
export interface AgentFields {
  readonly slug?: string | undefined
  readonly name?: string | undefined
  readonly role?: string | undefined
  readonly model?: string | null | undefined
  readonly heartbeatMinutes?: number | undefined
  readonly permissions?: Partial<Permissions> | undefined
  readonly profile?: Partial<Profile> | undefined
}

const DEFAULT_PERMISSIONS: Permissions = {
  canCreateTasks: false,
  canModifyTaskStatus: true,
  canCreateDocuments: true,
  canRequestResponses: true,
  canReview: false,
  canMarkDone: false,
}
/** Product default, account, agent: the later layer wins, key by key. Pure. */
export const effectivePermissions = (
  account: Pick<Doc<'accounts'>, 'permissionDefaults'>,
  overrides: Partial<Permissions>,
): Permissions => ({ ...DEFAULT_PERMISSIONS, ...account.permissionDefaults, ...overrides })

const EMPTY_PROFILE: Profile = { soul: '', identity: '', user: '' }

const profileHash = ({ soul, identity, user }: Profile): string => sha256Hex(JSON.stringify([soul, identity, user])).slice(0, 16)

/** Every agent has a profile row from its creation on. */
export async function getProfile(ctx: { db: QueryCtx['db'] }, agent: Doc<'agents'>): Promise<Doc<'agentProfiles'>> {
  const row = await ctx.db
    .query('agentProfiles')
    .withIndex('by_account_agent', (q) => q.eq('accountId', agent.accountId).eq('agentId', agent._id))
    .unique()
  if (!row) throw new Error(`Agent ${agent._id} has no profile row.`)
  return row
}

/** @throws LIMIT | INVALID | CONFLICT (slug taken) */
export async function createAgent(
  ctx: MutationCtx,
  account: Doc<'accounts'>,
  actor: Actor,
  fields: AgentFields & { readonly slug: string; readonly name: string },
): Promise<Id<'agents'>> {
  const checked = checkFields(fields)
  await refuseTakenSlug(ctx, account._id, fields.slug)
  const others = await ctx.db
    .query('agents')
    .withIndex('by_account_slug', (q) => q.eq('accountId', account._id))
    .take(account.agentLimit)
  if (others.length >= account.agentLimit) refuse('LIMIT', `The account may have ${account.agentLimit} agents.`)
  const profile = { ...EMPTY_PROFILE, ...checked.profile }
  const agentId = await ctx.db.insert('agents', {
    accountId: account._id,
    slug: fields.slug,
    name: fields.name.trim(),
    nameKey: nameKey(fields.name),
    role: fields.role ?? '',
    icon: null,
    budgets: NO_BUDGETS,
    model: fields.model ?? null,
    heartbeatMinutes: fields.heartbeatMinutes ?? LIMITS.heartbeatMinutesDefault,
    paused: false,
    permissionOverrides: fields.permissions ?? {},
    permissions: effectivePermissions(account, fields.permissions ?? {}),
    profileHash: profileHash(profile),
  })
  await ctx.db.insert('agentProfiles', { accountId: account._id, agentId, ...profile })
  await setPresence(ctx, account._id, agentId, {})
  await bump(ctx, account._id, 'rosterVersion')
  await recordActivity(ctx, account._id, { type: 'agent_created', actor, targetId: agentId, targetName: fields.name })
  return agentId
}

/** Changes the given fields; what stays the same changes nothing for the runtime. */
export async function updateAgent(ctx: MutationCtx, agent: Doc<'agents'>, actor: Actor, fields: AgentFields): Promise<void> {
  const { profile, permissions, ...rest } = checkFields(fields)
  if (rest.slug !== undefined && rest.slug !== agent.slug) await refuseTakenSlug(ctx, agent.accountId, rest.slug)
  const row = await getProfile(ctx, agent)
  const nextProfile = { soul: row.soul, identity: row.identity, user: row.user, ...profile }
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Partial<Doc<'agents'>>
  const patch: Partial<Doc<'agents'>> = {
    ...given,
    ...(rest.name === undefined ? {} : { name: rest.name.trim(), nameKey: nameKey(rest.name) }),
    ...(permissions ? { permissions: { ...agent.permissions, ...permissions } } : {}),
    profileHash: profileHash(nextProfile),
  }
  const changed = (Object.keys(patch) as (keyof typeof patch)[]).filter(
    (key) => JSON.stringify(patch[key]) !== JSON.stringify(agent[key]),
  )
  if (changed.length === 0) return
  await ctx.db.patch(agent._id, patch)
  if (patch.profileHash !== agent.profileHash) await ctx.db.patch(row._id, nextProfile)
  await bump(ctx, agent.accountId, 'rosterVersion')
  const detail = changed.filter((key) => key !== 'nameKey').join(', ')
  await recordActivity(ctx, agent.accountId, {
    ...({ type: 'agent_updated', actor, targetId: agent._id, targetName: agent.name, detail } as const),
  })
  if (changed.includes('slug')) await sweep(ctx, { kind: 'rekey', accountId: agent.accountId, agentId: agent._id })
}

/** Pausing holds the heads of the agent's lanes; a turn that runs goes on to its end. */
export async function setPaused(ctx: MutationCtx, agent: Doc<'agents'>, actor: Actor, paused: boolean): Promise<void> {
  if (agent.paused === paused) return
  await ctx.db.patch(agent._id, { paused })
  await bump(ctx, agent.accountId, 'rosterVersion')
  await recordActivity(ctx, agent.accountId, {
    type: paused ? 'agent_paused' : 'agent_resumed',
    actor,
    targetId: agent._id,
    targetName: agent.name,
  })
  await sweep(ctx, { kind: paused ? 'hold' : 'resume', accountId: agent.accountId, agentId: agent._id })
}

function checkFields<F extends AgentFields>(fields: F): F {
  const { slug, name, role, heartbeatMinutes, profile } = fields
  const refusal = slug === undefined ? null : refuseSlug(slug)
  if (refusal !== null) refuse('INVALID', refusal)
  if (name !== undefined) checkText('name', name, LIMITS.nameChars, { required: true })
  if (role !== undefined) checkText('role', role, LIMITS.nameChars)
  if (fields.model) checkText('model', fields.model, LIMITS.nameChars)
  if (heartbeatMinutes !== undefined) {
    checkInteger('heartbeatMinutes', heartbeatMinutes, LIMITS.heartbeatMinutesMin, LIMITS.heartbeatMinutesMax)
  }
  for (const [key, text] of Object.entries(profile ?? {})) checkText(key, text, LIMITS.profileChars)
  return fields
}

async function refuseTakenSlug(ctx: MutationCtx, accountId: Id<'accounts'>, slug: string): Promise<void> {
  const taken = await ctx.db
    .query('agents')
    .withIndex('by_account_slug', (q) => q.eq('accountId', accountId).eq('slug', slug))
    .unique()
  if (taken) refuse('CONFLICT', `The slug "${slug}" is taken.`)
}
