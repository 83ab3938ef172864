/** What people do to a thread beside posting: it must not make a claim, a settle or a check-in elsewhere try again. */
import { conflicts } from '@mission-control/embedded'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { identityOf } from './harness/backend.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { upload } from './harness/files.ts'
import { createWorld, PLACE, RUN, VERSIONS } from './harness/world.ts'

it('a post with key and file, an edit, a deletion and a follower conflict with nothing the runtime does elsewhere', async () => {
  const backend = await openEmbedded(await buildFunctions())
  try {
    const world = await createWorld(backend)
    const { accountId, service, epoch, taskId } = world
    const task = (title: string) => world.ada.mutation(api.tasks.create, { accountId, title })
    const [a, b] = [await task('A'), await task('B')]
    for (const id of [a, b, taskId]) await world.post('@engineer @qa hello', id)
    for (let round = 0; round < 2; round++) for (const item of await world.claimReady()) await world.settle(item, null)
    const [edited, deleted] = [await world.post('plain'), await world.post('plain too')]
    for (const item of await world.claimReady()) await world.settle(item, null)
    await world.post('@engineer settle me', b)
    const held = await world.claimOne()
    await world.post('@engineer claim me', a)
    const [head] = await world.ready()
    const storageId = await upload(backend, 'a file')
    const attachmentId = await world.ada.action(api.attachments.register, { accountId, taskId, storageId, name: 'file' })

    const { trace } = backend.engine
    const ada = backend.engine.withIdentity(identityOf('Ada'))
    const people = {
      post: await ada.trace(api.messages.post, {
        ...{ accountId, taskId, content: '@engineer see the file', key: 'k1', attachmentIds: [attachmentId] },
      }),
      edit: await ada.trace(api.messages.edit, { accountId, messageId: edited, content: '@engineer and @qa, not so plain' }),
      remove: await ada.trace(api.messages.remove, { accountId, messageId: deleted }),
      subscribe: await ada.trace(api.subscriptions.unsubscribe, { accountId, taskId, agentId: world.qa }),
    }
    const claim = await trace(api.service.notifications.claim, { ...service, epoch, ids: [head?.id ?? ''] })
    expect((claim.result as { items: unknown[] }).items).toHaveLength(1)
    const settle = await trace(api.service.notifications.settle, {
      ...{ ...service, id: held.id, fence: held.fence, outcome: 'reply' as const, reply: 'settled', run: RUN },
    })
    expect(settle.result).toMatchObject({ state: 'delivered' })
    const info = { versions: VERSIONS, infrastructure: PLACE, announcedIntervalMs: 60_000, reasons: [] }
    const checkIn = await trace(api.service.runtime.checkIn, {
      ...{ ...service, ...info, epoch, held: [], dueAgents: [], status: 'online' as const },
    })
    for (const [what, traced] of Object.entries(people)) {
      for (const [other, runtime] of Object.entries({ claim, settle, checkIn })) {
        expect([what, other, conflicts(runtime, traced)]).toEqual([what, other, false])
      }
      // A check-in says when the next item is due, and so reads what new work writes.
      for (const [other, runtime] of Object.entries({ claim, settle })) {
        expect([other, what, conflicts(traced, runtime)]).toEqual([other, what, false])
      }
    }
  } finally {
    await backend.close()
  }
})

it('a claim whose message was deleted looks for what is left in the thread up to it, and so conflicts with no post', async () => {
  const backend = await openEmbedded(await buildFunctions())
  try {
    const world = await createWorld(backend)
    const { accountId, service, epoch, taskId } = world
    await world.ada.mutation(api.subscriptions.subscribe, { accountId, taskId, agentId: world.engineer })
    await world.post('one')
    const messageId = await world.post('two')
    await world.ada.mutation(api.messages.remove, { accountId, messageId })
    const [head] = await world.ready()
    const post = await backend.engine.withIdentity(identityOf('Ada')).trace(api.messages.post, {
      ...{ accountId, taskId, content: '@qa look' },
    })
    const claim = await backend.engine.trace(api.service.notifications.claim, { ...service, epoch, ids: [head?.id ?? ''] })
    expect(claim.result).toMatchObject({ items: [{ context: { body: 'one' } }] })
    const ranges = claim.reads.flatMap((read) => ('index' in read ? [`${read.table}.${read.index}`] : []))
    expect([...new Set(ranges)].sort()).toEqual([
      'messages.by_account_task',
      'serviceTokens.by_account_lookup',
      'signals.by_account',
    ])
    expect(conflicts(post, claim)).toBe(false)
  } finally {
    await backend.close()
  }
})
