/**
 * Calls from one part to another, with everything a network does to them: lost on the way or on the way back, delivered twice, late, in
 * another order. When a message goes on is the scheduler's choice; what becomes of it is drawn here.
 */
import type { Part, Time } from './time.ts'
import type { Trace } from './trace.ts'
import type { Seeded } from './seeded.ts'
import type { Weather } from './weather.ts'

export type Outcome = { readonly value: unknown } | { readonly error: unknown }

export interface Exchange {
  readonly from: Part
  readonly to: Part
  readonly label: string
  /** What the other side does with it; may happen twice, or long after the caller has given up. */
  handle(): Promise<Outcome>
  /** The answer has arrived; it may come twice. */
  answered(outcome: Outcome): void
  /** The other side counts on something then that the caller does not know without the answer. */
  readonly hasEffect?: boolean
  /** It ends a claim: what comes of it twice or late matters most, and there are few of them. */
  readonly isEnd?: boolean
  /** Whether this is the worst moment for it to arrive: a request that is held up waits for one. */
  isWorst?(): boolean
  /** The caller is told that nobody answered: a connection refused or reset. */
  readonly failed: () => void
}

export interface Network {
  exchange(exchange: Exchange): void
  /** Something has changed in the backend: requests that are held up may find their moment. */
  look(): void
}

export interface NetworkDeps {
  readonly time: Time
  readonly trace: Trace
  readonly random: Seeded
  readonly weather: () => Weather
  /** The network itself: it stands still for nobody. */
  readonly outside: Part
}

/** No network keeps a request for longer, ms. Far above any timeout of the callers. */
const LONGEST_MS = 120_000
const ENDS_REPEATED = 3
/** So many are remembered. */
const PAST = 30

export function createNetwork({ time, trace, random, weather, outside }: NetworkDeps): Network {
  const held = new Set<() => void>()
  /** Requests that ended a claim and may come once more, when nobody thinks of them. */
  let past: Exchange[] = []

  /** Half of what is lost says so at once, the other half is silence. */
  function lost({ from, label, failed }: Exchange, what: string): void {
    const says = random.chance(0.5)
    trace.note(from.name, `${label}: ${what} lost${says ? ', connection reset' : ''}`)
    if (says) failed()
  }

  function request(exchange: Exchange, first: boolean): void {
    const { from, to, label } = exchange
    const sentAt = time.now()
    const isLate = random.chance(first ? weather().late : 0.5)
    const arrive = () =>
      time.send({
        to,
        label,
        async deliver() {
          if (time.now() - sentAt > 2 * LONGEST_MS) return
          if (random.chance(weather().loseRequest)) return lost(exchange, 'request')
          if (first && random.chance(weather().repeat * (exchange.isEnd ? ENDS_REPEATED : 1))) {
            trace.note(from.name, `${label}: request repeated`)
            request(exchange, false)
          }
          const outcome = await exchange.handle()
          trace.note(to.name, `${label}${first ? '' : ' (repeated)'} -> ${describe(outcome)}`)
          time.send({
            to: from,
            label: `answer of ${label}`,
            deliver() {
              const { loseAnswer, loseEffect } = weather()
              if (random.chance(exchange.hasEffect ? Math.max(loseAnswer, loseEffect) : loseAnswer))
                return lost(exchange, 'answer')
              exchange.answered(outcome)
            },
          })
        },
      })
    if (!isLate) return arrive()
    trace.note(from.name, `${label}: request held up`)
    holdUp(sentAt + random.spread(500, LONGEST_MS), exchange, arrive)
  }

  /** Until then, or until it does the most harm. */
  function holdUp(until: number, exchange: Exchange, arrive: () => void): void {
    const goOn = () => {
      held.delete(look)
      cancel()
      arrive()
    }
    const look = () => exchange.isWorst?.() === true && goOn()
    const cancel = time.timer(outside, until - time.now(), goOn)
    held.add(look)
  }

  return {
    exchange(exchange) {
      if (exchange.isEnd && weather().repeat > 0) past = [...past, exchange].slice(-PAST)
      request(exchange, true)
    },
    look() {
      for (const look of [...held]) look()
      const worst = weather().repeat > 0 ? past.filter((one) => one.isWorst?.()) : []
      for (const one of worst) {
        past = past.filter((other) => other !== one)
        trace.note(one.from.name, `${one.label}: arrives once more`)
        request(one, false)
      }
    },
  }
}

function describe(outcome: Outcome): string {
  if ('value' in outcome) return 'ok'
  const { error } = outcome
  const data = typeof error === 'object' && error !== null && 'data' in error ? (error.data as { code?: unknown }) : null
  if (typeof data?.code === 'string') return data.code
  return error instanceof Error ? error.message.slice(0, 120) : String(error)
}
