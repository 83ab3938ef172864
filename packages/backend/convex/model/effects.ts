/**
 * What a turn creates through tools, created once. A turn may run again after a crash, and the model then calls the same tools again
 * with the same arguments: rows of (item, arguments) are handed out in the order they were made, one per call of the new pass, and
 * only what goes beyond them is created. Calls that are equal within one pass are meant twice.
 */
import { canonicalJson } from '@mission-control/shared/canonical-json'
import { LIMITS } from '@mission-control/shared/limits'
import type { ToolName } from '@mission-control/shared/tools'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { sha256Hex } from '../lib/tokens.js'
import type { Item } from './lanes.js'

export interface ToolCall {
  readonly tool: ToolName
  /** Checked, without `turn`. */
  readonly args: object
  /** Fence and boot of the gateway: what one run of the model does has one pass. */
  readonly pass: string
  /** One per call that the model made; the same in each try of the runtime to bring it here. */
  readonly callId: string
}

export interface Created {
  /** One line for the prompt of a later attempt. */
  readonly summary: string
  /** JSON. */
  readonly result: string
}

/** Equal for calls that differ in the order of keys or in whitespace only. */
export const effectKey = ({ tool, args }: Pick<ToolCall, 'tool' | 'args'>): string => sha256Hex(`${tool} ${canonicalJson(args)}`)

/**
 * @returns the JSON result, of now or of the call that this one repeats
 * @throws LIMIT for the same call too many times, and whatever `create` throws
 */
export async function createOnce(
  ctx: MutationCtx,
  item: Item,
  call: ToolCall,
  create: () => Promise<Created>,
): Promise<{ result: string; replayed: boolean }> {
  const { accountId, _id: deliveryId } = item
  const { tool, pass, callId } = call
  const key = effectKey(call)
  const rows = await ctx.db
    .query('effects')
    .withIndex('by_delivery_key', (q) => q.eq('accountId', accountId).eq('deliveryId', deliveryId).eq('key', key))
    .take(LIMITS.sameCreatesPerItem)
  const repeated = rows.find((row) => row.callId === callId)
  if (repeated) return { result: repeated.result, replayed: true }
  const earlier = rows.find((row) => row.pass !== pass)
  if (earlier) {
    await ctx.db.patch(earlier._id, { pass, callId })
    return { result: earlier.result, replayed: true }
  }
  if (rows.length >= LIMITS.sameCreatesPerItem) {
    refuse('LIMIT', `You have made this very call ${LIMITS.sameCreatesPerItem} times in this turn: that is enough.`)
  }
  const { summary, result } = await create()
  await ctx.db.insert('effects', { accountId, deliveryId, key, n: rows.length + 1, pass, callId, tool, summary, result })
  return { result, replayed: false }
}

/** What earlier attempts of the item created, oldest first; `more` if these are not all. */
export async function effectsOf(
  ctx: { db: QueryCtx['db'] },
  item: Item,
  limit: number,
): Promise<{ effects: Doc<'effects'>[]; more: boolean }> {
  const rows = await ctx.db
    .query('effects')
    .withIndex('by_delivery_key', (q) => q.eq('accountId', item.accountId).eq('deliveryId', item._id))
    .take(limit + 1)
  const effects = rows.slice(0, limit).sort((a, b) => a._creationTime - b._creationTime || a.n - b.n)
  return { effects, more: rows.length > limit }
}
