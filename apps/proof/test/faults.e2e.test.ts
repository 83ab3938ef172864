/**
 * The share of `./mc faults` and `./mc soak` that each CI run takes: a fault of each kind, one round each, and half a minute of load and
 * chaos. Times are not judged here: the machine has other things to do.
 */
import { systemClock } from '@mission-control/host/clock'
import { expect, it } from 'vitest'
import { chosen } from '../src/faults/cells.ts'
import { runMatrix } from '../src/faults/matrix.ts'
import { matrixText } from '../src/faults/report.ts'
import { runSoak } from '../src/soak/soak.ts'
import { createPrng, PRNG_SEED_BYTES } from '@mission-control/embedded/functions/prng'

const CELLS = [
  'runtime killed / after claim',
  'runtime killed / tool called',
  'runtime killed / settle sent',
  'backend killed / before settle',
  'gateway killed / mid-turn',
  'gateway restarted / accepted',
  'network slow / sent',
  'runtime gone and taken over / reply read',
  "backend's disk full / before claim",
]
/** Half a minute where nobody else is; a busy machine is no failure. */
const PATIENT = { timeout: 600_000 }
const note = (text: string) => void process.stderr.write(`${text}\n`)

it('loses nothing and does nothing twice, whatever is killed, cut off or full', PATIENT, async () => {
  const cells = chosen(CELLS.join(','))
  const signal = new AbortController().signal
  const result = await runMatrix({
    cells,
    rounds: 1,
    atOnce: 2,
    scale: 10,
    clock: systemClock,
    signal,
    onCell: () => undefined,
    note,
  })
  note(matrixText(result))
  expect(result).toMatchObject({ lost: 0, duplicates: 0, unreached: 0, broken: [], findings: [], scaledBy: 10 })
  expect(result.cells.length + result.skipped.length).toBe(CELLS.length)
  // Only a file system of its own may be refused by the machine.
  expect(result.skipped.filter(({ fault }) => fault !== "backend's disk full")).toEqual([])
  expect(result.cells[0]).toEqual({
    fault: 'runtime killed',
    step: 'after claim',
    rounds: 1,
    lost: 0,
    duplicates: 0,
    unreached: 0,
    recoveryMs: { median: expect.any(Number), max: expect.any(Number) },
  })
})

it('keeps its promises under load and chaos', PATIENT, async () => {
  const random = { next: createPrng(new Uint8Array(PRNG_SEED_BYTES).fill(7)) }
  const signal = new AbortController().signal
  const result = await runSoak({ minutes: 0.35, seed: 7, perSecond: 3, scale: 10, clock: systemClock, random, signal, note })
  note(JSON.stringify(result))
  expect(result).toMatchObject({ lost: 0, duplicates: 0, violations: [] })
  expect(result.acknowledged).toBeGreaterThan(10)
  expect(Object.keys(result.faults).length).toBeGreaterThan(0)
})
