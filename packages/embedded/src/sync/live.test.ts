import { queryGeneric } from 'convex/server'
import { expect, it } from 'vitest'
import { onDisk } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'

it('a call to run everything again, while some run, is owed to those that have not run yet too', async () => {
  const [begun, mayEnd] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let runs = 0
  const q = {
    first: queryGeneric({
      args: {},
      handler: async () => {
        begun.resolve()
        await mayEnd.promise
      },
    }),
    second: queryGeneric({ args: {}, handler: () => ++runs }),
  }
  const backend = await onDisk({ functions: { schema, modules: { q } }, autoSchedule: false })
  const { live } = backend.engine
  const set = live.open({ onDirty() {} })
  for (const [queryId, path] of ['q:first', 'q:second'].entries()) set.add(queryId, { path, args: {}, journal: null })
  const advanced = set.advance()
  await begun.promise
  live.rerunAll() // an import has committed: what runs now has a snapshot from before
  mayEnd.resolve()
  await advanced
  expect(runs).toBe(1)
  await set.advance()
  expect(runs).toBe(2)
  set.close()
})
