/**
 * What the fuzz tests of all packages share: how many runs, texts that people do not write, and texts that make a careless pattern
 * slow. `FUZZ_RUNS=50 npx vitest run fuzz` looks fifty times as long as an ordinary run.
 */
import fc from 'fast-check'
import { expect } from 'vitest'

/** @param runs of an ordinary test run; FUZZ_RUNS multiplies them */
export function fuzzRuns(runs: number): { numRuns: number } {
  const times = Number(process.env['FUZZ_RUNS'] ?? 1)
  if (!Number.isInteger(times) || times < 1) {
    throw new Error('FUZZ_RUNS must be a whole number from 1: how many times the runs of a test.')
  }
  return { numRuns: runs * times }
}

/** Control, format and direction characters, line ends of every kind, halves of characters, look-alikes. */
const ODD = [
  '\0',
  '\x07',
  '\x1b[2J',
  '\x1b]0;x\x07',
  '\x7f',
  '\x9b',
  '\r',
  '\n',
  '\r\n',
  '\u2028',
  '\u2029',
  '\u0085',
  '\ufeff',
].concat([
  '\u200b',
  '\u200d',
  '\u202e',
  '\u2066',
  '\u{e0041}',
  '\ud800',
  '\udc00',
  '\u0430',
  '\uff1e',
  '\u00e9',
  '\u0301',
  '\u{1f600}',
])

/** Any text: ASCII, any UTF-16, and odd characters among the given words of a grammar. */
export const hostileText = (words: readonly string[] = [], maxLength = 60): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength }),
    fc.string({ maxLength }),
    fc.array(fc.constantFrom(...ODD, ...words), { maxLength }).map((parts) => parts.join('')),
    fc.constantFrom('', ' ', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'NaN', '-0', '1e999'),
  )

/** Any JSON value; keys are now and then those of the prototype. */
export const hostileJson = (words: readonly string[] = []): fc.Arbitrary<unknown> => {
  const key = fc.oneof(
    fc.constantFrom('__proto__', 'constructor', 'toString', 'length', 'then', 'type', ...words),
    hostileText(words, 10),
  )
  return fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(
        fc.constantFrom(null, true, false, 0, -0, 1.5, -1, 1e308, 2 ** 53, 4_294_967_296),
        fc.integer(),
        hostileText(words, 20),
        fc.constantFrom('', ...words),
      ),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  })).value
}

/** One value, or another of the same grammar: the shape is right more often than not, so that what lies behind it is reached. */
export const mostly = <T>(
  right: fc.Arbitrary<T>,
  wrong: fc.Arbitrary<unknown> = hostileJson(),
  timesAsOften = 5,
): fc.Arbitrary<unknown> => fc.oneof({ weight: timesAsOften, arbitrary: right }, { weight: 1, arbitrary: wrong })

/** A record of which any field may be wrong or missing. */
export const mostlyRecord = (
  fields: Record<string, fc.Arbitrary<unknown>>,
  timesAsOften = 5,
): fc.Arbitrary<Record<string, unknown>> => {
  const wrong = fc.oneof(hostileJson(), fc.constant(undefined))
  return fc
    .record(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, mostly(field, wrong, timesAsOften)])))
    .map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)))
}

/** A beginning, a piece said again and again up to `length`, an end: what backtracking patterns are slow on. */
export const pumped = (words: readonly string[], length: number): fc.Arbitrary<string> => {
  const few = (maxLength: number) => fc.array(fc.constantFrom(...words), { maxLength }).map((parts) => parts.join(''))
  const piece = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''))
  return fc
    .tuple(few(3), piece, few(3))
    .filter(([, middle]) => middle !== '')
    .map(([begin, middle, end]) => `${begin}${middle.repeat(Math.ceil(length / middle.length))}${end}`)
}

/**
 * Far above what a linear pass over the longest texts takes on a busy machine, far below what a quadratic one takes on a quiet one
 * (100,000 characters: 10^10 steps).
 */
const PATIENCE_MS = 2_000

/** Runs it and expects that it came back in bounded time. Measured in processor time of the thread's process: others may use the machine. */
export function inTime<T>(work: () => T): T {
  const before = process.cpuUsage()
  const result = work()
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1_000).toBeLessThan(PATIENCE_MS)
  return result
}

/** What no answer and no message may hold: a stack, or a path of ours. */
export const INSIDES = /node_modules|\.ts:\d|\n\s+at |file:\/\//
