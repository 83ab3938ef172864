/**
 * What a gateway still knows after it was killed: rows, accepted input, session states, configuration. A log of small changes,
 * in memory or in a file; loading replays them. The fake gateway forgets everything else at a crash, like the real one.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

export interface Row {
  readonly id: string
  readonly role: 'user' | 'assistant'
  readonly text: string
  readonly at: number
  /** `<turn key>:user`, or `<turn key>:terminal-error`. */
  readonly key?: string
  readonly runId?: string
  readonly stopReason?: string
  readonly usage?: { readonly input: number; readonly output: number }
}

export type PendingState = 'queued' | 'interrupted' | 'cancelled'

export interface PendingInput {
  readonly id: string
  readonly runId: string
  readonly message: string
  readonly acceptedAt: number
  readonly state: PendingState
}

export interface SessionMeta {
  readonly status: 'running' | 'done' | 'killed' | 'failed' | 'timeout'
  readonly abortedLastRun: boolean
  readonly lastRunId: string
}

export interface Session {
  readonly rows: Row[]
  readonly pending: Map<string, PendingInput>
  meta: SessionMeta | null
}

type Json = Readonly<Record<string, unknown>>

export type Change =
  | readonly ['row', string, Row]
  | readonly ['drop', string, string]
  | readonly ['pend', string, PendingInput]
  | readonly ['unpend', string, string]
  | readonly ['meta', string, SessionMeta]
  | readonly ['wipe', string]
  | readonly ['claim', string]
  | readonly ['config', Json]

export interface Transcript {
  readonly sessions: ReadonlyMap<string, Session>
  readonly config: Json | null
  /** Agents that were deleted and not claimed since; an entry that comes back by a patch stays among them. */
  readonly deleted: ReadonlySet<string>
  /** The session, made when it is new. */
  session(key: string): Session
  /** Applies a change and makes it durable. */
  change(change: Change): void
}

/** With a file, changes survive the process: written at once, in the order made. */
export function openTranscript(file?: string): Transcript {
  const sessions = new Map<string, Session>()
  const deleted = new Set<string>()
  let config: Json | null = null

  const session = (key: string): Session => {
    const known = sessions.get(key)
    if (known !== undefined) return known
    const fresh: Session = { rows: [], pending: new Map(), meta: null }
    sessions.set(key, fresh)
    return fresh
  }
  const apply = (change: Change): void => {
    switch (change[0]) {
      case 'row':
        session(change[1]).rows.push(change[2])
        break
      case 'drop': {
        const { rows } = session(change[1])
        rows.splice(rows.findIndex((row) => row.id === change[2]) >>> 0, 1)
        break
      }
      case 'pend':
        session(change[1]).pending.set(change[2].runId, change[2])
        break
      case 'unpend':
        session(change[1]).pending.delete(change[2])
        break
      case 'meta':
        session(change[1]).meta = change[2]
        break
      case 'wipe':
        deleted.add(change[1])
        for (const key of sessions.keys()) if (key.startsWith(`agent:${change[1]}:`)) sessions.delete(key)
        break
      case 'claim':
        deleted.delete(change[1])
        break
      case 'config':
        config = change[1]
    }
  }
  if (file !== undefined && existsSync(file)) {
    // The last line may be half written: the process was killed in the middle of it.
    for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) apply(JSON.parse(line) as Change)
  }
  return {
    sessions,
    deleted,
    get config() {
      return config
    },
    session,
    change(change) {
      apply(change)
      if (file !== undefined) appendFileSync(file, `${JSON.stringify(change)}\n`, { mode: 0o600 })
    },
  }
}
