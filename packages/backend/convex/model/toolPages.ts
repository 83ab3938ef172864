/** Pages of what tools read: short lines, and cursors that a model can carry around without breaking anything. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import { canonicalJson } from '@mission-control/shared/canonical-json'
import type { ToolName } from '@mission-control/shared/tools'
import { PAGE_LINES } from '@mission-control/shared/tools'
import { refuse } from '../lib/errors.js'
import { sha256Hex } from '../lib/tokens.js'

/** Hex digits that tie a cursor to the call it came from: against mistakes, not against attackers, who get nothing from it. */
const CHECK_DIGITS = 8

export interface PageArgs {
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

export interface Page<T> {
  readonly page: readonly T[]
  /** To read on with, or `null` at the end. */
  readonly cursor: string | null
}

/**
 * One page by the cursor that the same call with the same other arguments answered.
 * @throws INVALID for any other cursor
 */
export async function readPage<T>(
  tool: ToolName,
  { cursor, limit = PAGE_LINES.default, ...args }: PageArgs,
  read: (options: PaginationOptions) => Promise<PaginationResult<T>>,
): Promise<Page<T>> {
  const checkOf = (text: string) => sha256Hex(canonicalJson([tool, args, text])).slice(0, CHECK_DIGITS)
  const given = cursor?.slice(0, -CHECK_DIGITS) ?? null
  if (given !== null && cursor !== given + checkOf(given)) {
    refuse('INVALID', `This is no cursor of ${tool} with these arguments: repeat the call that answered it, or leave it out.`)
  }
  const { page, isDone, continueCursor } = await read({ cursor: given, numItems: limit })
  return { page, cursor: isDone ? null : continueCursor + checkOf(continueCursor) }
}
