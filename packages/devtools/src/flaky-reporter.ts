/**
 * Names the tests that passed only when they were tried again, one a line, in the file FLAKY_TESTS_FILE: vitest's JSON report
 * calls them passed and nothing else. Given to vitest by path, which is why it is a default export.
 */
import { appendFileSync } from 'node:fs'
import type { Reporter, TestCase } from 'vitest/node'

export const FLAKY_FILE_VARIABLE = 'FLAKY_TESTS_FILE'

export default class FlakyReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const file = process.env[FLAKY_FILE_VARIABLE]
    if (file === undefined || test.diagnostic()?.flaky !== true) return
    appendFileSync(file, `${test.module.relativeModuleId} > ${test.fullName}\n`)
  }
}
