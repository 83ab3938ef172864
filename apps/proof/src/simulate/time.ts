/**
 * The simulator's time and everything that waits. Nothing happens by itself: a timer fires and a message arrives only when the scheduler
 * (run-seed.ts) says so. Each part of the system has its own clock over this time: it runs a little fast or slow, and its wall clock
 * may be wrong and may jump.
 *
 * A part is a process. While it is paused nothing reaches it; once it is dead nothing ever does, and what it waited for is forgotten.
 */
import { sleepOn } from '@mission-control/host/sleep'
import type { Clock } from '@mission-control/shared/clock'
import type { Trace } from './trace.ts'

export interface Part {
  readonly name: string
  paused: boolean
  dead: boolean
}

export interface Message {
  /** Whoever it is for. */
  readonly to: Part
  readonly label: string
  /** Messages of one channel arrive in their order, as on one socket; without a channel in any order. */
  readonly channel?: object
  /** True time at which it was sent. */
  readonly sentAt: number
  deliver(): void | Promise<void>
}

interface Timer {
  /** True time. */
  readonly at: number
  readonly n: number
  readonly part: Part
  fire(): void
}

export interface Time {
  /** True time, ms since the simulation began. */
  now(): number
  advanceTo(at: number): void
  /** @returns the way to cancel it */
  timer(part: Part, inMs: number, fire: () => void): () => void
  send(message: Omit<Message, 'sentAt'>): void
  /** Messages that may arrive next. */
  deliverable(): Message[]
  take(message: Message): void
  /** When the next timer of a part that runs is due; `null`: there is none. */
  nextTimerAt(): number | null
  /** Fires the earliest timer of a part that runs. */
  fireNext(): void
  /** What is on its way to a part never arrives. */
  drop(part: Part): void
  /** Ends a part: it waits for nothing any more. */
  kill(part: Part): void
  /** Grows whenever anything is sent, timed or told: a timer after which it is the same had no effect. */
  activity(): number
}

export function createTime(trace: Trace): Time {
  let now = 0
  let count = 0
  let timers: Timer[] = []
  let messages: Message[] = []
  const runs = ({ paused, dead }: Part) => !paused && !dead

  function earliest(): Timer | null {
    let first: Timer | null = null
    for (const timer of timers)
      if (runs(timer.part) && (first === null || timer.at < first.at || (timer.at === first.at && timer.n < first.n)))
        first = timer
    return first
  }

  return {
    now: () => now,
    advanceTo: (at) => void (now = Math.max(now, at)),
    timer(part, inMs, fire) {
      const timer: Timer = { at: now + Math.max(0, inMs), n: (count += 1), part, fire }
      timers.push(timer)
      return () => void (timers = timers.filter((other) => other !== timer))
    },
    send(message) {
      count += 1
      messages.push({ ...message, sentAt: now })
    },
    deliverable() {
      const busy = new Set<object>()
      return messages.filter(({ to, channel }) => {
        if (channel !== undefined && busy.has(channel)) return false
        if (channel !== undefined) busy.add(channel)
        return runs(to)
      })
    },
    take: (message) => void (messages = messages.filter((other) => other !== message)),
    nextTimerAt: () => earliest()?.at ?? null,
    fireNext() {
      const timer = earliest()
      if (timer === null) return
      timers = timers.filter((other) => other !== timer)
      now = Math.max(now, timer.at)
      timer.fire()
    },
    drop: (part) => void (messages = messages.filter(({ to }) => to !== part)),
    kill(part) {
      part.dead = true
      timers = timers.filter((timer) => timer.part !== part)
      messages = messages.filter(({ to }) => to !== part)
    },
    activity: () => count + trace.lines(),
  }
}

export interface PartClock extends Clock {
  /** Moves the wall clock only. */
  jump(ms: number): void
}

export interface ClockError {
  /** Wall clock at the beginning, ms since the epoch. */
  readonly start: number
  /** Own milliseconds in one true one. */
  readonly rate: number
}

export function createPartClock(time: Time, part: Part, { start, rate }: ClockError): PartClock {
  let wall = start
  const monotonic = () => time.now() * rate
  return {
    now: () => Math.floor(wall + monotonic()),
    monotonic,
    sleep: (ms, signal) => sleepOn((own, fire) => time.timer(part, own / rate, fire), ms, signal),
    timeout(ms) {
      const controller = new AbortController()
      time.timer(part, ms / rate, () => controller.abort(timedOut()))
      return controller.signal
    },
    jump: (ms) => void (wall += ms),
  }
}

/** What a signal of the platform aborts with, without its cost: a stack for each of thousands that nobody looks at. */
const timedOut = (): Error => Object.assign(new Error('timed out'), { name: 'TimeoutError' })
