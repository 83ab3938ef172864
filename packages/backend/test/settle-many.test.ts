/** Several claims that end in one transaction: each by its own fence, their totals together. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '@mission-control/shared/limits'
import type { ClaimedItem } from '@mission-control/shared/service-contract'
import { api } from '../convex/_generated/api.js'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import type { World } from './harness/world.ts'
import { createWorld, RUN } from './harness/world.ts'

const functions = await buildFunctions()
/** The furthest a date reaches, ms. */
const LAST_DATE = 8_640_000_000_000_000
const USAGE = { model: 'm', inputTokens: 10, outputTokens: 5, costUsd: 0.25 }

describe('settled together', () => {
  let backend: EmbeddedBackend
  let world: World
  let items: ClaimedItem[]

  beforeEach(async () => {
    backend = await openEmbedded(functions)
    world = await createWorld(backend)
    await world.post('@engineer @qa please both')
    items = await world.claimReady()
    expect(items).toHaveLength(2)
  })
  afterEach(() => backend.close())

  const settleOf = ({ id, fence }: { id: string; fence: number }, reply: string | null = 'done') => ({
    ...{ id, fence, outcome: reply === null ? ('receipt' as const) : ('reply' as const), reply },
    run: { ...RUN, usage: USAGE },
  })
  const settleMany = (settles: ReturnType<typeof settleOf>[]) =>
    backend.mutation(api.service.notifications.settleMany, { ...world.service, settles })

  it('each is posted, and a repeated call answers what the first one did', async () => {
    const results = await settleMany(items.map((item) => settleOf(item, `from ${item.agent.slug}`)))
    expect(results).toEqual(
      items.map(() => ({ settled: { state: 'delivered', messageId: expect.any(String), replayed: false } })),
    )
    const again = await settleMany(items.map((item) => settleOf(item)))
    expect(again).toEqual(results.map((one) => 'settled' in one && { settled: { ...one.settled, replayed: true } }))
    expect((await world.thread()).slice(1).map(({ content }) => content)).toEqual(items.map(({ agent }) => `from ${agent.slug}`))
  })
  it('a stale fence and an unknown item are refused, each alone', async () => {
    const [first, second] = items as [ClaimedItem, ClaimedItem]
    const unknown = { id: world.taskId as string, fence: 1 }
    const results = await settleMany([settleOf({ ...first, fence: first.fence + 1 }), settleOf(unknown), settleOf(second)])
    expect(results).toMatchObject([
      { refused: { code: 'STALE_FENCE' } },
      { refused: { code: 'NOT_FOUND' } },
      { settled: { replayed: false } },
    ])
    expect((await world.trace(first.id)).state).toBe('claimed')
    expect((await world.trace(second.id)).state).toBe('delivered')
  })
  it('the totals are scheduled once for all of them, and are the same as one by one', async () => {
    const before = await scheduled()
    await settleMany(items.map((item) => settleOf(item, '@Ada done')))
    expect((await scheduled()).slice(before.length).toSorted()).toEqual(['totals:add'])
    await backend.finishScheduled()
    const { accountId, ada } = world
    const day = await ada.query(api.usage.list, {
      ...{ accountId, agentId: null, period: 'day' as const, from: 0, to: LAST_DATE },
      paginationOpts: { numItems: 10, cursor: null },
    })
    expect(day.page).toMatchObject([{ turns: 2, inputTokens: 20, outputTokens: 10, microUsd: 500_000 }])
    for (const { agent } of items) {
      const mine = await ada.query(api.usage.list, {
        ...{ accountId, agentId: agent.id as never, period: 'hour' as const, from: 0, to: LAST_DATE },
        paginationOpts: { numItems: 10, cursor: null },
      })
      expect(mine.page).toMatchObject([{ turns: 1, inputTokens: 10 }])
    }
    expect(await ada.query(api.notifications.unreadCount, { accountId })).toBe((await world.noticesOf('ada')).length)
  })
  it('more than the limit are refused as a whole', async () => {
    const many = Array.from({ length: LIMITS.settlesTogether + 1 }, () => settleOf(items[0] as ClaimedItem))
    await expect(settleMany(many)).rejects.toMatchObject({ data: { code: 'LIMIT' } })
  })

  const scheduled = () =>
    backend.run(async (ctx) => (await ctx.db.system.query('_scheduled_functions').collect()).map(({ name }) => name))
})
