/**
 * The backend as a part: the real functions on the in-memory engine, under a clock of its own. What has committed survives a crash;
 * requests in its hands and the sockets do not.
 */
import type { Callable, EmbeddedConvex, Functions } from '@mission-control/embedded'
import { createEmbeddedConvex } from '@mission-control/embedded'
import type { Backend, Caller } from '@mission-control/backend/harness/backend'
import { identityOf, START } from '@mission-control/backend/harness/backend'
import type { Mirror } from './mirror.ts'
import { createMirror } from './mirror.ts'
import type { Seeded } from './seeded.ts'
import type { Part, PartClock, Time } from './time.ts'
import { createPartClock } from './time.ts'

export interface BackendPart {
  readonly part: Part
  readonly clock: PartClock
  readonly engine: EmbeddedConvex
  readonly rows: Mirror['rows']
  /** As people and checks reach it: no network between. */
  readonly backend: Backend
  readonly isUp: () => boolean
  readonly setUp: (up: boolean) => void
  /** Called after everything that may have committed something. */
  /** It hears which tables have changed; there may be none. */
  onCommit(listener: (tables: ReadonlySet<string>) => void): void
  readonly committed: () => void
}

export async function createBackendPart(functions: Functions, time: Time, random: Seeded): Promise<BackendPart> {
  const part: Part = { name: 'backend', paused: false, dead: false }
  const clock = createPartClock(time, part, { start: START, rate: 1 + (random.next() - 0.5) * 4e-4 })
  const mirror = createMirror()
  const engine = await createEmbeddedConvex({
    functions,
    memory: true,
    // Its functions run to their end before anything else happens: nothing of it may wait.
    clock: { ...clock, sleep: neverWakes, timeout: () => new AbortController().signal },
    random,
    autoSchedule: false,
    deadlines: { transactionMs: Infinity },
    wrapConnection: mirror.wrap,
    env: { CONVEX_CLOUD_URL: 'http://files.invalid' },
  })
  mirror.open(engine.engine.catalog.tables())
  const listeners: ((tables: ReadonlySet<string>) => void)[] = []
  let up = true
  const committed = () => {
    const tables = mirror.changed()
    for (const listener of listeners) listener(tables)
  }
  const backend: Backend = {
    name: 'simulated',
    ...callerOf(engine, committed),
    as: (name, claims) => callerOf(engine.withIdentity(identityOf(name, claims)), committed),
    run: (body) => engine.run(body),
    rows: mirror.rows,
    now: () => clock.now(),
    async advance(ms) {
      time.advanceTo(time.now() + ms)
    },
    async finishScheduled() {
      await engine.finishScheduled()
      committed()
    },
    close: () => engine.close(),
  }
  return {
    ...{ part, clock, engine, backend, committed, rows: mirror.rows },
    isUp: () => up,
    setUp: (value) => void (up = value),
    onCommit: (listener) => void listeners.push(listener),
  }
}

function callerOf(engine: Callable, committed: () => void): Caller {
  const after = async <T>(calling: Promise<T>): Promise<T> => {
    try {
      return await calling
    } finally {
      committed()
    }
  }
  return {
    query: (fn, args) => engine.query(fn, ...([args] as never)),
    mutation: (fn, args) => after(engine.mutation(fn, ...([args] as never))),
    action: (fn, args) => after(engine.action(fn, ...([args] as never))),
  }
}

const neverWakes = (_ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
