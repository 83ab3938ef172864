/** A thread's messages after they were written: edited, deleted, posted twice; and who can be mentioned in one. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import type { Caller } from './harness/backend.ts'
import { onEachEngine } from './harness/engines.ts'
import { toolsOf, turnOf } from './harness/tools.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

type MessageId = Id<'messages'>

const edit = (world: World, messageId: MessageId, content: string, who: Caller = world.ada) =>
  who.mutation(api.messages.edit, { accountId: world.accountId, messageId, content })
const remove = (world: World, messageId: MessageId, who: Caller = world.ada) =>
  who.mutation(api.messages.remove, { accountId: world.accountId, messageId })
const get = (world: World, messageId: MessageId) => world.ada.query(api.messages.get, { accountId: world.accountId, messageId })
const codeOf = (calling: Promise<unknown>) => calling.then(() => 'accepted', errorCode)
const shown = ({ context }: { context: { thread: { content: string }[]; body: string } }) => [
  ...context.thread.map(({ content }) => content),
  context.body,
]
const told = async (world: World) =>
  (await world.deliveries()).map(({ type, agentId }) => `${agentId === world.engineer ? 'engineer' : 'qa'}: ${type}`).reverse()
const activities = async (world: World) => {
  const page = await world.ada.query(api.activities.list, {
    accountId: world.accountId,
    paginationOpts: { numItems: 50, cursor: null },
  })
  return page.page.map(({ type }) => type)
}
const followers = async (world: World) => {
  const paginationOpts = { numItems: 50, cursor: null }
  const { accountId, taskId } = world
  return (await world.ada.query(api.subscriptions.list, { accountId, taskId, paginationOpts })).page.map(({ name }) => name)
}
/** The engineer follows the thread and has nothing to do. */
async function followed(world: World): Promise<World> {
  const { accountId, taskId, engineer } = world
  await world.ada.mutation(api.subscriptions.subscribe, { accountId, taskId, agentId: engineer })
  return world
}
/** More agents than are told at once. */
async function crowd(world: World): Promise<void> {
  for (let n = 0; n <= LIMITS.fanOutStep; n++) {
    const slug = `agent-${n}`
    await world.ada.mutation(api.agents.create, { accountId: world.accountId, slug, name: `Agent ${n}` })
  }
}

