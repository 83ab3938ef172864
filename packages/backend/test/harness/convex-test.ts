import type { TestConvexForDataModel } from 'convex-test'
import { convexTest } from 'convex-test'
import { vi } from 'vitest'
import type { DataModel } from '../../convex/_generated/dataModel.js'
import schema from '../../convex/schema.js'
import { convexFolder, functionModules } from '../../src/modules.ts'
import type { Backend, Caller } from './backend.ts'
import { identityOf, START } from './backend.ts'

/** Rounds of scheduled functions that schedule others. Longer chains than any test makes. */
const ROUNDS = 60

export async function openConvexTest(): Promise<Backend> {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
  vi.setSystemTime(START)
  const t = convexTest(schema, modules())
  const finishScheduled = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      vi.advanceTimersByTime(0)
      await t.finishInProgressScheduledFunctions()
    }
  }
  return {
    name: 'convex-test',
    ...caller(t),
    as: (name, claims) => caller(t.withIdentity(identityOf(name, claims))),
    run: (body) => t.run((ctx) => body(ctx as unknown as Parameters<typeof body>[0])),
    now: () => Date.now(),
    advance: async (ms) => {
      vi.advanceTimersByTime(ms)
      await finishScheduled()
    },
    finishScheduled,
    close: async () => {
      vi.clearAllTimers()
      vi.useRealTimers()
    },
  }
}

const caller = (t: TestConvexForDataModel<DataModel>): Caller => ({
  query: (fn, args) => t.query(fn, ...([args] as never)),
  mutation: (fn, args) => t.mutation(fn, ...([args] as never)),
  action: (fn, args) => t.action(fn, ...([args] as never)),
})

/** The library finds the functions' root by the one key with `_generated` in it. */
function modules(): Record<string, () => Promise<unknown>> {
  const paths = [...functionModules(), '_generated/api']
  return Object.fromEntries(
    paths.map((path) => {
      const file = `${convexFolder}/${path}.${path.startsWith('_generated') ? 'js' : 'ts'}`
      return [`/convex/${path}.ts`, () => import(/* @vite-ignore */ file) as Promise<unknown>]
    }),
  )
}
