/** Service tokens beside the guard: when they were used, and when they end. */
import type { TokenState } from '@mission-control/shared/enums'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'

/** Written by check-ins only: once or four times a minute, never on the way of a delivery. */
export async function noteTokenUse(ctx: MutationCtx, token: Doc<'serviceTokens'>): Promise<void> {
  const row = await ctx.db
    .query('tokenUse')
    .withIndex('by_account_token', (q) => q.eq('accountId', token.accountId).eq('tokenId', token._id))
    .unique()
  if (row) await ctx.db.patch(row._id, { lastUsedAt: now() })
  else await ctx.db.insert('tokenUse', { accountId: token.accountId, tokenId: token._id, lastUsedAt: now() })
}

/** Ends a token; a live subscription with it is refused at once, because its guard read this row. */
export async function endToken(
  ctx: MutationCtx,
  token: Doc<'serviceTokens'>,
  state: Exclude<TokenState, 'active'>,
  actor: Actor,
): Promise<void> {
  if (token.state !== 'active') return
  await ctx.db.patch(token._id, { state, endedAt: now() })
  await recordActivity(ctx, token.accountId, {
    type: state === 'revoked' ? 'service_token_revoked' : 'service_token_expired',
    actor,
    targetId: token._id,
    targetName: token.name,
  })
}
