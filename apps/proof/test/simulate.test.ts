/**
 * CI's share of `./mc simulate`: histories without a violation, the same history twice, and guards that are broken on purpose and found.
 * The full search for every guard is `./mc simulate --guards`.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { broken, GUARD_SEEDS, GUARD_STEPS, GUARDS } from '../src/simulate/guards.ts'
import { openPool } from '../src/simulate/pool.ts'
import { simulate } from '../src/simulate/simulate.ts'

const SEEDS = 100
const STEPS = 300
const pool = openPool({ threads: 2 })
afterAll(() => pool[Symbol.asyncDispose]())

const SLOW_MS = 600_000

describe('histories under faults', () => {
  it(
    `hold every promise in ${SEEDS} seeds of ${STEPS} steps`,
    async () => {
      const failures: string[] = []
      const { seeds, violations, met } = await simulate({
        ...{ first: 1, seeds: SEEDS, steps: STEPS, pool },
        onSeed: ({ trace, violation }) => violation && failures.push(`${violation.detail}\n${trace.slice(-40).join('\n')}`),
      })
      expect(violations, failures[0]).toEqual([])
      expect(seeds).toBe(SEEDS)
      // A storm that is none proves nothing.
      for (const what of ['take-overs', 'returns of a runtime', 'calls repeated after the end', 'stale calls on a newer claim'])
        expect(met[what] ?? 0, what).toBeGreaterThan(0)
      expect(met['claims'] ?? 0).toBeGreaterThan(SEEDS)
    },
    SLOW_MS,
  )

  it(
    'are the same each time, whatever ran before in their thread',
    async () => {
      const hashes = new Map<number, string>()
      const seeds = { first: 11, seeds: 4, steps: STEPS, pool }
      await simulate({ ...seeds, onSeed: ({ seed, hash }) => hashes.set(seed, hash) })
      expect(new Set(hashes.values()).size).toBe(4)
      await using other = openPool({ threads: 1 })
      await simulate({ ...seeds, pool: other, onSeed: ({ seed, hash }) => expect(hash).toBe(hashes.get(seed)) })
    },
    SLOW_MS,
  )
})

describe('a guard that is broken', () => {
  it.each(GUARDS.filter(({ rare }) => !rare))(
    'is found: $name',
    async (guard) => {
      const { violations } = await simulate({
        ...{ first: guard.seed, seeds: GUARD_SEEDS, steps: GUARD_STEPS, guard, pool, firstOnly: true },
      })
      expect(violations).not.toEqual([])
    },
    SLOW_MS,
  )

  it('must fit its source exactly once', () => {
    const guard = GUARDS[0]
    if (!guard) throw new Error('no guards')
    expect(() => broken('nothing of it', guard)).toThrow('0 times')
    expect(() => broken(`${guard.find} ${guard.find}`, guard)).toThrow('2 times')
  })
})
