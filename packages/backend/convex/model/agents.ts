/** Agents: creating, changing and removing them. The roster's version moves exactly when the runtime has something to do. */
import { canonicalJson } from '@mission-control/shared/canonical-json'
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
import type { PermissionChange } from './permissions.js'
import { effectivePermissions, withOverrides } from './permissions.js'
import { bump } from './signals.js'
import { sweep } from './sweep.js'

export interface Profile {
  readonly soul: string
  readonly identity: string
  readonly user: string
}
export interface AgentFields {
  readonly slug?: string | undefined
  readonly name?: string | undefined
  readonly role?: string | undefined
  /** A name of the dashboard's icon set. */
  readonly icon?: string | null | undefined
  readonly model?: string | null | undefined
  readonly heartbeatMinutes?: number | undefined
  /** The agent's own layer; `null` takes an override back. */
  readonly permissions?: PermissionChange | undefined
  readonly profile?: Partial<Profile> | undefined
}

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
  if (others.length >= account.agentLimit)
    refuse('LIMIT', `The account may have ${account.agentLimit} agents: remove one, or let an admin raise the limit.`)
  const profile = { ...EMPTY_PROFILE, ...checked.profile }
  const permissionOverrides = withOverrides({}, fields.permissions ?? {})
  const agentId = await ctx.db.insert('agents', {
    accountId: account._id,
    slug: fields.slug,
    name: fields.name.trim(),
    nameKey: nameKey(fields.name),
    role: fields.role ?? '',
    icon: fields.icon ?? null,
    budgets: NO_BUDGETS,
    model: fields.model ?? null,
    heartbeatMinutes: fields.heartbeatMinutes ?? LIMITS.heartbeatMinutesDefault,
    paused: false,
    permissionOverrides,
    permissions: effectivePermissions(account, permissionOverrides),
    profileHash: profileHash(profile),
  })
  await ctx.db.insert('agentProfiles', { accountId: account._id, agentId, ...profile })
  await setPresence(ctx, account._id, agentId, {})
  await bump(ctx, account._id, 'rosterVersion')
  await recordActivity(ctx, account._id, { type: 'agent_created', actor, targetId: agentId, targetName: fields.name })
  return agentId
}

/** What the runtime sees of an agent: its gateway's configuration, its workspace, its heartbeats, its tools. */
const SEEN_BY_RUNTIME: ReadonlySet<string> = new Set<keyof Doc<'agents'>>([
  ...(['slug', 'name', 'role', 'model', 'heartbeatMinutes', 'permissions', 'profileHash'] as const),
])

/** Changes the given fields. The roster's version moves only if one of them is the runtime's business. */
export async function updateAgent(
  ctx: MutationCtx,
  account: Doc<'accounts'>,
  agent: Doc<'agents'>,
  actor: Actor,
  fields: AgentFields,
): Promise<void> {
  const { profile, permissions, ...rest } = checkFields(fields)
  if (rest.slug !== undefined && rest.slug !== agent.slug) await refuseTakenSlug(ctx, agent.accountId, rest.slug)
  const row = await getProfile(ctx, agent)
  const nextProfile = { soul: row.soul, identity: row.identity, user: row.user, ...profile }
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Partial<Doc<'agents'>>
  const permissionOverrides = withOverrides(agent.permissionOverrides, permissions ?? {})
  const patch: Partial<Doc<'agents'>> = {
    ...given,
    ...(rest.name === undefined ? {} : { name: rest.name.trim(), nameKey: nameKey(rest.name) }),
    permissionOverrides,
    permissions: effectivePermissions(account, permissionOverrides),
    profileHash: profileHash(nextProfile),
  }
  const changed = (Object.keys(patch) as (keyof typeof patch)[]).filter((key) => !sameValue(patch[key], agent[key]))
  if (changed.length === 0) return
  await ctx.db.patch(agent._id, patch)
  if (patch.profileHash !== agent.profileHash) await ctx.db.patch(row._id, nextProfile)
  if (changed.some((key) => SEEN_BY_RUNTIME.has(key))) await bump(ctx, agent.accountId, 'rosterVersion')
  const detail = changed.map((key) => DETAIL[key] ?? key).filter((key, i, all) => all.indexOf(key) === i)
  await recordActivity(ctx, agent.accountId, {
    ...({ type: 'agent_updated', actor, targetId: agent._id, targetName: patch.name ?? agent.name } as const),
    detail: detail.join(', '),
  })
  if (changed.includes('slug')) await sweep(ctx, { kind: 'rekey', accountId: agent.accountId, agentId: agent._id })
}

/** How the record names a field, where that differs. */
const DETAIL: Readonly<Record<string, string>> = {
  nameKey: 'name',
  permissionOverrides: 'permissions',
  profileHash: 'profile',
}

/** Keys in one order: a layer may have been written key by key. */
const sameValue = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b)

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

const ICON = /^[a-z0-9-]{1,40}$/

function checkFields<F extends AgentFields>(fields: F): F {
  const { slug, name, role, heartbeatMinutes, profile } = fields
  const refusal = slug === undefined ? null : refuseSlug(slug)
  if (refusal !== null) refuse('INVALID', refusal)
  if (name !== undefined) checkText('name', name, LIMITS.nameChars, { required: true })
  if (role !== undefined) checkText('role', role, LIMITS.nameChars)
  if (typeof fields.icon === 'string' && !ICON.test(fields.icon)) {
    refuse('INVALID', 'icon is no icon name: use 1 to 40 lower-case letters, digits and hyphens, or null for none.')
  }
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
