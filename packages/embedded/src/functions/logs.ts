/** What a function printed, in the form clients expect: "[LEVEL] 'text' { value: 1 }". Capped as in production. */
import { inspect } from 'node:util'
import { LIMITS } from '../transactions/limits.ts'

export type LogLevel = 'DEBUG' | 'LOG' | 'INFO' | 'WARN' | 'ERROR'
export type LogBuffer = ReturnType<typeof createLogBuffer>

export function createLogBuffer() {
  const lines: string[] = []
  /** Starts of `console.time`, by label. */
  const timers = new Map<string, number>()

  function write(level: LogLevel, text: string): void {
    if (lines.length >= LIMITS.logLines) return
    if (lines.length === LIMITS.logLines - 1) {
      lines.push(`[ERROR] Log overflow (maximum ${LIMITS.logLines}). Remaining log lines omitted.`)
      return
    }
    const cut = text.length > LIMITS.logLineLength
    lines.push(`[${level}] ${cut ? `${text.slice(0, LIMITS.logLineLength)} (truncated due to length)` : text}`)
  }
  const format = (parts: readonly unknown[]): string =>
    parts.map((part) => inspect(part, { depth: 4, breakLength: Infinity, maxStringLength: LIMITS.logLineLength })).join(' ')

  return {
    lines,
    add: (level: LogLevel, parts: readonly unknown[]): void => write(level, format(parts)),
    startTimer(label: string, nowMs: number): void {
      if (timers.has(label)) write('WARN', `Timer '${label}' already exists`)
      else timers.set(label, nowMs)
    },
    /** Prints how long ago the timer started, and forgets it when it `ends`. */
    readTimer(label: string, nowMs: number, ends: boolean, parts: readonly unknown[]): void {
      const start = timers.get(label)
      if (start === undefined) return write('WARN', `Timer '${label}' does not exist`)
      write('INFO', [`${label}: ${Math.round(nowMs - start)}ms`, ...(parts.length > 0 ? [format(parts)] : [])].join(' '))
      if (ends) timers.delete(label)
    },
  }
}
