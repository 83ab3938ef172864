/** Sums of checks and tests, and the line that ends a run. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export const EMPTY: Tally = { passed: 0, failed: 0, skipped: 0 }

export const add = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
})

export const formatTally = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
}

/**
 * Reads vitest's JSON report. A run that failed without a failed test (a file that does not load, an unhandled rejection) counts
 * as one failure, and so does a run that executed nothing: neither may look green.
 */
export function readVitestReport(json: string, exitedOk: boolean): Tally {
  const report = JSON.parse(json) as VitestReport
  const passed = report.numPassedTests
  const failed = report.numFailedTests
  const silent = failed === 0 && (!exitedOk || passed === 0) ? 1 : 0
  return { passed, failed: failed + silent, skipped: report.numPendingTests + report.numTodoTests }
}
