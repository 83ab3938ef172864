/**
 * People who write without a pause: so many messages a second, to every agent in turn, a thread after the other. A thread that is full and
 * quiet is judged and forgotten, so that a long run remembers no more than a short one.
 */
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import type { Clock, Random } from '@mission-control/shared/clock'
import { markerText, titleOf } from '../stage/model.ts'
import type { Stage } from '../stage/stage.ts'
import type { Found, Judgement, Posted } from '../faults/verify.ts'
import { isQuiet, judge } from '../faults/verify.ts'
import { lookAt } from '../faults/round.ts'

interface Thread {
  readonly taskId: Id<'tasks'>
  readonly posted: Posted[]
  full: boolean
}

export interface Load {
  /** Writes until `signal` aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>
  /** Judges what is left once it is quiet; when `signal` aborts, as it is then. */
  finish(signal: AbortSignal): Promise<void>
  readonly total: { readonly acknowledged: number; readonly unanswered: number } & Judgement
}

/** Posts and replies of one thread stay below what one page shows. */
const PER_THREAD = 60
/** One message in so many has the model use a tool. */
const TOOL_EVERY = 5
const LOOK_MS = 500

export interface LoadOptions {
  readonly stage: Stage
  readonly agents: readonly string[]
  readonly perSecond: number
  readonly clock: Clock
  readonly random: Pick<Random, 'next'>
}

export function createLoad({ stage, agents, perSecond, clock, random }: LoadOptions): Load {
  const { person, model } = stage
  const threads = new Set<Thread>()
  const total = {
    acknowledged: 0,
    unanswered: 0,
    lost: [] as string[],
    duplicates: [] as string[],
    explained: [] as string[],
  }
  let count = 0
  let current: Thread | null = null

  async function writeOne(): Promise<void> {
    if (current === null) {
      const taskId = await person.createTask(`Thread from message ${count}`).catch(() => null)
      if (taskId === null) return // the backend is away
      current = { taskId, posted: [], full: false }
      threads.add(current)
    }
    const thread = current
    const marker = `s${String((count += 1)).padStart(6, '0')}`
    const agent = agents[count % agents.length]
    if (count % TOOL_EVERY === 0) model.behave(marker, { tool: true, until: null, thinking: () => undefined })
    const content = `@${agent} ${markerText(marker)}`
    const id = await person.post(thread.taskId, content).catch(() => null)
    if (id === null) total.unanswered += 1
    else total.acknowledged += 1
    thread.posted.push({ marker, content, id, wantsReply: true })
    if (thread.posted.length < PER_THREAD) return
    thread.full = true
    if (current === thread) current = null
  }

  async function judgeThread(thread: Thread, found: Found): Promise<void> {
    const made = new Map<string, number>()
    for (const { marker } of thread.posted) {
      if (model.asked(marker) > 0) made.set(marker, await person.tasksTitled(titleOf(marker), marker))
      model.forget(marker)
    }
    const { lost, duplicates, explained } = judge(thread.posted, { ...found, made })
    total.lost.push(...lost)
    total.duplicates.push(...duplicates)
    total.explained.push(...explained)
    threads.delete(thread)
  }

  /** @param all also threads that are not full */
  async function judgeQuiet(all: boolean): Promise<void> {
    for (const thread of threads) {
      if (!all && !thread.full) continue
      const found = await lookAt(person, [thread.taskId])
      // Looked at twice: the first look was several queries, the second is of what does not change any more.
      if (isQuiet(thread.posted, found)) await judgeThread(thread, await lookAt(person, [thread.taskId]))
    }
  }

  const away = () => undefined // a backend that is away is asked again
  async function judgeAsItGoes(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(away)
      await judgeQuiet(false).catch(away)
    }
  }

  return {
    total,
    async run(signal) {
      const judging = judgeAsItGoes(signal)
      const writing = new Set<Promise<void>>()
      while (!signal.aborted) {
        const one: Promise<void> = writeOne().finally(() => writing.delete(one))
        writing.add(one)
        // People do not keep in step: half of the pause is chance.
        await clock.sleep((1_000 / perSecond) * (0.5 + random.next()), signal).catch(away)
      }
      await Promise.all([judging, ...writing])
    },
    async finish(signal) {
      while (threads.size > 0 && !signal.aborted) {
        await judgeQuiet(true).catch(away)
        if (threads.size > 0) await clock.sleep(LOOK_MS, signal).catch(away)
      }
      for (const thread of threads) await judgeThread(thread, await lookAt(person, [thread.taskId]))
    },
  }
}
