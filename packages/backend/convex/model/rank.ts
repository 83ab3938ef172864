/**
 * Where a task stands in its column: priority 1 before 5, and within a priority the newest change of status first. One number,
 * because an index has one direction.
 */

/** Above every time in milliseconds until the year 33,000; times five it stays a safe integer. */
const PRIORITY_STEP = 1e15

/** @param statusChangedAt ms since the epoch */
export const rankOf = (priority: number, statusChangedAt: number): number => priority * PRIORITY_STEP - statusChangedAt
