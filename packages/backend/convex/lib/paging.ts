import type { PaginationOptions } from 'convex/server'
import { LIMITS } from '@mission-control/shared/limits'
import { checkInteger } from './text.js'

/** @throws INVALID for a page larger than LIMITS.pageSize */
export function pageWithin(options: PaginationOptions): PaginationOptions {
  checkInteger('numItems', options.numItems, 1, LIMITS.pageSize)
  return options
}