onEachEngine('editing a message', (open) => {
  it('changes the text, says when, and records it once', async () => {
    const world = await createWorld(await open())
    const id = await world.post('frist')
    await world.backend.advance(60_000)
    await edit(world, id, 'first')
    expect(await get(world, id)).toMatchObject({ content: 'first', editedAt: world.backend.now(), deletedAt: null })
    await world.backend.advance(60_000)
    await edit(world, id, 'first')
    expect(await get(world, id)).toMatchObject({ editedAt: world.backend.now() - 60_000 })
    expect((await activities(world)).filter((type) => type === 'message_edited')).toHaveLength(1)
  })

  it('is for its author: not for admins, not for anybody where an agent wrote it', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer mine')
    await world.settle(await world.claimOne(), 'from an agent')
    const reply = (await world.thread()).at(-1)?.id ?? id
    expect(await codeOf(edit(world, id, 'hers', world.bo))).toBe('FORBIDDEN')
    expect(await codeOf(edit(world, reply, 'other words'))).toBe('FORBIDDEN')
    expect((await world.thread()).map(({ content }) => content)).toEqual(['@engineer mine', 'from an agent'])
  })

  it('keeps to the limits, and leaves nothing half-written', async () => {
    const world = await createWorld(await open())
    const id = await world.post('short')
    expect(await codeOf(edit(world, id, '   '))).toBe('INVALID')
    expect(await codeOf(edit(world, id, 'x'.repeat(LIMITS.messageChars + 1)))).toBe('LIMIT')
    const names = Array.from({ length: LIMITS.mentionsPerMessage + 1 }, (_, n) => `@nobody-${n}`)
    expect(await codeOf(edit(world, id, names.join(' ')))).toBe('LIMIT')
    expect(await get(world, id)).toMatchObject({ content: 'short', editedAt: null })
  })

  it('tells whom it mentions anew, once, and subscribes them; not those mentioned before', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer and @cy look')
    await edit(world, id, '@engineer, @cy, @qa and @bo look')
    await edit(world, id, '@engineer, @cy, @qa and @bo, please look')
    expect(await told(world)).toEqual(['engineer: mention', 'qa: mention'])
    expect((await world.noticesOf('cy')).map(({ type }) => type)).toEqual(['mention'])
    expect((await world.noticesOf('bo')).map(({ type }) => type)).toEqual(['mention'])
    expect((await followers(world)).sort()).toEqual(['Ada', 'Bo', 'Cy', 'Engineer', 'Quality Bot'])
  })

  it('does not tell again whom an edit took out and another put back', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer look')
    await edit(world, id, '@qa look')
    await edit(world, id, '@engineer and @qa look')
    expect(await told(world)).toEqual(['engineer: mention', 'qa: mention'])
    expect((await get(world, id)).mentions.map(({ name }) => name)).toEqual(['Engineer', 'Quality Bot'])
  })

  it('does not make somebody follow again who was mentioned before and left', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    const id = await world.post('@cy look')
    await world.cy.mutation(api.subscriptions.unsubscribe, { accountId, taskId })
    await edit(world, id, '@cy, please look')
    expect(await followers(world)).toEqual(['Ada'])
  })

  it('with a new @all tells everybody but the author and those mentioned before; a second @all nobody', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer and @cy look')
    await edit(world, id, '@all look')
    await edit(world, id, 'look')
    await edit(world, id, '@all look, @qa too')
    expect(await told(world)).toEqual(['engineer: mention', 'qa: mention'])
    for (const who of ['bo', 'cy'] as const) {
      expect((await world.noticesOf(who)).map(({ type }) => type)).toEqual(['mention'])
    }
    expect(await world.noticesOf('ada')).toEqual([])
  })

  it('tells an agent that was created after an @all', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@all look')
    await world.backend.advance(1)
    const ops = await world.ada.mutation(api.agents.create, { accountId: world.accountId, slug: 'ops', name: 'Ops' })
    await edit(world, id, '@all look, @ops and @qa too')
    const types = (await world.deliveries()).filter(({ agentId }) => agentId === ops).map(({ type }) => type)
    expect(types).toEqual(['mention'])
    expect(await world.deliveries()).toHaveLength(3)
  })

  it('tells many in steps, each once, also where the steps of the post have not run yet', async () => {
    const world = await createWorld(await open())
    await crowd(world)
    const many = Array.from({ length: LIMITS.fanOutStep + 1 }, (_, n) => `@agent-${n}`).join(' ')
    const id = await world.post(many)
    await edit(world, id, `${many} and @engineer`)
    await edit(world, id, '@all')
    await world.backend.finishScheduled()
    const items = await world.deliveries()
    expect(items).toHaveLength(LIMITS.fanOutStep + 3)
    expect(new Set(items.map(({ agentId }) => agentId)).size).toBe(items.length)
  })

  it('is seen by whoever was not told yet', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer draw a circle')
    await edit(world, id, '@engineer draw a square')
    expect(shown(await world.claimOne())).toEqual(['@engineer draw a square'])
    await edit(world, id, '@engineer draw a star')
    expect(await world.ready()).toEqual([])
  })

  it('makes an update that was never sent the mention, instead of telling the same agent twice', async () => {
    const world = await followed(await createWorld(await open()))
    const id = await world.post('who can look?')
    await edit(world, id, 'can @engineer look?')
    const item = await world.claimOne()
    expect(item).toMatchObject({ type: 'mention' })
    expect(item.context.title).toBe('Ada mentioned you: Ship it')
    await world.settle(item, 'I can.')
    expect(await world.ready()).toEqual([])
  })

  it('tells of the mention as well where the update stands for other messages too', async () => {
    const world = await followed(await createWorld(await open()))
    await world.post('one')
    const id = await world.post('two')
    await edit(world, id, 'two, @engineer')
    expect(await told(world)).toEqual(['engineer: thread_update', 'engineer: mention'])
  })

  it('of an archived task wakes nobody', async () => {
    const world = await createWorld(await open())
    const id = await world.post('look')
    const { accountId, taskId } = world
    await world.ada.mutation(api.tasks.updateStatus, { accountId, taskId, status: 'archived' })
    await edit(world, id, '@engineer look')
    expect(await told(world)).toEqual([])
    expect(await get(world, id)).toMatchObject({ content: '@engineer look' })
  })

  it('makes no /stop, and nothing else of one', async () => {
    const world = await createWorld(await open())
    const id = await world.post('hello')
    const stop = await world.post('/stop')
    expect(await codeOf(edit(world, id, ' /STOP '))).toBe('INVALID')
    expect(await codeOf(edit(world, stop, '@engineer go'))).toBe('INVALID')
    expect(await told(world)).toEqual([])
  })
})

