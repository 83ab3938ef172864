/** Files beside messages: whose they are, what they belong to, and when they are gone. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { jsonBytes } from '../convex/lib/text.js'
import { safeName } from '../convex/model/attachments.js'
import type { Backend, Caller } from './harness/backend.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import { at, upload, uploadLarge, uploadTo } from './harness/files.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const DAY_MS = 86_400_000
type AttachmentId = Id<'attachments'>

const codeOf = (calling: Promise<unknown>) => calling.then(() => 'accepted', errorCode)
const register = (world: World, storageId: Id<'_storage'>, who: Caller = world.ada, name = 'plan.txt', taskId = world.taskId) =>
  who.action(api.attachments.register, { accountId: world.accountId, taskId, storageId, name })
const uploaded = async (world: World, who: Caller = world.ada, text = 'a plan') =>
  await register(world, await upload(world.backend, text), who)
const post = (world: World, attachmentIds: AttachmentId[], who: Caller = world.ada, taskId = world.taskId) =>
  who.mutation(api.messages.post, { accountId: world.accountId, taskId, content: '@engineer read this', attachmentIds })
const url = (world: World, attachmentId: AttachmentId, who: Caller = world.ada) =>
  who.query(api.attachments.url, { accountId: world.accountId, attachmentId })
const remove = (world: World, attachmentId: AttachmentId, who: Caller = world.ada) =>
  who.mutation(api.attachments.remove, { accountId: world.accountId, attachmentId })
const stored = (backend: Backend) => backend.run(async (ctx) => (await ctx.db.system.query('_storage').collect()).length)
const rows = (backend: Backend) => backend.run(async (ctx) => (await ctx.db.query('attachments').collect()).length)

onEachEngine('an uploaded file', (open) => {
  it('goes with a message, is named in the thread, and can be read by everybody in the account', async () => {
    const world = await createWorld(await open())
    const id = await uploaded(world)
    const messageId = await post(world, [id])
    const [message] = await world.thread()
    expect(message).toMatchObject({ id: messageId, attachments: [{ id, name: 'plan.txt', size: 6 }] })
    expect(await url(world, id, world.cy)).toMatch(/^https?:/)
  })

  it('is named to the agent, by name, type and size', async () => {
    const world = await createWorld(await open())
    await post(world, [await uploaded(world)])
    const { context } = await world.claimOne()
    expect(context.message?.attachments).toMatchObject([{ name: 'plan.txt', size: 6 }])
  })

  it('is its uploader’s alone until it is posted', async () => {
    const world = await createWorld(await open())
    const id = await uploaded(world)
    expect(await url(world, id)).toMatch(/^https?:/)
    expect(await codeOf(url(world, id, world.bo))).toBe('NOT_FOUND')
    expect(await codeOf(post(world, [id], world.bo))).toBe('NOT_FOUND')
    expect(await codeOf(remove(world, id, world.bo))).toBe('NOT_FOUND')
    expect(await world.thread()).toEqual([])
  })

  it('registered twice by its uploader is one; by anybody else, or for another task, it is refused', async () => {
    const world = await createWorld(await open())
    const storageId = await upload(world.backend, 'mine')
    const id = await register(world, storageId)
    expect(await register(world, storageId)).toBe(id)
    expect(await codeOf(register(world, storageId, world.bo))).toBe('NOT_FOUND')
    const { accountId } = world
    const another = await world.ada.mutation(api.tasks.create, { accountId, title: 'Another' })
    expect(await codeOf(register(world, storageId, world.ada, 'x', another))).toBe('NOT_FOUND')
    await post(world, [id])
    expect(await codeOf(register(world, storageId))).toBe('NOT_FOUND')
    expect(await rows(world.backend)).toBe(1)
  })

  it('of another account is out of reach, by its own id and by that of its contents', async () => {
    const world = await createWorld(await open())
    const others = { ...world.backend, as: (name: string) => world.backend.as(`other-${name}`) }
    const foreign = await createWorld(others, { account: 'Foreign' })
    const storageId = await upload(world.backend, 'theirs')
    const id = await register(foreign, storageId)
    await post(foreign, [id])
    expect(await codeOf(register(world, storageId))).toBe('NOT_FOUND')
    expect(await codeOf(post(world, [id]))).toBe('NOT_FOUND')
    expect(await codeOf(url(world, id))).toBe('NOT_FOUND')
    expect(await codeOf(remove(world, id))).toBe('NOT_FOUND')
    expect(await stored(world.backend)).toBe(1)
  })

  it('that does not exist any more is refused', async () => {
    const world = await createWorld(await open())
    const storageId = await upload(world.backend, 'gone')
    await world.backend.run((ctx) => ctx.storage.delete(storageId))
    expect(await codeOf(register(world, storageId))).toBe('NOT_FOUND')
  })

  it('that is too large is refused and deleted; one byte less is taken', async () => {
    const world = await createWorld(await open())
    const tooLarge = await uploadLarge(world.backend, LIMITS.attachmentBytes + 1)
    expect(await codeOf(register(world, tooLarge))).toBe('LIMIT')
    expect([await stored(world.backend), await rows(world.backend)]).toEqual([0, 0])
    await register(world, await uploadLarge(world.backend, LIMITS.attachmentBytes))
    expect([await stored(world.backend), await rows(world.backend)]).toEqual([1, 1])
  })

  it('belongs to one message and to the task it was uploaded for', async () => {
    const world = await createWorld(await open())
    const id = await uploaded(world)
    const { accountId } = world
    const another = await world.ada.mutation(api.tasks.create, { accountId, title: 'Another' })
    expect(await codeOf(post(world, [id], world.ada, another))).toBe('INVALID')
    expect(await codeOf(post(world, [id, id]))).toBe('INVALID')
    await post(world, [id])
    expect(await codeOf(post(world, [id]))).toBe('CONFLICT')
    expect(await world.thread()).toHaveLength(1)
  })

  it('is one of a few', async () => {
    const world = await createWorld(await open())
    const ids: AttachmentId[] = []
    for (let n = 0; n <= LIMITS.attachmentsPerMessage; n++) ids.push(await uploaded(world))
    expect(await codeOf(post(world, ids))).toBe('LIMIT')
    await post(world, ids.slice(1))
    expect((await world.thread())[0]?.attachments).toHaveLength(LIMITS.attachmentsPerMessage)
  })

  it('can be taken back before it is posted, not after', async () => {
    const world = await createWorld(await open())
    const [kept, dropped] = [await uploaded(world), await uploaded(world)]
    await remove(world, dropped)
    expect(await stored(world.backend)).toBe(1)
    expect(await codeOf(url(world, dropped))).toBe('NOT_FOUND')
    await post(world, [kept])
    expect(await codeOf(remove(world, kept))).toBe('CONFLICT')
    const { page } = await world.ada.query(api.activities.list, {
      ...{ accountId: world.accountId, paginationOpts: { numItems: 20, cursor: null } },
    })
    const types = page.map(({ type }) => type).filter((type) => type.startsWith('attachment'))
    expect(types).toEqual(['attachment_removed', 'attachment_added', 'attachment_added'])
  })

  it('goes with its message when that is deleted', async () => {
    const world = await createWorld(await open())
    const id = await uploaded(world)
    const messageId = await post(world, [id])
    await world.ada.mutation(api.messages.remove, { accountId: world.accountId, messageId })
    expect([await stored(world.backend), await rows(world.backend)]).toEqual([0, 0])
    expect((await world.thread())[0]?.attachments).toEqual([])
    expect(await codeOf(url(world, id))).toBe('NOT_FOUND')
  })

  it('that no message has a day later is removed, also if its contents are gone already; one that has a message stays', async () => {
    const world = await createWorld(await open())
    const kept = await uploaded(world)
    await post(world, [kept])
    await uploaded(world)
    const broken = await uploaded(world)
    await world.backend.run(async (ctx) => {
      const row = await ctx.db.get(broken)
      if (row) await ctx.storage.delete(row.storageId)
    })
    await world.backend.advance(DAY_MS + 1)
    const fresh = await uploaded(world)
    await world.backend.mutation(internal.maintenance.retain, { accountId: world.accountId })
    expect(await world.backend.run(async (ctx) => (await ctx.db.query('attachments').collect()).map(({ _id }) => _id))).toEqual([
      kept,
      fresh,
    ])
    expect(await stored(world.backend)).toBe(2)
  })

  it('that nobody registered within a day is removed by a cron, in batches; a registered one is not', async () => {
    const world = await createWorld(await open())
    const kept = await uploaded(world)
    await post(world, [kept])
    for (let n = 0; n < 201; n++) await upload(world.backend, `stray ${n}`)
    await world.backend.advance(DAY_MS - 1)
    await world.backend.mutation(internal.attachments.removeStray, {})
    expect(await stored(world.backend)).toBe(202)
    await world.backend.advance(2)
    await upload(world.backend, 'of today')
    await world.backend.mutation(internal.attachments.removeStray, {})
    await world.backend.finishScheduled()
    expect(await stored(world.backend)).toBe(2)
    expect(await url(world, kept)).toMatch(/^https?:/)
  })

  it('keeps a context within its bounds, however many there are and whatever they are called', async () => {
    const world = await createWorld(await open())
    const name = '\u4e2d'.repeat(LIMITS.nameChars)
    const wide = async () => {
      const ids: AttachmentId[] = []
      for (let n = 0; n < LIMITS.attachmentsPerMessage; n++) {
        ids.push(await register(world, await upload(world.backend, 'x'), world.ada, name))
      }
      return ids
    }
    const content = `@engineer ${'\u4e2d'.repeat(LIMITS.messageChars - 20)}`
    const { accountId, taskId } = world
    for (let n = 0; n < 3; n++) {
      await world.ada.mutation(api.messages.post, { accountId, taskId, content, attachmentIds: await wide() })
    }
    for (let n = 0; n < 3; n++) {
      const item = await world.claimOne()
      expect(jsonBytes(item.context)).toBeLessThanOrEqual(LIMITS.contextBytes)
      expect(item.context.message?.attachments).toHaveLength(LIMITS.attachmentsPerMessage)
      expect(item.context.thread.length).toBeGreaterThanOrEqual(Math.min(n, 1))
      await world.settle(item, null)
    }
  })

  it('has a URL to be sent to while its task is open', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    expect(await world.cy.mutation(api.attachments.uploadUrl, { accountId, taskId })).toMatch(/^https?:.*token=/)
    await world.ada.mutation(api.tasks.updateStatus, { accountId, taskId, status: 'archived' })
    expect(await codeOf(world.cy.mutation(api.attachments.uploadUrl, { accountId, taskId }))).toBe('INVALID')
  })
})

it('keeps of a name what can be read in one line, without a path', () => {
  expect(safeName('plan.pdf')).toBe('plan.pdf')
  expect(safeName('../../etc/passwd')).toBe('passwd')
  expect(safeName('C:\\Users\\ada\\plan.pdf')).toBe('plan.pdf')
  expect(safeName('a\u0000b\nc\t d.txt')).toBe('abc d.txt')
  expect(safeName('exe.\u202etxt')).toBe('exe.txt')
  for (const nothing of ['', '  ', '.', '..', 'x/', '\u0007']) expect(safeName(nothing)).toBe('file')
  const long = safeName(`${'x'.repeat(500)}.tar`)
  expect(long).toHaveLength(LIMITS.nameChars)
  expect(long.endsWith('x.tar')).toBe(true)
})

it('goes the whole way over HTTP: upload, register, post, read', async () => {
  const backend = await openEmbedded(await buildFunctions())
  try {
    const server = await backend.engine.listen()
    const world = await createWorld(backend)
    const { accountId, taskId } = world
    const target = await world.ada.mutation(api.attachments.uploadUrl, { accountId, taskId })
    const storageId = await uploadTo(at(server.url, target), 'over HTTP', 'text/markdown')
    const id = await register(world, storageId, world.ada, 'notes.md')
    await post(world, [id])
    expect((await world.thread())[0]?.attachments).toEqual([{ id, name: 'notes.md', contentType: 'text/markdown', size: 9 }])
    expect(await (await fetch(at(server.url, await url(world, id, world.cy)))).text()).toBe('over HTTP')
  } finally {
    await backend.close()
  }
})
