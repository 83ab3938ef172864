/** How long a token is good: `45m`, `12h`, `30d`. */
const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** There is no way to take back one token, only all of them by another key: none is for years. */
const MAX_DAYS = 90

/** @returns milliseconds @throws Error with one sentence */
export function parseLifetime(text: string): number {
  const [, count = '', unit = ''] = /^([0-9]{1,6})([mhd])$/.exec(text.trim()) ?? []
  const ms = Number(count) * (UNITS_MS[unit] ?? Number.NaN)
  if (!(ms > 0)) throw new Error(`Give the time as minutes, hours or days: 45m, 12h, 30d.`)
  if (ms > MAX_DAYS * 86_400_000) throw new Error(`A token is good for ${MAX_DAYS} days at most.`)
  return ms
}
