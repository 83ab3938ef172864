/** Days of a time zone: when they begin, also where clocks change. Pure; needs Intl, which Convex and Node both have. */
import { refuse } from './errors.js'

const HOUR_MS = 3_600_000
/** No zone is further from UTC than 14 hours, so that every day begins within this of midnight in UTC. */
const FURTHEST_MS = 26 * HOUR_MS

/** `YYYY-MM-DD`, which sorts as dates do. */
export type LocalDate = string

export interface LocalDays {
  /** The date that the zone's calendars show at this moment (ms since the epoch). */
  dateAt(ms: number): LocalDate
  /** The first millisecond of the date. Days have 23 or 25 hours where clocks change. */
  startOf(date: LocalDate): number
}

/** @throws INVALID for a name that is no IANA time zone */
export function localDays(timeZone: string): LocalDays {
  const format = formatOf(timeZone)
  const dateAt = (ms: number): LocalDate => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]))
    return `${parts['year']}-${parts['month']}-${parts['day']}`
  }
  const startOf = (date: LocalDate): number => {
    const midnight = utcMidnight(date)
    let [before, after] = [midnight - FURTHEST_MS, midnight + FURTHEST_MS]
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2)
      if (dateAt(middle) < date) before = middle
      else after = middle
    }
    return after
  }
  return { dateAt, startOf }
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  } catch (error) {
    if (error instanceof RangeError)
      return refuse('INVALID', `"${timeZone}" is no time zone: give an IANA name such as Europe/Paris.`)
    throw error
  }
}

const utcMidnight = (date: LocalDate): number => Date.parse(`${date}T00:00:00Z`)

export const addDays = (date: LocalDate, days: number): LocalDate =>
  new Date(utcMidnight(date) + days * 24 * HOUR_MS).toISOString().slice(0, 10)

/** @throws INVALID unless it is a date of the calendar, written `YYYY-MM-DD` */
export function checkDate(date: string): LocalDate {
  const known = /^\d{4}-\d{2}-\d{2}$/.test(date) && !Number.isNaN(utcMidnight(date)) && addDays(date, 0) === date
  return known ? date : refuse('INVALID', `"${date.slice(0, 20)}" is no date: write it as YYYY-MM-DD.`)
}
