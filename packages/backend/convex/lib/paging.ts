import type { PaginationOptions } from 'convex/server'
import { LIMITS } from '@mission-control/shared/limits'
import { checkInteger } from './text.js'

/** Bytes of rows one page may read: half of what Convex lets a function read (16 MiB). A page of long texts ends early. */
const PAGE_BYTES = 8_000_000

/** Rows of a page that each cost a task of unknown length: as many of the longest as a function may read. */
export const TASKS_LOOKED_UP = 50

/** @throws INVALID for a page larger than LIMITS.pageSize, or one that may read nothing */
export function pageWithin(options: PaginationOptions): PaginationOptions & { maximumBytesRead: number } {
  checkInteger('numItems', options.numItems, 1, LIMITS.pageSize)
  const { maximumBytesRead = PAGE_BYTES, maximumRowsRead = 1 } = options as {
    [K in 'maximumBytesRead' | 'maximumRowsRead']?: number
  }
  checkInteger('maximumBytesRead', maximumBytesRead, 1, Number.MAX_SAFE_INTEGER)
  checkInteger('maximumRowsRead', maximumRowsRead, 1, Number.MAX_SAFE_INTEGER)
  return { ...options, maximumBytesRead: Math.min(maximumBytesRead, PAGE_BYTES) }
}
