/**
 * What a transaction read and what it wrote. A subscription is dirty, and two Convex mutations conflict, exactly when a write
 * set intersects a read set. Filters do not narrow a read set; an empty range still counts as read.
 */
import type { IndexInfo } from '../storage/catalog.ts'

/** An interval low <= key < high of one index. Cursors widen theirs as they read. */
export interface ReadRange {
  index: IndexInfo
  low: Buffer
  high: Buffer
}
export interface ReadSet {
  ids: Set<string>
  /** By index id. */
  ranges: Map<number, ReadRange[]>
}
export interface WrittenKey {
  index: IndexInfo
  before?: Buffer
  after?: Buffer
}
export interface Write {
  table: string
  id: string
  keys: WrittenKey[]
}

export function createReadSet(): ReadSet {
  return { ids: new Set(), ranges: new Map() }
}

export function addRange(reads: ReadSet, range: ReadRange): ReadRange {
  const list = reads.ranges.get(range.index.id)
  if (list) list.push(range)
  else reads.ranges.set(range.index.id, [range])
  return range
}

/** Whether any of `writes` changes something `reads` saw, or would have seen. */
export function intersects(reads: ReadSet, writes: Iterable<Write>): boolean {
  for (const write of writes) {
    if (reads.ids.has(write.id)) return true
    for (const key of write.keys) {
      const ranges = reads.ranges.get(key.index.id)
      if (!ranges) continue
      for (const range of ranges) {
        if ((key.before && within(range, key.before)) || (key.after && within(range, key.after))) return true
      }
    }
  }
  return false
}

function within(range: ReadRange, key: Buffer): boolean {
  return range.low.compare(key) <= 0 && key.compare(range.high) < 0
}
