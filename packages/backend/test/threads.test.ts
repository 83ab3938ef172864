/** The threads of a claim: read once, and to each item as if it had been read for it alone. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createThreads } from '../convex/model/threads.js'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const functions = await buildFunctions()
const MESSAGES = 40

let backend: EmbeddedBackend
let world: World
beforeAll(async () => {
  backend = await openEmbedded(functions)
  world = await createWorld(backend)
  for (let n = 0; n < MESSAGES; n++) await world.post(`message ${n}`)
})
afterAll(() => backend.close())

it('gives what a query of its own would give, in whatever order and however far the items read', async () => {
  const looks = fc.array(
    fc.record({ newest: fc.integer({ min: 0, max: MESSAGES - 1 }), take: fc.integer({ min: 1, max: 50 }) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  await fc.assert(
    fc.asyncProperty(looks, async (asked) => {
      await backend.run(async (ctx) => {
        const { accountId, taskId } = world
        const all = await ctx.db
          .query('messages')
          .withIndex('by_account_task', (q) => q.eq('accountId', accountId).eq('taskId', taskId))
          .order('desc')
          .collect()
        const threads = createThreads(ctx)
        for (const { newest, take } of asked) {
          const until = all[MESSAGES - 1 - newest]?._creationTime ?? 0
          const found: string[] = []
          for await (const { content } of threads.newestFirst(accountId, taskId, until)) {
            found.push(content)
            if (found.length >= take) break
          }
          const expected = all.filter((row) => row._creationTime <= until).slice(0, take)
          expect(found).toEqual(expected.map(({ content }) => content))
        }
      })
    }),
    { numRuns: 60 },
  )
})

it('reads a message once for all items that show it', async () => {
  await backend.run(async (ctx) => {
    const { accountId, taskId } = world
    const threads = createThreads(ctx)
    let seen: unknown[] = []
    for (let item = 0; item < 3; item++) {
      const rows: unknown[] = []
      for await (const row of threads.newestFirst(accountId, taskId, Number.MAX_SAFE_INTEGER + item)) rows.push(row)
      expect(rows).toHaveLength(MESSAGES)
      // The very same objects: nothing was read again.
      if (item > 0) expect(rows.every((row, n) => row === seen[n])).toBe(true)
      seen = rows
    }
  })
})
