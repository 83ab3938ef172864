/**
 * Live queries. A set holds the queries of one subscriber under one identity; a commit whose writes intersect what a query
 * read makes it dirty; `advance` re-runs every dirty query on one snapshot and reports only results that changed. The commit
 * is a hint to advance, the re-run is the truth.
 */
import type { Core } from '../functions/core.ts'
import { FunctionError } from '../errors.ts'
import type { Commit } from '../transactions/writer.ts'
import { intersects, type ReadSet } from '../transactions/footprint.ts'
import type { Snapshots } from '../transactions/snapshots.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { createWatches } from './watches.ts'

export interface LiveQuery {
  path: string
  args: Json
  journal: string | null
}
export type LiveResult =
  | { ok: true; value: Json; logLines: string[]; journal: string | null }
  | { ok: false; message: string; data: Json | undefined; logLines: string[]; requestId: string; journal: null }
export interface Advance {
  ts: bigint
  changes: { queryId: number; result: LiveResult }[]
}
interface Entry extends LiveQuery {
  /** Tells the set that holds this query that it is dirty. */
  notify: () => void
  /** JSON of the last result sent, to drop re-runs that changed nothing. */
  sent: string | null
  dirty: boolean
}
export type LiveSets = ReturnType<typeof createLiveSets>
export type LiveSet = ReturnType<LiveSets['open']>

export function createLiveSets(deps: { core: Core; snapshots: Snapshots }) {
  const { core, snapshots } = deps
  const watches = createWatches<Entry>()
  const sets = new Set<{ entries: Map<number, Entry>; notify: () => void }>()
  /** Of the sets that run queries right now: the commits since their snapshot. */
  const running = new Set<Commit[]>()

  function open(options: { onDirty(): void }) {
    const entries = new Map<number, Entry>()
    const notify = () => options.onDirty()
    let identity: JsonObject | null = null
    let internal = false
    const own = { entries, notify }
    sets.add(own)

    function remove(queryId: number): void {
      const entry = entries.get(queryId)
      if (entry) watches.drop(entry)
      entries.delete(queryId)
    }

    return {
      add(queryId: number, query: LiveQuery): void {
        remove(queryId)
        entries.set(queryId, { ...query, notify, sent: null, dirty: true })
      },
      remove,
      size: () => entries.size,
      hasDirty: () => [...entries.values()].some((entry) => entry.dirty),
      /** A new identity re-runs everything: any result may depend on it. */
      setIdentity(next: { identity: JsonObject | null; internal: boolean }): void {
        identity = next.identity
        internal = next.internal
        for (const entry of entries.values()) entry.dirty = true
      },
      async advance(): Promise<Advance> {
        const due = [...entries].filter(([, entry]) => entry.dirty)
        const changes: Advance['changes'] = []
        // Commits that land while queries run on an older snapshot: checked against what those queries turn out to have read.
        const meanwhile: Commit[] = []
        const ts = await snapshots
          .with(async (snapshot) => {
            running.add(meanwhile) // commits before the snapshot are in it
            // All of them before the first run: a change of identity or data during any of them makes a query due again.
            for (const [, entry] of due) entry.dirty = false
            for (const [queryId, entry] of due) {
              const { result, reads } = await runOne(snapshot, entry)
              if (entries.get(queryId) !== entry) continue // no longer wanted: nothing may be kept of it
              watches.set(entry, reads)
              if (meanwhile.some((commit) => intersects(reads, commit.writes))) entry.dirty = true
              const text = JSON.stringify(result.ok ? [result.value] : { error: result.message, data: result.data ?? null })
              if (entry.sent === text) continue
              entry.sent = text
              entry.journal = result.journal
              changes.push({ queryId, result })
            }
            return snapshot.ts
          })
          .catch((error: unknown) => {
            for (const [, entry] of due) entry.dirty = true // runs that could not take place are still owed
            throw error
          })
          .finally(() => running.delete(meanwhile))
        return { ts, changes }
      },
      close(): void {
        sets.delete(own)
        for (const entry of entries.values()) watches.drop(entry)
        entries.clear()
      },
    }

    async function runOne(
      snapshot: Parameters<Core['queryIn']>[0],
      entry: Entry,
    ): Promise<{ result: LiveResult; reads: ReadSet }> {
      const requestId = core.newRequestId()
      try {
        const fn = await core.resolve(entry.path, ['query'], internal)
        const ran = await core.queryIn(snapshot, fn, entry.args, { identity, internal, requestId, journal: entry.journal })
        if (ran.outcome) return { result: { ok: true, ...ran.outcome }, reads: ran.tx.reads }
        return { result: failed(ran.error, requestId), reads: ran.tx.reads }
      } catch (error) {
        return { result: failed(error, requestId), reads: { ids: new Set(), ranges: new Map() } }
      }
    }
  }

  return {
    open,
    /** Tells the sets a commit concerns. Called after COMMIT, before the mutation's caller is answered. */
    publish(commit: Commit): void {
      for (const meanwhile of running) meanwhile.push(commit)
      const concerned = new Set<() => void>()
      for (const entry of watches.affected(commit.writes)) {
        entry.dirty = true
        concerned.add(entry.notify)
      }
      for (const notify of concerned) notify()
    },
    /** Every live query runs again: what they read changed in a way no commit tells. */
    rerunAll(): void {
      for (const { entries, notify } of sets) {
        for (const entry of entries.values()) entry.dirty = true
        notify()
      }
    },
    count: () => sets.size,
    /** What is held for watchers; all zero when nobody watches. */
    watching: () => watches.sizes(),
  }
}

function failed(error: unknown, requestId: string): LiveResult {
  if (!(error instanceof FunctionError)) throw error
  return { ok: false, message: error.message, data: error.data, logLines: error.logLines, requestId, journal: null }
}
