/** What `./mc test` may be told. */
import { parseArgs } from 'node:util'

export interface TestFlags {
  /** Leave out whatever starts the real OpenClaw gateway. */
  readonly fast: boolean
  /** Run what takes minutes as well. */
  readonly full: boolean
  readonly help: boolean
}

export const TEST_USAGE = `Usage: ./mc test [--fast | --full]

  --fast   leave out the end-to-end tests with the real OpenClaw gateway
  --full   run the slow ones as well: what takes a gateway minutes (refused keys, model outages, restarts in a row)`

/** @returns the flags, or one sentence on what is wrong with them */
export function readTestFlags(args: readonly string[]): TestFlags | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        fast: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.fast && values.full) return '--fast and --full exclude each other: give one of them.'
    return values
  } catch {
    const known = ['--fast', '--full', '--help', '-h']
    const unknown = args.find((arg) => !known.includes(arg)) ?? args.join(' ')
    return `./mc test does not know "${unknown}": it takes --fast, --full or --help.`
  }
}
