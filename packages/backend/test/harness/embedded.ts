import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Callable, EmbeddedConvex, Functions } from '@mission-control/embedded'
import { createEmbeddedConvex, loadFunctions } from '@mission-control/embedded'
import type { Clock, Random } from '@mission-control/shared/clock'
import { vi } from 'vitest'
import { bundleFunctions } from '../../src/bundle.ts'
import type { Backend, Caller } from './backend.ts'
import { identityOf, START } from './backend.ts'

let built: Promise<Functions> | null = null

/** Built once in a process: the bundle has no state. */
export const buildFunctions = (): Promise<Functions> => (built ??= build())

async function build(): Promise<Functions> {
  const folder = mkdtempSync(join(tmpdir(), 'mc-functions-'))
  try {
    const outFile = join(folder, 'functions.mjs')
    await bundleFunctions({ outFile })
    return await loadFunctions(outFile)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export interface EmbeddedBackend extends Backend {
  readonly engine: EmbeddedConvex
}

export async function openEmbedded(functions: Functions, { mockDate = true } = {}): Promise<EmbeddedBackend> {
  // Test bodies that run inside `run` read the mocked Date; functions of the bundle read the engine's clock. Both stand still.
  // Scripts outside of vitest have no Date to mock, and must not read it.
  if (mockDate) vi.useFakeTimers({ toFake: ['Date'] })
  const time = manualClock(mockDate ? (ms) => vi.setSystemTime(ms) : () => undefined)
  const engine = await createEmbeddedConvex({
    functions,
    memory: true,
    clock: time.clock,
    random: seeded(7),
    autoSchedule: false,
    // Nothing listens there: URLs of stored files need a name for it.
    env: { CONVEX_CLOUD_URL: 'http://files.invalid' },
  })
  const finishScheduled = async () => {
    await engine.finishScheduled()
  }
  return {
    name: 'embedded',
    engine,
    ...caller(engine),
    as: (name, claims) => caller(engine.withIdentity(identityOf(name, claims))),
    run: (body) => engine.run(body),
    now: time.clock.now,
    advance: async (ms) => {
      time.advance(ms)
      await finishScheduled()
    },
    finishScheduled,
    close: async () => {
      await engine.close()
      if (mockDate) vi.useRealTimers()
    },
  }
}

const caller = (engine: Callable): Caller => ({
  query: (fn, args) => engine.query(fn, ...([args] as never)),
  mutation: (fn, args) => engine.mutation(fn, ...([args] as never)),
  action: (fn, args) => engine.action(fn, ...([args] as never)),
})

function manualClock(follow: (ms: number) => unknown) {
  let now = START
  follow(now)
  const clock: Clock = {
    now: () => now,
    monotonic: () => now - START,
    // Nothing of a test waits for real time: what is due is run by `advance`.
    sleep: (_ms, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    timeout: () => new AbortController().signal,
  }
  return {
    clock,
    advance(ms: number) {
      now += ms
      follow(now)
    },
  }
}

/** mulberry32: repeatable numbers, nothing more. */
function seeded(seed: number): Random {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return { next, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)) }
}
