/** What a function printed, in the form clients expect: "[LEVEL] 'text' { value: 1 }". Capped as in production. */
import { inspect } from 'node:util'
import { LIMITS } from '../transactions/limits.ts'

export type LogLevel = 'DEBUG' | 'LOG' | 'INFO' | 'WARN' | 'ERROR'
export type LogBuffer = ReturnType<typeof createLogBuffer>

export function createLogBuffer() {
  const lines: string[] = []
  return {
    lines,
    add(level: LogLevel, parts: readonly unknown[]): void {
      if (lines.length > LIMITS.logLines) return
      if (lines.length === LIMITS.logLines) {
        lines.push(`[WARN] 'Log lines beyond ${LIMITS.logLines} were dropped.'`)
        return
      }
      const text = parts.map((part) => inspect(part, { depth: 4, breakLength: Infinity })).join(' ')
      lines.push(`[${level}] ${text.length > LIMITS.logLineLength ? `${text.slice(0, LIMITS.logLineLength)} (truncated)` : text}`)
    },
  }
}