onEachEngine('deleting a message', (open) => {
  it('empties it and leaves its place, once', async () => {
    const world = await createWorld(await open())
    const [a, b] = [await world.post('one @cy'), await world.post('two')]
    await remove(world, a)
    const at = world.backend.now()
    await world.backend.advance(1_000)
    await remove(world, a)
    const thread = await world.thread()
    expect(thread.map(({ id, content, deletedAt }) => [id, content, deletedAt])).toEqual([
      [a, '', at],
      [b, 'two', null],
    ])
    expect(thread[0]).toMatchObject({ mentions: [], mentionsAll: false, author: { name: 'Ada' } })
    expect((await activities(world)).filter((type) => type === 'message_deleted')).toHaveLength(1)
    expect(await codeOf(edit(world, a, 'back again'))).toBe('INVALID')
  })

  it('is for its author and for admins, also where an agent wrote it', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer say something')
    await world.settle(await world.claimOne(), 'something')
    const reply = (await world.thread()).at(-1)?.id ?? id
    expect(await codeOf(remove(world, id, world.cy))).toBe('FORBIDDEN')
    expect(await codeOf(remove(world, reply, world.cy))).toBe('FORBIDDEN')
    await remove(world, reply, world.bo)
    await remove(world, id, world.bo)
    expect((await world.thread()).map(({ content }) => content)).toEqual(['', ''])
  })

  it('before an agent was told of it, tells it nothing', async () => {
    const world = await createWorld(await open())
    await remove(world, await world.post('@engineer never mind'))
    expect(await world.claimReady()).toEqual([])
    expect((await world.deliveries()).map(({ state, reason }) => [state, reason])).toEqual([['skipped', 'message_deleted']])
    await world.post('@engineer something else')
    expect(shown(await world.claimOne())).toEqual(['@engineer something else'])
  })

  it('leaves what else an update stands for', async () => {
    const world = await followed(await createWorld(await open()))
    await world.post('one')
    await world.post('@qa not for the engineer')
    const last = await world.post('three')
    await remove(world, last)
    const [item] = (await world.claimReady()).filter(({ agent }) => agent.slug === 'engineer')
    expect(item).toMatchObject({ type: 'thread_update' })
    expect(item?.context.body).toBe('one')
    if (item) await world.settle(item, 'Read.')
    expect((await world.thread()).at(-1)?.content).toBe('Read.')
  })

  it('leaves an older message too that was edited to name somebody else meanwhile', async () => {
    const world = await followed(await createWorld(await open()))
    const one = await world.post('one')
    const two = await world.post('two')
    await edit(world, one, '@qa what about one?')
    await remove(world, two)
    const [item] = (await world.claimReady()).filter(({ agent }) => agent.slug === 'engineer')
    expect(item).toMatchObject({ type: 'thread_update' })
    expect(item?.context.body).toBe('@qa what about one?')
  })

  it('of an older message an update stands for leaves the newer one, without the deleted text', async () => {
    const world = await followed(await createWorld(await open()))
    const first = await world.post('one')
    await world.post('two')
    await remove(world, first)
    expect(shown(await world.claimOne())).toEqual(['two'])
  })

  it('of all that an update stands for skips it, whatever was written to others meanwhile', async () => {
    const world = await followed(await createWorld(await open()))
    const one = await world.post('one')
    await world.post('@qa not for the engineer')
    const three = await world.post('three')
    await remove(world, one)
    await remove(world, three)
    expect((await world.claimReady()).map(({ agent }) => agent.slug)).toEqual(['qa'])
    const [update] = (await world.deliveries()).filter(({ agentId }) => agentId === world.engineer)
    expect(update).toMatchObject({ state: 'skipped', reason: 'message_deleted' })
  })

  it('does not tell again what an answered turn has shown already', async () => {
    const world = await followed(await createWorld(await open()))
    await world.post('@engineer hello')
    const busy = await world.claimOne()
    await world.post('one')
    await world.settle(busy, null)
    const { accountId, taskId } = world
    await world.settle(await world.claimOne(), 'Read.')
    const two = await world.post('two')
    await remove(world, two)
    expect(await world.claimReady()).toEqual([])
    expect((await world.ada.query(api.deliveries.threadState, { accountId, taskId }))[0]).toMatchObject({ doing: null })
  })

  it('does not take back a turn that may have been sent', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer go')
    const first = await world.claimOne()
    await world.fail(first, { ended: false })
    await remove(world, id)
    await world.backend.advance(600_000)
    const again = await world.claimOne()
    expect(again).toMatchObject({ id: first.id, reconcile: true })
    expect(again.context.body).toBe('[This message was deleted.]')
    expect(again.context.message?.content).toBe('[This message was deleted.]')
  })

  it('while its turn runs changes nothing for the turn', async () => {
    const world = await createWorld(await open())
    const id = await world.post('@engineer go')
    const item = await world.claimOne()
    await remove(world, id)
    await world.settle(item, 'Done.')
    expect((await world.thread()).map(({ content }) => content)).toEqual(['', 'Done.'])
  })

  it('by which an agent asked another ends the request, and the asker hears it; of an answer it hears that there was one', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const asking = await turnOf(world, world.engineer)
    const ask = () => call(asking, 'response_request', { task: world.taskId, recipients: ['qa'], message: 'Good?' })
    await ask()
    const question = (await world.thread()).at(-1)?.id as MessageId
    await remove(world, question, world.bo)
    expect(await world.claimReady()).toEqual([])
    await world.settle(asking, null)
    const unanswered = await world.claimOne()
    expect(unanswered).toMatchObject({ type: 'response', agent: { slug: 'engineer' } })
    expect(unanswered.context.body).toBe('Quality Bot did not answer your request: message_deleted.')
    await call(unanswered, 'response_request', { task: world.taskId, recipients: ['qa'], message: 'And now?' })
    await world.settle(await world.claimOne(), 'Yes.')
    await remove(world, (await world.thread()).at(-1)?.id as MessageId, world.bo)
    await world.settle(unanswered, null)
    const answered = await world.claimOne()
    expect(answered.context.body).toBe('Quality Bot answered your request.\n\n[This message was deleted.]')
  })

  it('ends the telling that is still to come in steps', async () => {
    const world = await createWorld(await open())
    await crowd(world)
    await remove(world, await world.post('@all hands'))
    await world.backend.finishScheduled()
    expect(await world.deliveries()).toEqual([])
    expect(await world.noticesOf('cy')).toEqual([])
  })
})

