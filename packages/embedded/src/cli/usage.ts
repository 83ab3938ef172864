/** What the command line's exit code says. */
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2

/** The command line is wrong: nothing was tried. The message is one sentence for the person at the terminal. */
export class UsageError extends Error {
  override name = 'UsageError'
}
