/** A clock that all processes of this machine share, so that a time taken in one can be subtracted from a time taken in another. */

/** Milliseconds of the kernel's monotonic clock, with their fraction. Says nothing about the time of day. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1_000_000
