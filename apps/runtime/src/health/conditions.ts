/**
 * What is wrong right now, by name. `degraded` is exactly "there is a condition". Each is logged once when it begins, changes or
 * ends, never while it lasts: a backend that is away for an hour is two lines.
 */
import type { Log } from '../log.ts'
import type { Redactor } from '../redact.ts'
import { createRedactor } from '../redact.ts'

export const CONDITION_NAMES = ['convex', 'token', 'gateway', 'turns', 'agents', 'health', 'signals'] as const
export type ConditionName = (typeof CONDITION_NAMES)[number]

export interface Conditions {
  /** @param reason one sentence; `null` when it is fine */
  set(name: ConditionName, reason: string | null): void
  get(name: ConditionName): string | null
  /** `name: reason`, in a fixed order. */
  reasons(): string[]
  onChange(listener: () => void): () => void
}

/** @param redactor reasons are often other people's words, and go on pages and to the backend */
export function createConditions(log: Log, redactor: Pick<Redactor, 'redact'> = createRedactor()): Conditions {
  const current = new Map<ConditionName, string>()
  const listeners = new Set<() => void>()
  return {
    set(name, said) {
      const reason = said === null ? null : redactor.redact(said)
      const before = current.get(name) ?? null
      if (before === reason) return
      if (reason === null) current.delete(name)
      else current.set(name, reason)
      if (reason === null) log.info({ condition: name }, 'well again')
      else log.warn({ condition: name, reason }, 'degraded')
      for (const listener of listeners) listener()
    },
    get: (name) => current.get(name) ?? null,
    reasons: () => CONDITION_NAMES.flatMap((name) => (current.has(name) ? [`${name}: ${current.get(name) ?? ''}`] : [])),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
