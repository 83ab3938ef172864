/**
 * What to do about a turn that may have been sent before, from one look at the gateway. Pure. The rules in words:
 *
 *  answer of this run, or of the run that recovered it     -> settle it; a key with an answer is never sent again (it would not
 *                                                             run, but write an error row and spoil the wait)
 *  no user row, input still queued                         -> wait for it
 *  no user row, input interrupted or cancelled             -> spent: the gateway will refuse this key for good
 *  no user row, older rows not read, another run live      -> wait for that run: it may be the recovery of a turn whose user row
 *                                                             lies further back
 *  no user row, nothing known                              -> send
 *  user row, no answer, not asked yet                      -> probe: the wait knows the end of a run that wrote no answer
 *  user row, no answer, our run or a recovering run live   -> wait for that run
 *  user row, and the run wrote an error or was superseded  -> failed: it is over
 *  user row, a recovery was interrupted as well and will
 *    be started again                                      -> pause: sending now would end the turn with an error row
 *  user row, no answer, nothing live                       -> send: it continues under our key and takes over a recovery that
 *                                                             has not begun
 */
import type { HistoryRow, HistorySnapshot, TurnUsage } from '../gateway.ts'

export type Action =
  | { readonly kind: 'settle'; readonly text: string; readonly usage: TurnUsage | null }
  | { readonly kind: 'wait'; readonly runId: string }
  | { readonly kind: 'probe' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'send' }
  | { readonly kind: 'spent'; readonly state: string }
  | { readonly kind: 'failed'; readonly message: string }

/** Inputs the gateway accepted, lost before they became a row, and will never run. */
const SPENT_STATES: readonly string[] = ['interrupted', 'cancelled']

/** How a model ends an answer that is complete, or complete up to its length limit. */
const FINAL_REASONS: readonly string[] = ['stop', 'length']

/** The gateway announces a recovered turn with a user row of its own. */
const RECOVERY_ROW = /^(\[[^\]]{1,40}\] )?\[System\]/

/** `probed`: the wait was just asked about this key and knew no end. */
export function decide(snapshot: HistorySnapshot, turnKey: string, probed: boolean): Action {
  const start = snapshot.rows.findLastIndex((row) => row.inputKey === turnKey)
  if (start < 0) return decideWithoutRow(snapshot, turnKey)

  const { runIds, rows, superseded } = turnRows(snapshot.rows.slice(start), turnKey)
  const answer = rows.findLast((row) => isAnswer(row, turnKey))
  if (answer !== undefined) return { kind: 'settle', text: answer.text, usage: sumUsage(rows) }
  if (superseded) return { kind: 'failed', message: 'a later turn of this session ran while this one had no answer' }
  if (snapshot.hasActiveRun && snapshot.liveRunId !== null && snapshot.liveRunId !== turnKey) {
    return { kind: 'wait', runId: snapshot.liveRunId }
  }
  if (!probed) return { kind: 'probe' }
  if (snapshot.hasActiveRun) return { kind: 'wait', runId: turnKey }
  const error = rows.findLast((row) => row.role === 'assistant')
  if (error !== undefined && isFailure(error) && isIdle(snapshot)) {
    return { kind: 'failed', message: error.text === '' ? `the run ended with "${error.stopReason}"` : error.text }
  }
  if (runIds.length === 1) return { kind: 'send' }
  if (!isIdle(snapshot)) return { kind: 'pause' }
  return { kind: 'failed', message: 'the gateway recovered this turn and the recovery ended without an answer' }
}

/** No run and none pending: `running` without a run means that a recovery will still begin. */
export function isIdle(snapshot: HistorySnapshot): boolean {
  return !snapshot.hasActiveRun && snapshot.status !== 'running'
}

/** Tokens and cost of everything the turn's runs wrote; null when no row says. */
export function turnUsage(snapshot: HistorySnapshot, turnKey: string): TurnUsage | null {
  const start = snapshot.rows.findLastIndex((row) => row.inputKey === turnKey)
  return start < 0 ? null : sumUsage(turnRows(snapshot.rows.slice(start), turnKey).rows)
}

function decideWithoutRow(snapshot: HistorySnapshot, turnKey: string): Action {
  const answer = snapshot.rows.findLast((row) => row.runId === turnKey && isAnswer(row, turnKey))
  // The user row may have been folded away or lie beyond the rows read; the answer stands on its own.
  if (answer !== undefined) return { kind: 'settle', text: answer.text, usage: answer.usage }
  if (snapshot.hasActiveRun && snapshot.liveRunId === turnKey) return { kind: 'wait', runId: turnKey }
  const input = snapshot.pending.find((item) => item.runId === turnKey)
  if (input === undefined) {
    const mayBeOurs = !snapshot.complete && snapshot.hasActiveRun && snapshot.liveRunId !== null
    return mayBeOurs ? { kind: 'wait', runId: snapshot.liveRunId } : { kind: 'send' }
  }
  return SPENT_STATES.includes(input.state) ? { kind: 'spent', state: input.state } : { kind: 'wait', runId: turnKey }
}

interface TurnRows {
  /** Our key, then the runs that recovered it, in order. */
  readonly runIds: readonly string[]
  /** Assistant rows written by those runs. */
  readonly rows: readonly HistoryRow[]
  /** Another turn of the session began after ours. */
  readonly superseded: boolean
}

/** `rows` begins with our user row. Rows of later turns are not ours. */
function turnRows(rows: readonly HistoryRow[], turnKey: string): TurnRows {
  const runIds = [turnKey]
  const own: HistoryRow[] = []
  let superseded = false
  for (const row of rows.slice(1)) {
    if (row.role === 'user' && row.inputKey !== null && row.inputKey !== turnKey) {
      superseded = !RECOVERY_ROW.test(row.text)
      if (superseded) break
      runIds.push(row.inputKey)
    }
    if (row.role === 'assistant' && row.runId !== null && runIds.includes(row.runId)) own.push(row)
  }
  return { runIds, rows: own, superseded }
}

/** A recovered run must really say something: its model was only told to continue. */
function isAnswer(row: HistoryRow, turnKey: string): boolean {
  if (row.role !== 'assistant' || row.stopReason === null || !FINAL_REASONS.includes(row.stopReason)) return false
  return row.runId === turnKey || row.text.trim() !== ''
}

function isFailure(row: HistoryRow): boolean {
  return row.stopReason === 'error' || row.stopReason === 'aborted'
}

function sumUsage(rows: readonly HistoryRow[]): TurnUsage | null {
  return rows.reduce<TurnUsage | null>((sum, { usage }) => {
    if (usage === null || sum === null) return usage ?? sum
    return {
      inputTokens: sum.inputTokens + usage.inputTokens,
      outputTokens: sum.outputTokens + usage.outputTokens,
      cacheReadTokens: sum.cacheReadTokens + usage.cacheReadTokens,
      cacheWriteTokens: sum.cacheWriteTokens + usage.cacheWriteTokens,
      costUsd: sum.costUsd + usage.costUsd,
      model: usage.model,
    }
  }, null)
}
