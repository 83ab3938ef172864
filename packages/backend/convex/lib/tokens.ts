/** Hashing and comparing service tokens. Synchronous: queries and mutations have no crypto.subtle. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { parseServiceToken } from '@mission-control/shared/service-token'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from './errors.js'

export const sha256Hex = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)))

/** Hex digits of the hash that the index looks up: enough to name a row, far too few to guess the rest from timing. */
const LOOKUP_DIGITS = 8
/** Rows of one account that may share a lookup. Two already need 2^16 tokens of luck. */
const SAME_LOOKUP = 4

export function hashToken(text: string): { hash: string; lookup: string } {
  const hash = sha256Hex(text)
  return { hash, lookup: hash.slice(0, LOOKUP_DIGITS) }
}

/** Compares two texts in a time that depends on their length only. */
export function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(1, b.length))
  return difference === 0
}

/**
 * The token row that this text stands for. Malformed, unknown, revoked, expired and foreign tokens get the same answer, so that
 * nothing is learnt from a refusal. Reads no clock: a scheduled mutation flips `state` at expiry.
 * @throws TOKEN_REFUSED
 */
export async function requireServiceToken(
  ctx: { db: QueryCtx['db'] },
  accountId: string,
  text: string,
): Promise<Doc<'serviceTokens'> & { accountId: Id<'accounts'> }> {
  const account = ctx.db.normalizeId('accounts', accountId)
  const { hash, lookup } = hashToken(text)
  if (account !== null && parseServiceToken(text) !== null) {
    const rows = await ctx.db
      .query('serviceTokens')
      .withIndex('by_account_lookup', (q) => q.eq('accountId', account).eq('lookup', lookup))
      .take(SAME_LOOKUP)
    const token = rows.find((row) => equalInConstantTime(row.hash, hash))
    if (token?.state === 'active') return token
  }
  return refuse('TOKEN_REFUSED', 'The service token is not valid for this account.')
}
