/**
 * One round of a cell: a message is posted and followed to the step, the fault meets it there, others are under way beside it, the fault
 * ends, all comes to rest, and the judge looks at what is there.
 */
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import { markerText, titleOf } from '../stage/model.ts'
import type { Person } from '../stage/person.ts'
import type { Stage } from '../stage/stage.ts'
import type { FaultContext } from './faults.ts'
import type { Cell } from './cells.ts'
import { armStep } from './steps.ts'
import type { Found, Judgement, Posted } from './verify.ts'
import { isQuiet, judge } from './verify.ts'

/** Without its step a round has shown nothing; what it posted is judged all the same. */
export type RoundResult = Judgement & (Reached | { readonly reached: false; readonly why: string })

interface Reached {
  readonly reached: true
  /** From the end of the fault until the reply could be seen; 0 when it could by then. Milliseconds of real time. */
  readonly recoveryMs: number
}

/** Two agents and two threads: one lane is met by the fault, the others have work beside it. */
export const AGENTS = ['writer', 'editor'] as const

/** Often enough that looking adds nothing to what is measured. A subscription would be back later than its backend. */
export const LOOK_MS = 15
/** Enough to fill what a full disk leaves to the log it writes into again and again. */
const MOST_FILLERS = 500
const FILLER_CHARS = 90_000
/** From the post to the step: in the worst case the runtime waits for a lease first. At scale 1, plus what the machine needs at any scale. */
const REACH_MS = { scaled: 60_000, machine: 30_000 }

/** @param name stands in the messages: letters and digits, used once */
export async function runRound(
  stage: Stage,
  { fault, step }: Cell,
  name: string,
  round: number,
  signal: AbortSignal,
): Promise<RoundResult> {
  const { person, model, clock } = stage
  const side = stage.active()
  const [writer, editor] = AGENTS
  let taskIds: readonly [Id<'tasks'>, Id<'tasks'>]
  try {
    taskIds = [await person.createTask(`Round ${name}`), await person.createTask(`Beside ${name}`)]
  } catch (error) {
    return notBegun(`no thread could be made: ${String(error)}`)
  }
  const posted: Posted[] = []
  const gate = Promise.withResolvers<void>()
  const thinking = Promise.withResolvers<void>()

  /** Rejects for nothing: what is not acknowledged may be there or not. */
  async function post(marker: string, taskId: Id<'tasks'>, agent: string | null, text = ''): Promise<boolean> {
    const content = `${agent === null ? '' : `@${agent} `}${markerText(marker)} ${text}`.trim()
    const id = await person.post(taskId, content).catch(() => null)
    posted.push({ marker, content, id, wantsReply: agent !== null })
    return id !== null
  }

  const context: FaultContext = {
    stage,
    side,
    signal,
    async fillUntilRefused() {
      for (let n = 0; n < MOST_FILLERS; n += 1) {
        if (!(await post(`${name}z${n}`, taskIds[1], null, 'x'.repeat(FILLER_CHARS)))) return
      }
      throw new Error('The disk is full and the backend refuses nothing.')
    },
  }

  /** @returns from when on recovery is counted, monotonic ms */
  async function meet(): Promise<number> {
    // Behind it in the same lane, beside it in the same thread, and in another thread.
    await Promise.all([
      post(`${name}b`, taskIds[0], writer),
      post(`${name}c`, taskIds[0], editor),
      post(`${name}d`, taskIds[1], editor),
    ])
    await fault.inject(context)
    armed.release()
    // Every other round the model answers into the fault, else after it.
    if (round % 2 === 1 || !fault.mayOutlast) gate.resolve()
    const during = post(`${name}e`, taskIds[1], writer)
    await fault.last(context)
    const healed = await fault.heal(context)
    gate.resolve()
    await during
    await post(`${name}f`, taskIds[0], editor)
    return healed
  }

  const target = `${name}a`
  const atModel = step === 'mid-turn'
  model.behave(target, { tool: true, until: atModel ? gate.promise : null, thinking: () => thinking.resolve() })
  const armed = armStep(step, side, target, { begun: thinking.promise })
  await post(target, taskIds[0], writer)
  const limitMs = REACH_MS.machine + REACH_MS.scaled / stage.scale
  const reached = await settlesWithin(armed.reached, AbortSignal.any([signal, clock.timeout(limitMs)]))
  const from = reached ? await meet() : clock.monotonic()
  armed.release()
  gate.resolve()

  let recoveryMs: number | null = null
  let found = await lookAt(person, taskIds)
  for (;;) {
    const message = posted.find(({ marker }) => marker === target)
    const delivery = found.deliveries.find(({ messageId }) => messageId === message?.id)
    if (recoveryMs === null && found.messages.some(({ byAgent, deliveryId }) => byAgent && deliveryId === delivery?.id)) {
      recoveryMs = Math.max(0, clock.monotonic() - from)
    }
    if (isQuiet(posted, found) || signal.aborted) break
    await clock.sleep(LOOK_MS)
    found = await lookAt(person, taskIds).catch(() => found) // the backend may still be away
  }
  if (reached && !signal.aborted) await fault.tidy?.(context)
  // The looks that found it quiet were several queries; this one is of what does not change any more.
  if (!signal.aborted) found = await lookAt(person, taskIds)
  const made = new Map([[target, await person.tasksTitled(titleOf(target), target)]])
  model.forget(target)
  const judgement = judge(posted, { ...found, made })
  return reached
    ? { ...judgement, reached, recoveryMs: recoveryMs ?? clock.monotonic() - from }
    : { ...judgement, reached, why: `the step "${step}" was not reached within ${Math.round(limitMs / 1_000)} s` }
}

/** Of a round in which nothing was posted. */
export const notBegun = (why: string): RoundResult => ({ lost: [], duplicates: [], explained: [], reached: false, why })

/** What stands in these threads now, without what tools made. */
export async function lookAt(person: Person, taskIds: readonly Id<'tasks'>[]): Promise<Found> {
  const messages = (await Promise.all(taskIds.map((id) => person.thread(id)))).flat()
  const deliveries = (await Promise.all(taskIds.map((id) => person.deliveries(id)))).flat()
  return {
    messages: messages.map(({ id, content, author, deliveryId }) => ({
      id,
      content,
      byAgent: author.type === 'agent',
      deliveryId,
    })),
    deliveries,
    made: new Map(),
  }
}

/** @returns false when `limit` aborts first */
async function settlesWithin(work: Promise<void>, limit: AbortSignal): Promise<boolean> {
  const over = Promise.withResolvers<boolean>()
  const abort = () => over.resolve(false)
  if (limit.aborted) return false
  limit.addEventListener('abort', abort, { once: true })
  return Promise.race([work.then(() => true), over.promise]).finally(() => limit.removeEventListener('abort', abort))
}
