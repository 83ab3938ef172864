import { expect, it } from 'vitest'
import { riseOf, slopeOf } from './slope.ts'

const line = (seconds: number, value: (at: number) => number) =>
  Array.from({ length: seconds }, (_, at) => ({ at, value: value(at) }))
/** What a garbage collector does: up, and down again. */
const saw = (at: number) => 100 + (at % 20)

it('sees a leak through the ups and downs of a healthy heap', () => {
  const leaking = riseOf(line(600, (at) => saw(at) + at / 10))
  expect(leaking).toBeGreaterThan(58)
  expect(leaking).toBeLessThan(62)
  expect(Math.abs(riseOf(line(600, saw)))).toBeLessThan(1)
})

it('has nothing to say of nothing', () => {
  expect(slopeOf([])).toBe(0)
  expect(riseOf([{ at: 3, value: 7 }])).toBe(0)
  expect(
    slopeOf([
      { at: 3, value: 7 },
      { at: 3, value: 9 },
    ]),
  ).toBe(0)
})
