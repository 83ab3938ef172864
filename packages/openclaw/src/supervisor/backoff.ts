/** How long to wait before starting a gateway that died. Pure. */

/** A start costs 20 to 45 s of a core, so a gateway that keeps dying is not started more often than this. */
const FIRST_MS = 1000
const LONGEST_MS = 60_000

/** A gateway that lived this long was fine; its death starts the count anew. */
export const HEALTHY_AFTER_MS = 5 * 60_000

/** `deaths`: in a row, 1 for the first. Milliseconds. */
export function restartDelay(deaths: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, deaths - 1))
}
