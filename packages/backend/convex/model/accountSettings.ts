/** What admins set for a whole account, beside caps and retention, which have files of their own. */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { localDays } from '../lib/localDays.js'
import { checkInteger, checkText } from '../lib/text.js'
import type { Actor } from './actors.js'
import { recordActivity } from './activity.js'
import { effectivePermissions } from './permissions.js'
import { bump } from './signals.js'

type Account = Doc<'accounts'>
type PermissionDefaults = Account['permissionDefaults']

/**
 * Changes the given fields; what stays the same is no change.
 * @throws INVALID (no name, no IANA time zone, or an agent limit out of bounds) | LIMIT
 */
export async function updateAccount(
  ctx: MutationCtx,
  account: Account,
  actor: Actor,
  fields: {
    readonly name?: string | undefined
    readonly timeZone?: string | undefined
    readonly agentLimit?: number | undefined
  },
): Promise<void> {
  const name = fields.name === undefined ? account.name : checkAccountName(fields.name)
  const timeZone = fields.timeZone === undefined ? account.timeZone : checkTimeZone(fields.timeZone)
  const agentLimit =
    fields.agentLimit === undefined
      ? account.agentLimit
      : checkInteger('agentLimit', fields.agentLimit, 1, LIMITS.agentsPerAccountMax)
  const changes = [
    ...(name === account.name ? [] : [`name: was "${account.name}"`]),
    ...(timeZone === account.timeZone ? [] : [`time zone: ${account.timeZone} -> ${timeZone}`]),
    ...(agentLimit === account.agentLimit ? [] : [`agent limit: ${account.agentLimit} -> ${agentLimit}`]),
  ]
  if (changes.length === 0) return
  await ctx.db.patch(account._id, { name, timeZone, agentLimit })
  await recordChange(ctx, { ...account, name }, actor, changes.join(', '))
}

/** @throws INVALID | LIMIT */
export const checkAccountName = (name: string): string =>
  checkText('name', name, LIMITS.nameChars, { required: true }).trim().replace(/\s+/g, ' ')

/** An offset is no zone: it knows no summer time, so that the account's days would begin at the wrong hour for half of the year. */
function checkTimeZone(timeZone: string): string {
  checkText('timeZone', timeZone, LIMITS.timeZoneChars, { required: true })
  if (/^[+-]/.test(timeZone)) refuse('INVALID', `"${timeZone}" is an offset: give an IANA name such as Europe/Paris.`)
  localDays(timeZone)
  return timeZone
}

/**
 * Replaces the account's layer of permissions; what it does not name is the product's default. Each agent's effective permissions
 * follow in the same transaction, so that no call in between meets old ones: an account has at most a thousand small agent rows.
 * The runtime is told only if something became different for an agent.
 */
export async function setPermissionDefaults(
  ctx: MutationCtx,
  account: Account,
  actor: Actor,
  permissionDefaults: PermissionDefaults,
): Promise<void> {
  if (asText(permissionDefaults) === asText(account.permissionDefaults)) return
  await ctx.db.patch(account._id, { permissionDefaults })
  const agents = await ctx.db
    .query('agents')
    .withIndex('by_account_slug', (q) => q.eq('accountId', account._id))
    .take(LIMITS.agentsPerAccountMax)
  let changed = false
  for (const agent of agents) {
    const permissions = effectivePermissions({ permissionDefaults }, agent.permissionOverrides)
    if (asText(permissions) === asText(agent.permissions)) continue
    await ctx.db.patch(agent._id, { permissions })
    changed = true
  }
  if (changed) await bump(ctx, account._id, 'rosterVersion')
  await recordChange(ctx, account, actor, `permission defaults: ${asText(permissionDefaults) || 'the product’s'}`)
}

/** Keys in one order, so that equal layers are equal texts. */
const asText = (layer: PermissionDefaults): string =>
  Object.entries(layer)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([permission, allowed]) => `${permission} ${allowed ? 'yes' : 'no'}`)
    .join(', ')

async function recordChange(ctx: MutationCtx, account: Account, actor: Actor, detail: string): Promise<void> {
  await recordActivity(ctx, account._id, {
    ...({ type: 'account_updated', actor, targetId: account._id, targetName: account.name, detail } as const),
  })
}
