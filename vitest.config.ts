import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import type { TestSpecification } from 'vitest/node'
import { BaseSequencer } from 'vitest/node'

/** A busy machine is no failure: what hangs is found by this all the same. */
const PATIENT = { testTimeout: 90_000, hookTimeout: 90_000 }
/** Files that take a minute and more begin first, so that none of them is left running alone at the end. */
const LONG = /(contract-real|model-providers-real|apps\/local\/test\/(faults|demo)|supervisor|stack)[^/]*\.test\.ts$/

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => Number(!LONG.test(moduleId))
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/** FUZZ_RUNS multiplies the runs of fuzz tests, and what they may take. */
const FUZZED = { ...PATIENT, testTimeout: PATIENT.testTimeout * Number(process.env['FUZZ_RUNS'] ?? 1) }

/**
 * `unit` and `backend` run everything that needs no OpenClaw; `e2e` (files named *.e2e.test.ts) starts real processes and the real gateway,
 * whose start keeps one core busy for ten seconds and more. `full` (*.full.test.ts) is what takes minutes, one file at a time, for
 * `./mc test --full`.
 */
export default defineConfig({
  test: {
    // On two cores vitest would leave one of them to itself, and run one file at a time. More than there are cores starve each other:
    // what starts processes then takes five times as long.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{apps,packages}/*/{src,test,convex}/**/*.test.ts'],
          exclude: ['packages/backend/**', '**/*.e2e.test.ts', '**/*.full.test.ts', '**/node_modules/**'],
          ...FUZZED,
        },
      },
      {
        test: {
          name: 'backend',
          include: ['packages/backend/{test,convex}/**/*.test.ts'],
          // Seventy files over one bundle and one set of modules without state: loading them once is half of the time.
          isolate: false,
          ...FUZZED,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['{apps,packages}/*/test/**/*.e2e.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'full',
          include: ['{apps,packages}/*/test/**/*.full.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
