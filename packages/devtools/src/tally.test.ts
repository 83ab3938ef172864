import { expect, it } from 'vitest'
import { add, formatTally, readVitestReport } from './tally.ts'

const report = (passed: number, failed: number, pending = 0) =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, numPendingTests: pending, numTodoTests: 0 })

it('sums and prints one line', () => {
  expect(formatTally(add(readVitestReport(report(3, 0), true), readVitestReport(report(1, 2, 1), false)))).toBe(
    '4 passed, 2 failed, 1 skipped',
  )
  expect(formatTally(readVitestReport(report(3, 0), true))).toBe('3 passed, 0 failed')
})

it('never calls a run green that failed without a failed test, or that ran nothing', () => {
  expect(readVitestReport(report(3, 0), false).failed).toBe(1)
  expect(readVitestReport(report(0, 0), true).failed).toBe(1)
})
