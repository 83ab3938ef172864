/** When a cron runs next. All times are UTC, in milliseconds since the epoch. */
import { Cron } from 'croner'

export type Schedule =
  | { type: 'interval'; seconds?: number; minutes?: number; hours?: number }
  | { type: 'hourly'; minuteUTC?: number }
  | { type: 'daily'; hourUTC: number; minuteUTC?: number }
  | { type: 'weekly'; dayOfWeek: string; hourUTC: number; minuteUTC?: number }
  | { type: 'monthly'; day: number; hourUTC: number; minuteUTC?: number }
  | { type: 'cron'; cron: string }

/** A new interval starts at once, everything else at its first matching time. */
export function firstRun(name: string, schedule: Schedule, nowMs: number): number {
  return schedule.type === 'interval' ? nowMs : nextRun(name, schedule, nowMs, nowMs)
}

/** The first time after `nowMs` that the schedule names; runs missed before it are skipped. `lastMs` anchors intervals. */
export function nextRun(name: string, schedule: Schedule, lastMs: number, nowMs: number): number {
  if (schedule.type === 'interval') {
    const period = ((schedule.seconds ?? 0) + (schedule.minutes ?? 0) * 60 + (schedule.hours ?? 0) * 3_600) * 1_000
    return lastMs + Math.max(1, Math.floor((nowMs - lastMs) / period) + 1) * period
  }
  const expression = cronExpression(name, schedule)
  const next = parse(name, expression).nextRun(new Date(nowMs))
  if (!next) throw new Error(`The cron "${name}" (${expression}) never runs.`)
  return next.getTime()
}

/** Five fields and Sunday is 0, as in production: the library would also take seconds, years, nicknames and a day 7. */
function parse(name: string, expression: string): Cron {
  const fields = expression.trim().split(/\s+/)
  const problem =
    fields.length !== 5
      ? 'it must have five fields: minute, hour, day of month, month, day of week'
      : /(^|[,-])7/.test(fields[4]!)
        ? '7 is no day of the week: Sunday is 0'
        : null
  if (problem) throw new Error(`The cron "${name}" cannot have the schedule "${expression}": ${problem}.`)
  try {
    return new Cron(expression, { timezone: 'UTC', paused: true })
  } catch (error) {
    throw new Error(`The cron "${name}" cannot have the schedule "${expression}": ${(error as Error).message}`, { cause: error })
  }
}

function cronExpression(name: string, schedule: Exclude<Schedule, { type: 'interval' }>): string {
  if (schedule.type === 'cron') return schedule.cron
  // Without a minute the backend picks one per job: spread by name, and the same after every restart.
  const minute = schedule.minuteUTC ?? [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 60, 0)
  switch (schedule.type) {
    case 'hourly':
      return `${minute} * * * *`
    case 'daily':
      return `${minute} ${schedule.hourUTC} * * *`
    case 'weekly':
      return `${minute} ${schedule.hourUTC} * * ${schedule.dayOfWeek.slice(0, 3).toUpperCase()}`
    case 'monthly':
      return `${minute} ${schedule.hourUTC} ${schedule.day} * *`
  }
}
