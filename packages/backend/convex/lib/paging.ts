import type { PaginationOptions } from 'convex/server'
import { LIMITS } from '@mission-control/shared/limits'
import { checkInteger } from './text.js'

/** Bytes of rows one page may read: half of what Convex lets a function read (16 MiB). A page of long texts ends early. */
const PAGE_BYTES = 8_000_000

/** Rows of a page that each cost a task of unknown length: as many of the longest as a function may read. */
export const TASKS_LOOKED_UP = 50

/** @throws INVALID for a page larger than LIMITS.pageSize */
export function pageWithin(options: PaginationOptions): PaginationOptions & { maximumBytesRead: number } {
  checkInteger('numItems', options.numItems, 1, LIMITS.pageSize)
  const { maximumBytesRead = PAGE_BYTES } = options as { maximumBytesRead?: number }
  return { ...options, maximumBytesRead: Math.min(maximumBytesRead, PAGE_BYTES) }
}
