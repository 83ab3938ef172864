/**
 * What one function read and wrote, in a form a test can print and compare. Two mutations that run at the same time on real
 * Convex conflict when one wrote what the other read; on this backend they never do, so a test asserts it from traces.
 */
import type { Catalog } from './storage/catalog.ts'
import { intersects, type ReadSet, type Write } from './transactions/footprint.ts'
import type { Usage } from './transactions/limits.ts'
import { tableNumberOf } from './values/ids.ts'
import { decodeKey } from './values/decode-key.ts'

export type TracedRead = { table: string; id: string } | { table: string; index: string; from: string; to: string }
export interface TracedWrite {
  table: string
  id: string
  kind: 'insert' | 'update' | 'delete'
  /** Index keys that appeared or disappeared, as readable tuples. */
  keys: { index: string; before?: string; after?: string }[]
}
export interface Trace<T = unknown> {
  result: T
  reads: TracedRead[]
  writes: TracedWrite[]
  documentsRead: number
  usage: Usage
  readSet: ReadSet
  writeSet: readonly Write[]
}

/** Whether what `writer` wrote changes anything `reader` read: if so, one of the two would be retried on real Convex. */
export function conflicts(writer: Pick<Trace, 'writeSet'>, reader: Pick<Trace, 'readSet'>): boolean {
  return intersects(reader.readSet, writer.writeSet)
}

export function describeReads(catalog: Catalog, reads: ReadSet): TracedRead[] {
  const byId = [...reads.ids].map((id) => ({ table: catalog.tableByNumber(tableNumberOf(id) ?? 0)?.name ?? 'unknown', id }))
  const ranges = [...reads.ranges.values()].flat().map(({ index, low, high }) => ({
    table: index.table,
    index: index.name.slice(index.table.length + 1),
    from: decodeKey(low),
    to: decodeKey(high),
  }))
  return [...byId, ...ranges]
}

export function describeWrites(writes: readonly Write[]): TracedWrite[] {
  return writes.map((write) => {
    const [first] = write.keys
    const kind = first?.before ? (first.after ? 'update' : 'delete') : 'insert'
    const changed = write.keys.filter(({ before, after }) => !(before && after && before.equals(after)))
    const keys = changed.map(({ index, before, after }) => ({
      index: index.name.slice(index.table.length + 1),
      ...(before && { before: decodeKey(before) }),
      ...(after && { after: decodeKey(after) }),
    }))
    return { table: write.table, id: write.id, kind, keys }
  })
}
