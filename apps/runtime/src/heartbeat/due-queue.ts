/** A heap of agents by due time: one timer serves a thousand agents. Stale entries are dropped when they come to the top. */
export interface DueQueue {
  set(id: string, at: number): void
  delete(id: string): void
  /** Earliest due time, or `null`. */
  peek(): number | null
  /** Ids due at `now`, earliest first, at most `limit`. They leave the queue. */
  take(now: number, limit: number): string[]
  readonly size: number
}

interface Entry {
  readonly id: string
  readonly at: number
}

export function createDueQueue(): DueQueue {
  const heap: Entry[] = []
  const current = new Map<string, Entry>()
  const isStale = (entry: Entry) => current.get(entry.id) !== entry

  function push(entry: Entry): void {
    let i = heap.push(entry) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (at(heap, parent).at <= entry.at) break
      heap[i] = at(heap, parent)
      i = parent
    }
    heap[i] = entry
  }

  function pop(): void {
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && at(heap, child + 1).at < at(heap, child).at) child += 1
      if (at(heap, child).at >= last.at) break
      heap[i] = at(heap, child)
      i = child
    }
    heap[i] = last
  }

  function top(): Entry | null {
    while (heap[0] !== undefined && isStale(heap[0])) pop()
    return heap[0] ?? null
  }

  return {
    set(id, time) {
      if (current.get(id)?.at === time) return
      const entry = { id, at: time }
      current.set(id, entry)
      push(entry)
    },
    delete: (id) => void current.delete(id),
    peek: () => top()?.at ?? null,
    take(now, limit) {
      const ids: string[] = []
      for (let entry = top(); entry !== null && entry.at <= now && ids.length < limit; entry = top()) {
        pop()
        current.delete(entry.id)
        ids.push(entry.id)
      }
      return ids
    },
    get size() {
      return current.size
    },
  }
}

function at(heap: readonly Entry[], index: number): Entry {
  const entry = heap[index]
  if (entry === undefined) throw new RangeError(`no heap entry ${index}`)
  return entry
}
