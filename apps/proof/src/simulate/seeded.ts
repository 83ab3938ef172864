/** Repeatable randomness: one stream per use, so that a draw more in one place shifts nothing in the others. */
import type { Random } from '@mission-control/shared/clock'

export interface Seeded extends Random {
  /** A whole number from 0 up to, not including, `below`. */
  below(below: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  /** @throws when there is nothing to pick from */
  pick<T>(from: readonly T[]): T
  /** One of the names, each as often as its weight says; weights of 0 never. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K
  /** From `least` to `most`; small numbers as likely as large ones on a logarithmic scale. Both above 0. */
  spread(least: number, most: number): number
  /** Another stream, repeatable like this one. */
  fork(name: string): Seeded
}

export function createSeeded(seed: string): Seeded {
  let state = hash(seed)
  // mulberry32: repeatable numbers, nothing more.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number): number => Math.floor(next() * n)
  return {
    next,
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
    below,
    chance: (probability) => next() < probability,
    pick(from) {
      const picked = from[below(from.length)]
      if (picked === undefined) throw new Error('nothing to pick from')
      return picked
    },
    weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
      const all = Object.entries(weights) as [K, number][]
      let left = next() * all.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of all) if ((left -= weight) < 0) return name
      throw new Error('all weights are 0')
    },
    spread: (least, most) => least * (most / least) ** next(),
    fork: (name) => createSeeded(`${seed} ${name}`),
  }
}

/** FNV-1a, so that neighbouring seeds begin far apart. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 0x01000193)
  return value | 0
}
