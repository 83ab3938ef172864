/** What a claimed item carries: bounded whatever people write, and complete where it fits. */
import { LIMITS } from '@mission-control/shared/limits'
import { describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { jsonBytes } from '../convex/lib/text.js'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import { createWorld } from './harness/world.ts'

/** The longest of each text that people may write, of characters that take most room. */
const WIDE = '"\u4e2d'
const fill = (chars: number) => WIDE.repeat(Math.floor(chars / WIDE.length))

onEachEngine('the context of a claim', (open) => {
  it('is at most 64 kB of JSON with the largest task, message and thread there may be', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const task = { accountId, title: fill(LIMITS.titleChars), description: fill(LIMITS.descriptionChars) }
    const taskId = await world.ada.mutation(api.tasks.create, task)
    for (let n = 0; n < 5; n++) await world.post(fill(LIMITS.messageChars), taskId)
    await world.post(`@engineer ${fill(LIMITS.messageChars - 20)}`, taskId)
    const { context } = await world.claimOne()
    expect(jsonBytes(context)).toBeLessThanOrEqual(LIMITS.contextBytes)
    expect(context.body).toMatch(/\[cut: \d+ of \d+ characters shown\]$/)
    expect(context.body.length).toBeGreaterThan(8_000)
    expect(context.task?.description).toContain('[cut: ')
    // Reading on would cost more than the older messages are worth: they are 100,000 characters each.
    expect(context.thread).toHaveLength(2)
  })

  it('shows the newest messages before the one it is about, oldest first', async () => {
    const world = await createWorld(await open())
    for (let n = 1; n <= 25; n++) await world.post(`note ${n}`)
    const asked = await world.post('@engineer what do you think?')
    await world.post('after')
    const { context } = await world.claimOne()
    expect(context.message?.id).toBe(asked)
    expect(context.thread.map(({ content }) => content)).toEqual(Array.from({ length: 20 }, (_, n) => `note ${n + 6}`))
    expect(context.thread.map(({ createdAt }) => createdAt)).toEqual(context.thread.map(({ createdAt }) => createdAt).sort())
  })

  it('is empty of a thread for what has none', async () => {
    const world = await createWorld(await open())
    const taskId = await world.ada.mutation(api.tasks.create, { accountId: world.accountId, title: 'Quiet' })
    const assignees = [{ type: 'agent' as const, id: world.engineer }]
    await world.ada.mutation(api.tasks.assign, { accountId: world.accountId, taskId, assignees })
    const { context } = await world.claimOne()
    expect(context).toMatchObject({ title: 'You are assigned: Quiet', message: null, thread: [], heartbeat: null })
  })
})

describe('a claim of many large items', () => {
  it('stays within what a transaction may read, and leaves the rest for the next claim', async () => {
    const backend = await openEmbedded(await buildFunctions())
    try {
      const world = await createWorld(backend)
      const wide = '\u4e2d'.repeat(LIMITS.messageChars)
      for (let n = 0; n < LIMITS.claimIds; n++) {
        const task = { accountId: world.accountId, title: `T${n}`, description: wide }
        const taskId = await world.ada.mutation(api.tasks.create, task)
        for (let m = 0; m < 3; m++) await world.post(wide, taskId)
        await world.post(`@engineer ${wide.slice(20)}`, taskId)
      }
      const ids = await backend.run(async (ctx) => (await ctx.db.query('deliveries').collect()).map(({ _id }) => _id))
      const first = await world.claim(ids)
      expect(first.items.length).toBeGreaterThan(5)
      expect(first.items.length).toBeLessThan(LIMITS.claimIds)
      expect(first.notDueInMs).toBe(0)
      const second = await world.claim(ids)
      expect(first.items.length + second.items.length).toBe(LIMITS.claimIds)
    } finally {
      await backend.close()
    }
  })
})

onEachEngine('a task that vanishes under a turn', (open) => {
  it('ends it skipped, with the text kept on its run', async () => {
    const world = await createWorld(await open())
    await world.post('@engineer go')
    const item = await world.claimOne()
    await world.backend.run((ctx) => ctx.db.delete(world.taskId))
    expect(await world.settle(item, 'to nobody')).toEqual({ state: 'skipped', messageId: null, replayed: false })
    const kept = await world.backend.run(async (ctx) => ({
      parts: (await ctx.db.query('replyParts').collect()).map(({ text }) => text),
      runs: (await ctx.db.query('agentRuns').collect()).map(({ keptParts, outcome }) => [outcome, keptParts]),
    }))
    expect(kept).toEqual({ parts: ['to nobody'], runs: [['skipped', 1]] })
  })
})
