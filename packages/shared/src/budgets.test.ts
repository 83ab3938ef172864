import { describe, expect, it } from 'vitest'
import type { Budgets } from './budgets.ts'
import { capStates, hasCap, NO_USAGE, periodStart, toMicroUsd, toTokens } from './budgets.ts'

const NONE: Budgets = { turnsPerHour: null, tokensPerDay: null, microUsdPerDay: null }
const AT = Date.UTC(2030, 4, 6, 13, 59, 59, 999)
const HOUR_END = Date.UTC(2030, 4, 6, 14)
const DAY_END = Date.UTC(2030, 4, 7)
const used = { hour: { ...NO_USAGE, turns: 3 }, day: { turns: 9, inputTokens: 70, outputTokens: 30, microUsd: 500 } }

describe('a cap', () => {
  it.each([
    ['turnsPerHour', 4, false, 3, HOUR_END],
    ['turnsPerHour', 3, true, 3, HOUR_END],
    ['turnsPerHour', 2, true, 3, HOUR_END],
    ['tokensPerDay', 101, false, 100, DAY_END],
    ['tokensPerDay', 100, true, 100, DAY_END],
    ['microUsdPerDay', 501, false, 500, DAY_END],
    ['microUsdPerDay', 500, true, 500, DAY_END],
  ] as const)('%s of %d: over is %s', (cap, limit, over, amount, until) => {
    expect(capStates({ ...NONE, [cap]: limit }, used, AT)).toMatchObject([{ cap, limit, over, used: amount, until }])
  })
  it('that is not set says nothing', () => {
    expect(capStates(NONE, used, AT)).toEqual([])
    expect([hasCap(NONE), hasCap({ ...NONE, tokensPerDay: 0 })]).toEqual([false, true])
  })
  it('of 0 is reached before anything was used', () => {
    const nothing = { hour: NO_USAGE, day: NO_USAGE }
    expect(capStates({ turnsPerHour: 0, tokensPerDay: 0, microUsdPerDay: 0 }, nothing, AT).map(({ over }) => over)).toEqual([
      ...[true, true, true],
    ])
  })
})

it('hours and days begin in UTC, and the first millisecond belongs to the new one', () => {
  expect([periodStart('hour', AT), periodStart('hour', HOUR_END)]).toEqual([Date.UTC(2030, 4, 6, 13), HOUR_END])
  expect([periodStart('day', AT), periodStart('day', DAY_END)]).toEqual([Date.UTC(2030, 4, 6), DAY_END])
})

it.each([
  [0.000_001, 1],
  [0.000_000_5, 1],
  [0.000_000_4, 0],
  [1.234_567_8, 1_234_568],
  [0.1 + 0.2, 300_000],
  [null, 0],
  [-1, 0],
  [Number.NaN, 0],
  [Number.POSITIVE_INFINITY, 0],
])('%s US dollars are %d millionths', (usd, micro) => {
  expect(toMicroUsd(usd)).toBe(micro)
})

it('tokens are whole and never negative', () => {
  expect([toTokens(12.4), toTokens(-3), toTokens(Number.NaN)]).toEqual([12, 0, 0])
})
