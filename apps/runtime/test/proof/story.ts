/** What a proof says while it runs: one line per claim, with how long it took; remembers whether one did not hold. */
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@mission-control/shared/clock'

export interface Story {
  note(text: string): void
  /** Runs a step and says how long it took; a step that throws ends the proof. */
  step<T>(name: string, body: () => Promise<T>): Promise<T>
  equal(name: string, found: unknown, expected: unknown): void
  failed(error: unknown): void
  /** Sets the exit code. */
  finish(): void
}

export function createStory(clock: Clock): Story {
  let missed = 0
  const miss = (text: string) => {
    missed++
    console.log(`MISSED ${text}`)
  }
  return {
    note: (text) => console.log(`       ${text}`),
    async step(name, body) {
      const begun = clock.monotonic()
      const result = await body()
      console.log(`holds  ${name} (${((clock.monotonic() - begun) / 1000).toFixed(1)} s)`)
      return result
    },
    equal(name, found, expected) {
      if (isDeepStrictEqual(found, expected)) console.log(`holds  ${name}: ${JSON.stringify(found)}`)
      else miss(`${name}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
    },
    failed: (error) => miss(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    finish() {
      console.log(missed === 0 ? 'All of it holds.' : `${missed} did not hold.`)
      process.exitCode = missed === 0 ? 0 : 1
    },
  }
}
