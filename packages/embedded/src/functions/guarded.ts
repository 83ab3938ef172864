/** Stand-ins for globals: the real ones in actions and outside executions, refused or frozen in queries and mutations. */

import { currentExecution } from './execution.ts'
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
    fetch: guard('fetch', () => globalThis.fetch),
    setTimeout: guard('setTimeout', () => globalThis.setTimeout),
    setInterval: guard('setInterval', () => globalThis.setInterval),
    setImmediate: guard('setImmediate', () => globalThis.setImmediate),
  }
}

function guard<T extends (...args: never[]) => unknown>(name: string, real: () => T): T {
  return ((...args: never[]) => {
    const kind = currentExecution()?.fn.kind
    if (kind === 'query' || kind === 'mutation') {
      throw new Error(`Can't use ${name}() in queries and mutations. Please consider using an action.`)
    }
    return real()(...args)
  }) as T
}

/** Collects what functions print with their result; outside an execution it is the process's console. */
export function createConsole(): Console {
  const levels: Record<string, LogLevel> = {
    debug: 'DEBUG',
    log: 'LOG',
    info: 'INFO',
    warn: 'WARN',
    error: 'ERROR',
    trace: 'LOG',
  }
  return new Proxy(console, {
    get(target, property, receiver) {
      const execution = currentExecution()
      const level = typeof property === 'string' ? levels[property] : undefined
      if (!execution || !level) return Reflect.get(target, property, receiver) as unknown
      return (...parts: unknown[]) => execution.logs.add(level, parts)
    },
  })
}
