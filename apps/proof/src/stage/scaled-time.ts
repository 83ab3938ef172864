/**
 * `node --import <this file>` with TIME_SCALE=n: time passes n times as fast for the whole process, as if its machine were n times
 * slower. Every constant keeps its relation to every other, which a shorter lease alone would not: the clock, sleeps, intervals, time
 * limits and backoff all follow. Only Node's own timers inside sockets and HTTP servers stay real. For proofs only; nothing of the
 * product loads it.
 */
import { syncBuiltinESMExports } from 'node:module'
import timersModule from 'node:timers'
import promisesModule from 'node:timers/promises'

const scale = Number(process.env['TIME_SCALE'])
if (!(scale >= 1)) throw new Error(`TIME_SCALE must be a number from 1 up, not ${process.env['TIME_SCALE']}`)

const real = {
  now: Date.now.bind(Date),
  monotonic: performance.now.bind(performance),
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  timeout: AbortSignal.timeout.bind(AbortSignal),
  sleep: promisesModule.setTimeout,
}
/** All processes of a stage, and each after its restart, agree on the time: what they count from is the same for all. */
const wall = Number(process.env['TIME_SCALE_FROM'] ?? real.now())
const now = () => Math.floor(wall + (real.now() - wall) * scale)
const shorter = (ms: number | undefined) => (ms === undefined ? ms : ms / scale)

const scaledTimeout = Object.assign(
  (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => real.setTimeout(callback, shorter(ms), ...args),
  { [Symbol.for('nodejs.util.promisify.custom')]: (ms?: number, value?: unknown) => sleep(ms, value) },
)
const scaledInterval = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
  real.setInterval(callback, shorter(ms), ...args)
const sleep = (ms?: number, value?: unknown, options?: object) => real.sleep(shorter(ms), value, options)

Date.now = now
globalThis.Date = new Proxy(Date, {
  construct: (target, args: [], newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
})
Object.defineProperty(performance, 'now', { value: () => real.monotonic() * scale })
Object.assign(globalThis, { setTimeout: scaledTimeout, setInterval: scaledInterval })
Object.assign(timersModule, { setTimeout: scaledTimeout, setInterval: scaledInterval })
Object.assign(promisesModule, { setTimeout: sleep })
AbortSignal.timeout = (ms) => real.timeout(ms / scale)
syncBuiltinESMExports()
