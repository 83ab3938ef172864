/** One line of `check`, and what they add up to. */
import { EXIT } from '@mission-control/shared/exit-codes'

export type CheckStatus = 'pass' | 'warn' | 'fail'
/** What kind of trouble a failure is; decides the exit code. */
export type CheckClass = 'configuration' | 'authentication' | 'unreachable' | 'failed'

export interface CheckResult {
  readonly name: string
  readonly status: CheckStatus
  /** What was found and what it means, one sentence. */
  readonly message: string
  /** What to type or do next; `null` when nothing is needed. */
  readonly next: string | null
  readonly class: CheckClass | null
}

export const pass = (name: string, message: string): CheckResult => ({ name, status: 'pass', message, next: null, class: null })
export const warn = (name: string, message: string, next: string): CheckResult => ({
  name,
  status: 'warn',
  message,
  next,
  class: null,
})
export const fail = (name: string, message: string, next: string, kind: CheckClass): CheckResult => ({
  name,
  status: 'fail',
  message,
  next,
  class: kind,
})

/** The worst failure in the order configuration, authentication, unreachable, other; warnings count only when strict. */
export function exitCodeOf(results: readonly CheckResult[], strict: boolean): number {
  const failed = new Set(results.flatMap((result) => (result.status === 'fail' ? [result.class] : [])))
  if (failed.has('configuration')) return EXIT.configuration
  if (failed.has('authentication')) return EXIT.authentication
  if (failed.has('unreachable')) return EXIT.unreachable
  if (failed.size > 0) return EXIT.failed
  return strict && results.some(({ status }) => status === 'warn') ? EXIT.degraded : EXIT.ok
}

const MARK = { pass: 'ok  ', warn: 'warn', fail: 'FAIL' } as const

export function formatResult({ name, status, message, next }: CheckResult): string {
  return `${MARK[status]}  ${name}: ${message}${next === null ? '' : `\n      -> ${next}`}`
}
