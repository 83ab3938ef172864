/** Stand-ins for globals: the real ones in actions and outside executions, refused or frozen in queries and mutations. */
import { systemClock } from '@mission-control/host/clock'
import { NotSupportedError } from '../errors.ts'
import { currentExecution, type Execution } from './execution.ts'
import type { LogLevel } from './logs.ts'

/** A Date whose "now" is the execution's. Instances are ordinary Dates. */
export function createDateClass(now: () => number): DateConstructor {
  const handler: ProxyHandler<DateConstructor> = {
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget as new () => unknown) as object,
    apply: () => new Date(now()).toString(),
    get: (target, property, receiver) => (property === 'now' ? now : (Reflect.get(target, property, receiver) as unknown)),
  }
  return new Proxy(Date, handler)
}

export function refuseOutsideActions() {
  return {
    fetch: guard('fetch()', () => globalThis.fetch),
    setTimeout: guard('setTimeout', () => globalThis.setTimeout),
    setInterval: guard('setInterval', () => globalThis.setInterval),
    setImmediate: guard('setImmediate', () => globalThis.setImmediate),
    performance: createPerformance(),
    crypto: createCrypto(),
  }
}

function guard<T extends (...args: never[]) => unknown>(what: string, real: () => T): T {
  return ((...args: never[]) => {
    if (repeatable()) throw refusal(what)
    return real()(...args)
  }) as T
}

/** The running query or mutation: what it does must be the same when it is run again. */
function repeatable(): Execution | null {
  const execution = currentExecution()
  return execution && execution.fn.kind !== 'action' ? execution : null
}

const refusal = (what: string): Error =>
  new Error(
    `Can't use ${what} in queries and mutations. Please consider using an action. See https://docs.convex.dev/functions/actions for more details.`,
  )

function createPerformance(): typeof performance {
  return new Proxy(performance, {
    get(target, property) {
      if (repeatable()) throw refusal('the Performance API')
      return bound(target, property)
    },
  })
}

/** WebCrypto. In queries and mutations random values come from the engine's random, and keys cannot be generated. */
function createCrypto(): typeof crypto {
  const subtle = new Proxy(crypto.subtle, {
    get: (target, property) =>
      property === 'generateKey' && repeatable()
        ? () => Promise.reject(refusal('cryptographic randomness'))
        : bound(target, property),
  })
  return new Proxy(crypto, {
    get(target, property) {
      if (property === 'subtle') return subtle
      const execution = repeatable()
      if (execution && property === 'getRandomValues') return <T extends ArrayBufferView>(array: T) => fill(execution, array)
      if (execution && property === 'randomUUID') return () => uuid(execution.randomBytes(16))
      return bound(target, property)
    },
  })
}

/** Methods of these objects insist on their own `this`. */
function bound(target: object, property: string | symbol): unknown {
  const value = Reflect.get(target, property) as unknown
  return typeof value === 'function' ? (value.bind(target) as unknown) : value
}

const MAX_RANDOM_BYTES = 65_536 // of the standard

function fill<T extends ArrayBufferView>(execution: Execution, array: T): T {
  if (array.byteLength > MAX_RANDOM_BYTES)
    throw new RangeError(`getRandomValues fills ${MAX_RANDOM_BYTES} bytes at most, not ${array.byteLength}.`)
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(execution.randomBytes(array.byteLength))
  return array
}

function uuid(bytes: Uint8Array): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40 // version 4
  bytes[8] = (bytes[8]! & 0x3f) | 0x80 // variant of RFC 9562
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: 'DEBUG',
  log: 'LOG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
  trace: 'LOG',
}

/** Collects what functions print with their result; outside an execution it is the process's console. */
export function createConsole(): Console {
  return new Proxy(console, {
    get(target, property, receiver) {
      const execution = currentExecution()
      if (!execution || typeof property !== 'string') return Reflect.get(target, property, receiver) as unknown
      const { logs } = execution
      const level = LEVELS[property]
      if (level) return (...parts: unknown[]) => logs.add(level, parts)
      const now = () => systemClock.monotonic() // what is printed is not seen by the function
      switch (property) {
        case 'time':
          return (label: unknown = 'default') => logs.startTimer(String(label), now())
        case 'timeLog':
          return (label: unknown = 'default', ...parts: unknown[]) => logs.readTimer(String(label), now(), false, parts)
        case 'timeEnd':
          return (label: unknown = 'default') => logs.readTimer(String(label), now(), true, [])
      }
      if (typeof Reflect.get(target, property) !== 'function') return undefined
      return () => {
        throw new NotSupportedError(`console.${property}`)
      }
    },
  })
}