onEachEngine('posting with a key', (open) => {
  const post = (world: World, key: string, who: Caller = world.ada, content = '@engineer once') =>
    who.mutation(api.messages.post, { accountId: world.accountId, taskId: world.taskId, content, key })

  it('answers a repeated call with the first message and does nothing', async () => {
    const world = await createWorld(await open())
    const first = await post(world, 'k1')
    expect(await post(world, 'k1')).toBe(first)
    expect(await post(world, 'k2')).not.toBe(first)
    expect(await world.thread()).toHaveLength(2)
    expect(await world.deliveries()).toHaveLength(2)
  })

  it('keeps the keys of people and of agents apart', async () => {
    const world = await createWorld(await open())
    const ids = new Set([await post(world, 'k1'), await post(world, 'k1', world.cy)])
    const { service, engineer, qa, taskId } = world
    for (const agentId of [engineer, qa]) {
      const args = { ...service, agentId, taskId, content: 'from an agent', key: 'k1' }
      const { messageId, created } = await world.backend.mutation(api.service.messages.createFromAgent, args)
      expect(created).toBe(true)
      ids.add(messageId)
      expect(await world.backend.mutation(api.service.messages.createFromAgent, args)).toEqual({ messageId, created: false })
    }
    expect(ids.size).toBe(4)
  })

  it('cannot be made to meet the key of a person whose id ends where the key begins', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const names = ['a', 'a:b'] as const
    for (const name of names) {
      await world.ada.mutation(api.memberships.add, { accountId, userId: `test|${name}`, name, role: 'member' })
    }
    const [short, long] = names.map((name) => world.backend.as(name))
    if (!short || !long) throw new Error('Two people are needed.')
    expect(await post(world, 'c', long)).not.toBe(await post(world, 'b:c', short))
  })

  it('refuses a key that was used for another task, an empty one and one that is too long', async () => {
    const world = await createWorld(await open())
    await post(world, 'k1')
    const { accountId } = world
    const taskId = await world.ada.mutation(api.tasks.create, { accountId, title: 'Another' })
    const elsewhere = world.ada.mutation(api.messages.post, { accountId, taskId, content: 'hello', key: 'k1' })
    expect(await codeOf(elsewhere)).toBe('CONFLICT')
    expect(await codeOf(post(world, ' '))).toBe('INVALID')
    expect(await codeOf(post(world, 'k'.repeat(201)))).toBe('LIMIT')
  })

  it('does not stop twice', async () => {
    const world = await createWorld(await open())
    await post(world, 's', world.ada, '/stop')
    await world.post('@engineer go')
    await post(world, 's', world.ada, '/stop')
    await world.backend.finishScheduled()
    expect(await world.claimOne()).toMatchObject({ type: 'mention' })
  })
})

