/**
 * Who read what, looked up from what was written: a commit finds the read sets it intersects without asking every live query,
 * so that a mutation costs the same whoever else watches other data.
 */
import type { ReadSet, Write } from '../transactions/footprint.ts'
import { createIntervalTree, type Handle, type IntervalTree } from './interval-tree.ts'

interface Held {
  reads: ReadSet
  ranges: { indexId: number; handle: Handle }[]
}

export function createWatches<Owner>() {
  const held = new Map<Owner, Held>()
  const byId = new Map<string, Set<Owner>>()
  const byIndex = new Map<number, IntervalTree<Owner>>()

  function drop(owner: Owner): void {
    const old = held.get(owner)
    if (!old) return
    held.delete(owner)
    for (const id of old.reads.ids) {
      const owners = byId.get(id)
      owners?.delete(owner)
      if (owners?.size === 0) byId.delete(id)
    }
    for (const { indexId, handle } of old.ranges) {
      const tree = byIndex.get(indexId)
      tree?.remove(handle)
      if (tree?.size() === 0) byIndex.delete(indexId)
    }
  }

  return {
    drop,
    /** Replaces what `owner` watches. The read set must be final: its transaction has ended. */
    set(owner: Owner, reads: ReadSet): void {
      drop(owner)
      const ranges: Held['ranges'] = []
      for (const id of reads.ids) {
        const owners = byId.get(id)
        if (owners) owners.add(owner)
        else byId.set(id, new Set([owner]))
      }
      for (const [indexId, list] of reads.ranges) {
        let tree = byIndex.get(indexId)
        if (!tree) byIndex.set(indexId, (tree = createIntervalTree<Owner>()))
        for (const { low, high } of list) ranges.push({ indexId, handle: tree.add({ low, high, owner }) })
      }
      held.set(owner, { reads, ranges })
    },
    /** Owners whose read set intersects `writes`, each once. */
    affected(writes: Iterable<Write>): Set<Owner> {
      const found = new Set<Owner>()
      const note = (owner: Owner) => void found.add(owner)
      for (const write of writes) {
        for (const owner of byId.get(write.id) ?? []) found.add(owner)
        for (const { index, before, after } of write.keys) {
          const tree = byIndex.get(index.id)
          if (!tree) continue
          if (before) tree.visit(before, note)
          if (after) tree.visit(after, note)
        }
      }
      return found
    },
    /** Read sets, ids and indexes held: all zero when nobody watches. */
    sizes: () => ({ owners: held.size, ids: byId.size, indexes: byIndex.size }),
  }
}
