/** What this process uses, read when asked. The event loop is measured without a timer, so that an idle runtime stays asleep. */
import { performance } from 'node:perf_hooks'

export interface ProcessUsage {
  /** How long a callback of the next round of the event loop had to wait. */
  readonly lagSeconds: number
  /** Since the start of the process. */
  readonly busySeconds: number
  readonly cpuSeconds: number
  /** Unix time. */
  readonly startedAtSeconds: number
  readonly residentBytes: number
  readonly heapUsedBytes: number
}

export async function readProcess(): Promise<ProcessUsage> {
  const lagSeconds = await eventLoopLag()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return {
    lagSeconds,
    busySeconds: performance.eventLoopUtilization().active / 1000,
    cpuSeconds: (user + system) / 1e6,
    startedAtSeconds: performance.timeOrigin / 1000,
    residentBytes: rss,
    heapUsedBytes: heapUsed,
  }
}

/** A round trip through the event loop that any callback would have to make. Not a timer: nothing waits for a time. */
async function eventLoopLag(): Promise<number> {
  const before = process.hrtime.bigint()
  // eslint-disable-next-line no-restricted-globals -- the event loop itself is what is measured; no clock can stand in for it
  await new Promise((resolve) => setImmediate(resolve))
  return Number(process.hrtime.bigint() - before) / 1e9
}