onEachEngine('who can be mentioned', (open) => {
  const find = async (world: World, prefix: string) => {
    const found = await world.ada.query(api.messages.candidates, { accountId: world.accountId, prefix })
    return [...found.agents.map(({ slug }) => `@${slug}`), ...found.members.map(({ name }) => name)]
  }

  it('is found by the beginning of a slug or a name, in any case, in this account only', async () => {
    const world = await createWorld(await open())
    await createWorld({ ...world.backend, as: (name) => world.backend.as(`other-${name}`) }, { account: 'Foreign' })
    expect(await find(world, 'EN')).toEqual(['@engineer'])
    expect(await find(world, 'Quality  b')).toEqual(['@qa'])
    expect(await find(world, 'qa')).toEqual(['@qa'])
    expect(await find(world, 'a')).toEqual(['Ada'])
    expect(await find(world, '')).toEqual(['@engineer', '@qa', 'Ada', 'Bo', 'Cy'])
    expect(await find(world, 'nobody')).toEqual([])
  })

  it('is a short list, however many there are', async () => {
    const world = await createWorld(await open())
    await crowd(world)
    expect(await find(world, 'agent')).toHaveLength(20)
    expect(await codeOf(find(world, 'x'.repeat(LIMITS.nameChars + 1)))).toBe('LIMIT')
  })
})
