/** Caps on what agents may use, and the arithmetic of when one is reached. Pure: no clock, no table. Periods are of UTC. */
import type { UsagePeriod } from './enums.ts'

/** Caps; `null` for none, 0 for nothing at all. Money in millionths of a US dollar, so that sums stay exact. */
export interface Budgets {
  readonly turnsPerHour: number | null
  readonly tokensPerDay: number | null
  readonly microUsdPerDay: number | null
}
export const CAPS = ['turnsPerHour', 'tokensPerDay', 'microUsdPerDay'] as const satisfies readonly (keyof Budgets)[]
export type Cap = (typeof CAPS)[number]

/** What was used in one period. */
export interface Usage {
  readonly turns: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly microUsd: number
}
export const NO_USAGE: Usage = { turns: 0, inputTokens: 0, outputTokens: 0, microUsd: 0 }

export const PERIOD_MS: Readonly<Record<UsagePeriod, number>> = { hour: 3_600_000, day: 86_400_000 }
const PERIOD_OF: Readonly<Record<Cap, UsagePeriod>> = { turnsPerHour: 'hour', tokensPerDay: 'day', microUsdPerDay: 'day' }
const USED: Readonly<Record<Cap, (usage: Usage) => number>> = {
  turnsPerHour: (usage) => usage.turns,
  tokensPerDay: (usage) => usage.inputTokens + usage.outputTokens,
  microUsdPerDay: (usage) => usage.microUsd,
}

/** The largest value of a cap: sums far above it are still exact. */
export const MAX_CAP = 1_000_000_000_000

/** When the hour or day began that `at` lies in. @param at milliseconds since the epoch */
export const periodStart = (period: UsagePeriod, at: number): number => Math.floor(at / PERIOD_MS[period]) * PERIOD_MS[period]

export const hasCap = (budgets: Budgets): boolean => CAPS.some((cap) => budgets[cap] !== null)

export interface CapState {
  readonly cap: Cap
  readonly period: UsagePeriod
  readonly limit: number
  readonly used: number
  /** Nothing more may begin before `until`. */
  readonly over: boolean
  /** When the period ends and the count begins anew. */
  readonly until: number
}

/** Each cap that is set, with what is used of it in the periods that `at` lies in. */
export function capStates(budgets: Budgets, used: Readonly<Record<UsagePeriod, Usage>>, at: number): CapState[] {
  return CAPS.flatMap((cap) => {
    const limit = budgets[cap]
    if (limit === null) return []
    const period = PERIOD_OF[cap]
    const amount = USED[cap](used[period])
    return [{ cap, period, limit, used: amount, over: amount >= limit, until: periodStart(period, at) + PERIOD_MS[period] }]
  })
}

/** A price in whole millionths of a dollar, the nearest one, halves up. What is unknown or makes no sense as a price counts nothing. */
export const toMicroUsd = (usd: number | null): number =>
  usd !== null && Number.isFinite(usd) && usd > 0 ? Math.round(usd * 1_000_000) : 0

/** A count of tokens as it is summed up: whole, and never below 0. */
export const toTokens = (tokens: number): number => (Number.isFinite(tokens) && tokens > 0 ? Math.round(tokens) : 0)
