/**
 * Takes the real clock, timers and randomness away while something runs, and tells who asked for them all the same. Random bytes of the
 * platform, which actions of the backend draw tokens from, come from the seed. `performance.now` is left: the engine measures with it how
 * long user code computes, and its limit is off here.
 */
import type { Seeded } from './seeded.ts'

const TAKEN = [
  { on: Date, name: 'now' },
  { on: Math, name: 'random' },
  { on: globalThis, name: 'setTimeout' },
  { on: globalThis, name: 'setInterval' },
  { on: AbortSignal, name: 'timeout' },
  { on: crypto, name: 'randomUUID' },
] as const

export async function withoutRealTime<T>(random: Seeded, run: () => Promise<T>): Promise<{ result: T; touched: string[] }> {
  const touched: string[] = []
  const undo = TAKEN.map(({ on, name }) =>
    replace(on, name, () => {
      touched.push(`${name} at ${new Error().stack?.split('\n')[2]?.trim() ?? 'an unknown place'}`)
      throw new Error(`${name} has no place in a simulation`)
    }),
  )
  undo.push(
    replace(crypto, 'getRandomValues', (into: Uint8Array) => {
      into.set(random.bytes(into.length))
      return into
    }),
  )
  try {
    return { result: await run(), touched }
  } finally {
    for (const back of undo) back()
  }
}

/** @returns the way back */
function replace(on: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(on, name)
  Object.defineProperty(on, name, { value, configurable: true, writable: true })
  return () => {
    if (before === undefined) Reflect.deleteProperty(on, name)
    else Object.defineProperty(on, name, before)
  }
}
