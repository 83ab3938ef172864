import { describe, expect, it } from 'vitest'
import { runCell } from './cell-run.ts'
import { chosen } from './cells.ts'
import type { RoundResult } from './round.ts'

const [cell] = chosen('runtime killed / sent')
if (cell === undefined) throw new Error('the cell of this test is gone')
const clean = { lost: [], duplicates: [], explained: [] }
const good = (recoveryMs: number): RoundResult => ({ ...clean, reached: true, recoveryMs })
const missed: RoundResult = { ...clean, reached: false, why: 'the step "sent" was not reached' }

/** Plays these outcomes one after the other. */
async function run(rounds: number, outcomes: readonly (RoundResult | Error)[]) {
  const names: string[] = []
  const asked: number[] = []
  const report = await runCell(cell!, {
    ...{ rounds, scale: 10, prefix: 'c001', signal: new AbortController().signal },
    async play(name, round) {
      names.push(name)
      asked.push(round)
      const outcome = outcomes[names.length - 1]
      if (outcome === undefined) throw new Error('one round too many')
      return outcome
    },
  })
  return { report, names, asked }
}

describe('the rounds of a cell', () => {
  it('adds up what they say', async () => {
    const { report, names } = await run(3, [good(100), { ...good(300), lost: ['a is gone'], duplicates: ['b twice'] }, good(200)])
    expect(report?.result).toEqual({
      ...{ fault: 'runtime killed', step: 'sent', rounds: 3, lost: 1, duplicates: 1, unreached: 0 },
      recoveryMs: { median: 200, max: 300 },
    })
    expect(report?.findings).toEqual(['runtime killed / sent, round 2: a is gone', 'runtime killed / sent, round 2: b twice'])
    expect(names).toEqual(['c001r00001', 'c001r00002', 'c001r00003'])
  })

  it('plays a round again whose step was not reached, as the same round and under another name; nothing of it is lost', async () => {
    const { report, names, asked } = await run(2, [good(1), missed, missed, good(1)])
    expect(report?.result).toMatchObject({ rounds: 2, lost: 0, unreached: 0 })
    expect(report?.repeated).toHaveLength(2)
    expect(asked).toEqual([0, 1, 1, 1])
    expect(new Set(names).size).toBe(4)
  })

  it('gives a cell up that misses its step three times in a row, and says how many rounds have shown nothing', async () => {
    const { report } = await run(5, [good(1), missed, missed, missed])
    expect(report?.result).toMatchObject({ rounds: 1, lost: 0, unreached: 4 })
  })

  it('counts anew after a round that reached its step', async () => {
    const { report } = await run(2, [missed, missed, good(1), missed, missed, good(1)])
    expect(report?.result).toMatchObject({ rounds: 2, unreached: 0 })
  })

  it('counts as lost what a round lost that did not reach its step', async () => {
    const { report } = await run(1, [{ ...missed, lost: ['a is gone'] }, good(1)])
    expect(report?.result).toMatchObject({ rounds: 1, lost: 1, unreached: 0 })
  })

  it('counts a round that broke down as lost, and not among those seen to their end', async () => {
    const { report } = await run(2, [new Error('the backend did not start again'), good(7)])
    expect(report?.result).toMatchObject({ rounds: 1, lost: 1, recoveryMs: { median: 7, max: 7 } })
    expect(report?.findings).toEqual(['runtime killed / sent, round 1: the backend did not start again'])
  })

  it('says which recovery is over its bar', async () => {
    expect((await run(1, [good(5_000)])).report?.slow).toEqual([])
    expect((await run(1, [good(5_001)])).report?.slow).toHaveLength(1)
  })

  it('has nothing to say when it was broken off before a round had ended', async () => {
    const stop = new AbortController()
    const options = { rounds: 1, scale: 10, prefix: 'c001', signal: stop.signal }
    const report = await runCell(cell, {
      ...options,
      async play() {
        stop.abort()
        return new Error('its processes are gone')
      },
    })
    expect(report).toBeNull()
  })
})
