/**
 * Whose code this thread runs. The engine calls user code (`asUserCode`), and V8 goes on with it when a promise has settled,
 * which it tells before and after, in the async context of the execution it belongs to. So a stretch of the thread's time is
 * charged to whoever really ran, and the engine's own and everybody else's to nobody. Callbacks of timers, which queries and
 * mutations do not have, and of `queueMicrotask` are no promises: what they compute is not seen.
 */
import { promiseHooks } from 'node:v8'
import { systemClock } from '@mission-control/host/clock'
import { executionStorage, type Execution } from './execution.ts'

interface Meter {
  /** Charges what ran until now; from now on `next` runs. Returns who ran. */
  switchTo: (next: Execution | null) => Execution | null
}

/** Installed once per process and never removed, like the execution storage, and shared by copies of this module like it. */
const METER = Symbol.for('mission-control.embedded.meter')
/** Processor time is read for stretches longer than this; it costs several times what the clock does. Milliseconds. */
const SHORT_MS = 1

/** Runs the synchronous part of `work` as code of `execution`; what it awaits goes on as such. */
export function asUserCode<T>(execution: Execution, work: () => T): T {
  return charging(execution, () => executionStorage().run(execution, work))
}

/** Runs `work` of the engine on behalf of user code that has called it: neither it nor what it awaits is the user's. */
export function asEngine<T>(work: () => Promise<T>): Promise<T> {
  return charging(null, () => executionStorage().exit(work))
}

/** The same for `work` that awaits nothing. */
export function asEngineNow<T>(work: () => T): T {
  return charging(null, work)
}

function charging<T>(execution: Execution | null, work: () => T): T {
  const { switchTo } = meter()
  const before = switchTo(execution)
  try {
    return work()
  } finally {
    switchTo(before)
  }
}

function meter(): Meter {
  const holder = globalThis as { [METER]?: Meter }
  return (holder[METER] ??= createMeter())
}

function createMeter(): Meter {
  const executions = executionStorage()
  const stopwatch = createStopwatch(() => systemClock.monotonic(), threadProcessorMs)
  let running: Execution | null = null
  function switchTo(next: Execution | null): Execution | null {
    const before = running
    if (before) before.time.charge(stopwatch.stop())
    running = next
    if (next) stopwatch.start()
    return before
  }
  promiseHooks.createHook({
    before(): void {
      const next = executions.getStore()
      if (next) switchTo(next)
    },
    after(): void {
      if (running) switchTo(null)
    },
  })
  return { switchTo }
}

/**
 * Measures one stretch after another, milliseconds, to `SHORT_MS` exactly: short ones by the clock, longer ones by the
 * processor, so that a process which is paused or starved has not computed.
 */
export function createStopwatch(clockMs: () => number, processorMs: () => number) {
  let startedAt = 0
  let readAt = -Infinity
  let read = 0
  function readProcessor(at: number): void {
    readAt = at
    read = processorMs()
  }
  return {
    start(): void {
      startedAt = clockMs()
      if (startedAt - readAt > SHORT_MS) readProcessor(startedAt)
    },
    stop(): number {
      const now = clockMs()
      if (now - startedAt <= SHORT_MS) return now - startedAt
      const before = read
      readProcessor(now)
      return Math.min(now - startedAt, read - before)
    },
  }
}

function threadProcessorMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
