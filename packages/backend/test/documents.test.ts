/** Documents: versions, folders, links to tasks, removal and what comes back, and lists that stay cheap. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import type { FunctionArgs } from 'convex/server'
import { expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { agentActor } from '../convex/model/actors.js'
import { createDocument, writeDocument } from '../convex/model/documents.js'
import { readDocument } from '../convex/model/documentReads.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const d = api.documents
type DocumentId = Id<'documents'>
type Without<T> = Omit<T, 'accountId'>

const create = (world: World, title: string, over: Partial<Without<FunctionArgs<typeof d.create>>> = {}) =>
  world.ada.mutation(d.create, { accountId: world.accountId, title, ...over })
const folder = (world: World, title: string, parentId: DocumentId | null = null) =>
  world.ada.mutation(d.createFolder, { accountId: world.accountId, title, parentId })
const get = (world: World, documentId: DocumentId) => world.cy.query(d.get, { accountId: world.accountId, documentId })
const write = (world: World, documentId: DocumentId, content: string, baseVersion?: number) =>
  world.bo.mutation(d.write, { ...{ accountId: world.accountId, documentId, content }, ...(baseVersion ? { baseVersion } : {}) })
const update = (world: World, documentId: DocumentId, change: Partial<Without<FunctionArgs<typeof d.update>>>) =>
  world.ada.mutation(d.update, { accountId: world.accountId, documentId, ...change })
const move = (world: World, documentId: DocumentId, parentId: DocumentId | null) =>
  world.ada.mutation(d.move, { accountId: world.accountId, documentId, parentId })
const remove = (world: World, documentId: DocumentId) => world.ada.mutation(d.remove, { accountId: world.accountId, documentId })
const restore = (world: World, documentId: DocumentId) =>
  world.ada.mutation(d.restore, { accountId: world.accountId, documentId })
const purge = (world: World, documentId: DocumentId) => world.bo.mutation(d.purge, { accountId: world.accountId, documentId })
const list = async (world: World, filter: Partial<Without<FunctionArgs<typeof d.list>>> = {}) => {
  const paginationOpts = { numItems: 100, cursor: null }
  return (await world.cy.query(d.list, { accountId: world.accountId, paginationOpts, ...filter })).page
}
const titles = async (world: World, filter: Partial<Without<FunctionArgs<typeof d.list>>> = {}) =>
  (await list(world, filter)).map(({ title }) => title)
const versions = async (world: World, documentId: DocumentId) => {
  const paginationOpts = { numItems: 100, cursor: null }
  return (await world.cy.query(d.versions, { accountId: world.accountId, documentId, paginationOpts })).page
}
const code = (calling: Promise<unknown>) => calling.then(() => 'accepted', errorCode)
const told = async (world: World, targetId: string) => {
  const paginationOpts = { numItems: 100, cursor: null }
  const { page } = await world.ada.query(api.activities.list, { accountId: world.accountId, paginationOpts })
  return page.filter((line) => line.targetId === targetId).map(({ type, detail }) => (detail ? `${type}: ${detail}` : type))
}
const found = async (world: World, text: string) =>
  (await world.cy.query(api.search.all, { accountId: world.accountId, text })).documents.map(({ title }) => title)
const rowsOf = (world: World) =>
  world.backend.run(async (ctx) => [
    (await ctx.db.query('documents').collect()).length,
    (await ctx.db.query('documentVersions').collect()).length,
  ])

onEachEngine('a document', (open) => {
  it('has its content as version 1, a type, an author and a place', async () => {
    const world = await createWorld(await open())
    const id = await create(world, '  Plan  ', { content: 'Größe', taskId: world.taskId })
    expect(await get(world, id)).toEqual({
      ...{ id, kind: 'file', parentId: null, title: 'Plan', type: 'note', taskId: world.taskId, version: 1, bytes: 7 },
      author: { type: 'user', id: 'test|Ada', name: 'Ada' },
      ...{ createdAt: expect.any(Number) as number, updatedAt: world.backend.now(), deletedAt: null, content: 'Größe' },
    })
    expect(await told(world, id)).toEqual(['document_created'])
  })

  it('keeps every version with who wrote it, and reads the newest', async () => {
    const world = await createWorld(await open())
    const id = await create(world, 'Plan', { content: 'one' })
    await world.backend.advance(1_000)
    expect(await write(world, id, 'two words', 1)).toMatchObject({ version: 2, bytes: 9, author: { name: 'Bo' } })
    expect(await get(world, id)).toMatchObject({ content: 'two words', version: 2, updatedAt: world.backend.now() })
    expect(await versions(world, id)).toMatchObject([
      { version: 2, author: { name: 'Bo' } },
      { version: 1, author: { name: 'Ada' } },
    ])
    const first = await world.cy.query(d.getVersion, { accountId: world.accountId, documentId: id, version: 1 })
    expect(first).toMatchObject({ version: 1, content: 'one', author: { name: 'Ada' } })
    const none = world.cy.query(d.getVersion, { accountId: world.accountId, documentId: id, version: 3 })
    expect(await code(none)).toBe('NOT_FOUND')
    expect(await told(world, id)).toEqual(['document_updated: version 2', 'document_created'])
  })

  it('refuses a write that builds on an older version, naming the newest; equal content makes no version', async () => {
    const world = await createWorld(await open())
    const id = await create(world, 'Plan', { content: 'one' })
    await write(world, id, 'two', 1)
    const refused = write(world, id, 'mine', 1).catch((error: unknown) => error)
    expect([errorCode(await refused), String(await refused)]).toEqual(['CONFLICT', expect.stringMatching(/version is 2, by Bo/)])
    // The answer of the first write was lost: it is repeated as it was.
    expect(await write(world, id, 'two', 1)).toMatchObject({ version: 2 })
    expect(await versions(world, id)).toHaveLength(2)
    expect(await told(world, id)).toHaveLength(2)
    await write(world, id, 'whatever is there')
    expect(await get(world, id)).toMatchObject({ version: 3, content: 'whatever is there' })
  })

  it('stays with its task when something else is changed, and leaves it only when told to', async () => {
    const world = await createWorld(await open())
    const id = await create(world, 'Plan', { taskId: world.taskId })
    await update(world, id, { title: 'The plan', type: 'deliverable' })
    await write(world, id, 'text')
    expect(await get(world, id)).toMatchObject({ title: 'The plan', type: 'deliverable', taskId: world.taskId })
    expect(await titles(world, { taskId: world.taskId })).toEqual(['The plan'])
    await update(world, id, { taskId: null })
    expect(await titles(world, { taskId: world.taskId })).toEqual([])
    await update(world, id, { title: 'The plan' })
    const lines = ['document_updated: task', 'document_updated: version 2', 'document_updated: title, type', 'document_created']
    expect(await told(world, id)).toEqual(lines)
  })

  it('is linked to no archived task, but stays with one that is archived later', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    const [linked, free] = [await create(world, 'Linked', { taskId }), await create(world, 'Free')]
    await world.ada.mutation(api.tasks.updateStatus, { accountId, taskId, status: 'archived' })
    expect(await code(update(world, free, { taskId }))).toBe('INVALID')
    expect(await code(create(world, 'New', { taskId }))).toBe('INVALID')
    expect(await update(world, linked, { taskId, title: 'Still linked' })).toMatchObject({ taskId, title: 'Still linked' })
  })

  it('is as long as the limit in bytes of UTF-8, and no longer', async () => {
    const world = await createWorld(await open())
    const content = 'é'.repeat(LIMITS.documentBytes / 2)
    const id = await create(world, 'Long', { content })
    expect(await get(world, id)).toMatchObject({ bytes: LIMITS.documentBytes })
    for (const refused of [create(world, 'Longer', { content: `${content}x` }), write(world, id, `x${content}`)]) {
      const error: unknown = await refused.catch((thrown: unknown) => thrown)
      expect([errorCode(error), String(error)]).toEqual(['LIMIT', expect.stringMatching(/900001 bytes .*900000/)])
    }
    expect(await rowsOf(world)).toEqual([1, 1])
  })

  it('is written and read by agents by the same rules', async () => {
    const world = await createWorld(await open())
    const { accountId, backend } = world
    const id = await backend.run(async (ctx) => {
      const agent = await ctx.db.get(world.engineer)
      if (!agent) throw new Error('no agent')
      const documentId = await createDocument(ctx, accountId, agentActor(agent), { title: 'Notes', content: 'a' })
      const row = await ctx.db.get(documentId)
      if (row) await writeDocument(ctx, row, agentActor(agent), { content: 'b', baseVersion: 1 })
      return documentId
    })
    expect(await get(world, id)).toMatchObject({ version: 2, content: 'b', author: { type: 'agent', name: 'Engineer' } })
    const read = () => backend.run(async (ctx) => (await readDocument(ctx, accountId, id)).content)
    expect(await read()).toBe('b')
    await remove(world, id)
    expect(await code(read())).toBe('NOT_FOUND')
  })

  it('tells nobody', async () => {
    const world = await createWorld(await open())
    const { accountId, taskId } = world
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: world.engineer }] })
    await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'user', id: 'test|Cy' }] })
    const before = [await world.deliveries(), await world.noticesOf('cy')]
    const id = await create(world, 'Plan', { taskId, content: '@engineer @Cy' })
    await write(world, id, '@all')
    await remove(world, id)
    await world.backend.finishScheduled()
    expect([await world.deliveries(), await world.noticesOf('cy')]).toEqual(before)
  })

  it.each<[string, (world: World, id: DocumentId, inside: DocumentId) => Promise<unknown>, string]>([
    ['without a title', (world) => create(world, '  '), 'INVALID'],
    ['with a title that is too long', (world) => create(world, 'x'.repeat(LIMITS.titleChars + 1)), 'LIMIT'],
    ['in a document', (world, id) => create(world, 'In', { parentId: id }), 'INVALID'],
    ['moved into a document', (world, id, f) => move(world, f, id), 'INVALID'],
    ['that is a folder and gets content', (world, _id, f) => write(world, f, 'x'), 'INVALID'],
    ['that is a folder and gets a type', (world, _id, f) => update(world, f, { type: 'note' }), 'INVALID'],
    ['that is a folder and gets a task', (world, _id, f) => update(world, f, { taskId: world.taskId }), 'INVALID'],
    ['asked for two things at once', (world) => list(world, { type: 'note', parentId: null }), 'INVALID'],
    ['purged before it is removed', (world, id) => purge(world, id), 'INVALID'],
  ])('%s is refused, and nothing is written', async (_what, run, expected) => {
    const world = await createWorld(await open())
    const [id, inside] = [await create(world, 'Plan'), await folder(world, 'Folder')]
    expect(await code(run(world, id, inside))).toBe(expected)
    expect(await rowsOf(world)).toEqual([2, 1])
    expect(await told(world, inside)).toEqual(['document_created'])
  })

  it('of another account, and one that is removed, cannot be changed or used', async () => {
    const world = await createWorld(await open())
    const other = { ...world.backend, as: (name: string) => world.backend.as(`other-${name}`) }
    const foreign = await createWorld(other, { account: 'Foreign' })
    const [theirs, theirFolder] = [await create(foreign, 'Theirs'), await folder(foreign, 'Theirs')]
    const [mine, removed] = [await create(world, 'Mine'), await create(world, 'Removed')]
    const removedFolder = await folder(world, 'Gone')
    await remove(world, removed)
    await remove(world, removedFolder)
    for (const calling of [
      get(world, theirs),
      write(world, theirs, 'x'),
      update(world, theirs, { title: 'x' }),
      move(world, mine, theirFolder),
      create(world, 'x', { parentId: theirFolder }),
      create(world, 'x', { taskId: foreign.taskId }),
      remove(world, theirs),
      restore(world, theirs),
      purge(world, theirs),
      versions(world, theirs),
      write(world, removed, 'x'),
      update(world, removed, { title: 'x' }),
      move(world, removed, null),
      move(world, mine, removedFolder),
      folder(world, 'x', removedFolder),
    ]) {
      expect(await code(calling)).toBe('NOT_FOUND')
    }
    expect(await titles(world)).toEqual(['Mine'])
  })
})

onEachEngine('folders', (open) => {
  it('list what is in them by title, whatever its case, and keep equal titles', async () => {
    const world = await createWorld(await open())
    const top = await folder(world, 'Top')
    for (const title of ['beta', 'Alpha', 'Alpha', 'gamma']) await create(world, title, { parentId: top })
    await folder(world, 'Aardvark', top)
    expect(await titles(world, { parentId: top })).toEqual(['Aardvark', 'Alpha', 'Alpha', 'beta', 'gamma'])
    expect(await titles(world, { parentId: null })).toEqual(['Top'])
  })

  it('move with what is in them, and not into themselves', async () => {
    const world = await createWorld(await open())
    const a = await folder(world, 'A')
    const b = await folder(world, 'B', a)
    const c = await folder(world, 'C', b)
    const text = await create(world, 'Text', { parentId: c })
    for (const target of [a, b, c]) expect(await code(move(world, a, target))).toBe('INVALID')
    expect(await move(world, c, null)).toMatchObject({ parentId: null })
    await move(world, a, c)
    expect(await code(move(world, c, b))).toBe('INVALID')
    expect(await titles(world, { parentId: c })).toEqual(['A', 'Text'])
    await move(world, text, a)
    await move(world, text, a)
    expect(await told(world, text)).toEqual(['document_moved: into A', 'document_created'])
  })

  it('are as deep as the limit and no deeper, also by a move', async () => {
    const world = await createWorld(await open())
    const chain: DocumentId[] = []
    for (let n = 0; n < LIMITS.documentDepth; n++) chain.push(await folder(world, `Level ${n}`, chain.at(-1) ?? null))
    const [deepest, second] = [chain.at(-1) ?? expect.fail(), chain[1] ?? expect.fail()]
    expect(await code(folder(world, 'Too deep', deepest))).toBe('LIMIT')
    await create(world, 'A document is no level', { parentId: deepest })
    const [tall, inside] = [await folder(world, 'Tall'), 'Inside']
    const below = await folder(world, inside, tall)
    expect(await code(move(world, tall, chain.at(-2) ?? null))).toBe('LIMIT')
    await move(world, tall, chain.at(-3) ?? null)
    expect(await titles(world, { parentId: tall })).toEqual([inside])
    // What is in the trash counts when it comes back: to the top level, if it no longer fits.
    await remove(world, second)
    await world.backend.finishScheduled()
    expect(await restore(world, second)).toMatchObject({ parentId: chain[0] })
    await world.backend.finishScheduled()
    await remove(world, below)
    const last = await folder(world, 'One more', tall)
    expect(await code(folder(world, 'Too deep', last))).toBe('LIMIT')
  })

  it('take their contents along when they are removed, and bring back those and no others', async () => {
    const world = await createWorld(await open())
    const top = await folder(world, 'Top')
    const sub = await folder(world, 'Sub', top)
    const early = await create(world, 'Early', { parentId: sub, content: 'zebra early' })
    await create(world, 'Late', { parentId: sub, content: 'zebra late' })
    // In the same millisecond: a removal is not named by the time alone.
    await remove(world, early)
    await remove(world, top)
    await world.backend.finishScheduled()
    expect(await titles(world)).toEqual([])
    expect(await found(world, 'zebra')).toEqual([])
    expect((await titles(world, { removed: true })).sort()).toEqual(['Early', 'Late', 'Sub', 'Top'])
    await restore(world, top)
    await world.backend.finishScheduled()
    expect(await titles(world, { parentId: sub })).toEqual(['Late'])
    expect(await found(world, 'zebra')).toEqual(['Late'])
    expect(await restore(world, early)).toMatchObject({ parentId: sub, deletedAt: null })
    expect(await told(world, early)).toEqual(['document_restored', 'document_deleted', 'document_created'])
  })

  it('are removed and restored in steps, however much is in them and whoever changes his mind on the way', async () => {
    const world = await createWorld(await open())
    const top = await folder(world, 'Top')
    const subs = [await folder(world, 'Sub', top), await folder(world, 'Other', top)]
    await world.backend.run(async (ctx) => {
      const row = await ctx.db.get(
        await createDocument(ctx, world.accountId, { type: 'user', id: 'a', name: 'A' }, { title: 'x' }),
      )
      if (!row) throw new Error('no row')
      const { _id, _creationTime, ...fields } = row
      const version = { authorType: 'user' as const, authorId: 'a', authorName: 'A', version: 1, content: '', latest: true }
      for (let n = 0; n < 250; n++) {
        const documentId = await ctx.db.insert('documents', { ...fields, parentId: subs[n % 2] ?? null, title: `Text ${n}` })
        await ctx.db.insert('documentVersions', { ...version, accountId: world.accountId, documentId })
      }
      await ctx.db.patch(_id, { title: 'Bystander' })
    })
    const live = () =>
      world.backend.run(async (ctx) => (await ctx.db.query('documents').collect()).filter((row) => row.deletedAt === null).length)
    const latest = () =>
      world.backend.run(async (ctx) => (await ctx.db.query('documentVersions').collect()).filter((row) => row.latest).length)
    await remove(world, top)
    await world.backend.finishScheduled()
    expect([await live(), await latest()]).toEqual([1, 1])
    await restore(world, top)
    await remove(world, top)
    await restore(world, top)
    await world.backend.finishScheduled()
    expect([await live(), await latest()]).toEqual([254, 251])
    await remove(world, top)
    await restore(world, top)
    await remove(world, top)
    await world.backend.finishScheduled()
    expect([await live(), await latest()]).toEqual([1, 1])
    await purge(world, top)
    await world.backend.finishScheduled()
    expect(await rowsOf(world)).toEqual([1, 1])
    expect(await titles(world)).toEqual(['Bystander'])
  })

  it('remove and purge contents of any length within what a transaction may read', async () => {
    const world = await createWorld(await open())
    const top = await folder(world, 'Top')
    const content = 'x'.repeat(LIMITS.documentBytes)
    for (let n = 0; n < 20; n++) await create(world, `Long ${n}`, { parentId: top, content: `${content.slice(2)}${n}` })
    await remove(world, top)
    await world.backend.finishScheduled()
    expect(await titles(world)).toEqual([])
    await purge(world, top)
    await world.backend.finishScheduled()
    expect(await rowsOf(world)).toEqual([0, 0])
  })
})

onEachEngine('what is removed', (open) => {
  it('comes back to the top level if its folder is gone', async () => {
    const world = await createWorld(await open())
    const top = await folder(world, 'Top')
    const id = await create(world, 'Text', { parentId: top, content: 'zebra' })
    await remove(world, id)
    await remove(world, top)
    expect(await restore(world, id)).toMatchObject({ parentId: null, deletedAt: null })
    expect(await told(world, id)).toContain('document_restored: to the top level')
    expect(await get(world, id)).toMatchObject({ content: 'zebra' })
  })

  it('comes back to the top level if it would be too deep by now', async () => {
    const world = await createWorld(await open())
    const place = await folder(world, 'Place')
    const tall = await folder(world, 'Tall', place)
    const inside = await folder(world, 'Inside', tall)
    await remove(world, tall)
    await world.backend.finishScheduled()
    let deep: DocumentId | null = null
    for (let n = 0; n < LIMITS.documentDepth - 2; n++) deep = await folder(world, `Level ${n}`, deep)
    await move(world, place, deep)
    expect(await restore(world, tall)).toMatchObject({ parentId: null })
    await world.backend.finishScheduled()
    expect(await titles(world, { parentId: tall })).toEqual(['Inside'])
    // One level less fits.
    await move(world, tall, null)
    await move(world, inside, null)
    await move(world, tall, place)
    await remove(world, tall)
    expect(await restore(world, tall)).toMatchObject({ parentId: place })
  })

  it('stays as it is once the account is being deleted, which removes it all', async () => {
    const world = await createWorld(await open())
    const { accountId, backend } = world
    const top = await folder(world, 'Top')
    const id = await create(world, 'Text', { parentId: await folder(world, 'Sub', top) })
    await remove(world, top)
    const row = await backend.run((ctx) => ctx.db.get(top))
    await backend.run(async (ctx) => {
      await ctx.db.patch(accountId, { deletingAt: backend.now() })
      // Its contents go before it does.
      for (const version of await ctx.db.query('documentVersions').collect()) await ctx.db.delete(version._id)
    })
    const sub = (await backend.run((ctx) => ctx.db.get(id)))?.parentId ?? expect.fail('no folder')
    await backend.mutation(internal.documents.followStep, { folderId: sub, from: null })
    await backend.mutation(internal.documents.purgeStep, { documentId: top, deletedAt: row?.deletedAt ?? 0 })
    expect(await backend.run((ctx) => ctx.db.get(id))).toMatchObject({ deletedAt: null })
    expect(await backend.run((ctx) => ctx.db.get(top))).toEqual(row)
  })

  it('is shown with its content to people, and to nobody after a purge', async () => {
    const world = await createWorld(await open())
    const [id, kept] = [await create(world, 'Text', { content: 'one' }), await create(world, 'Kept', { content: 'one' })]
    await write(world, id, 'two')
    await remove(world, id)
    await remove(world, id)
    expect(await get(world, id)).toMatchObject({ content: 'two', deletedAt: expect.any(Number) as number })
    expect(await code(world.cy.mutation(d.purge, { accountId: world.accountId, documentId: id }))).toBe('FORBIDDEN')
    await purge(world, id)
    await world.backend.finishScheduled()
    expect(await code(get(world, id))).toBe('NOT_FOUND')
    expect(await rowsOf(world)).toEqual([1, 1])
    expect(await get(world, kept)).toMatchObject({ content: 'one' })
    const lines = ['document_deleted: for good', 'document_deleted', 'document_updated: version 2', 'document_created']
    expect(await told(world, id)).toEqual(lines)
  })

  it('was removed from a folder that is purged later, and can still be restored', async () => {
    const world = await createWorld(await open())
    const top = await folder(world, 'Top')
    const early = await create(world, 'Early', { parentId: top })
    await create(world, 'Late', { parentId: top })
    await remove(world, early)
    await remove(world, top)
    await purge(world, top)
    await world.backend.finishScheduled()
    expect(await titles(world, { removed: true })).toEqual(['Early'])
    expect(await restore(world, early)).toMatchObject({ parentId: null })
  })
})

onEachEngine('lists of documents', (open) => {
  it('are by type, by task and by the newest change', async () => {
    const world = await createWorld(await open())
    const a = await create(world, 'A', { type: 'reference' })
    await world.backend.advance(10)
    await create(world, 'B', { type: 'deliverable', taskId: world.taskId })
    await world.backend.advance(10)
    await create(world, 'C', { type: 'reference', taskId: world.taskId })
    expect(await titles(world)).toEqual(['C', 'B', 'A'])
    expect(await titles(world, { type: 'reference' })).toEqual(['C', 'A'])
    expect(await titles(world, { taskId: world.taskId })).toEqual(['C', 'B'])
    await world.backend.advance(10)
    await write(world, a, 'new')
    expect(await titles(world)).toEqual(['A', 'C', 'B'])
    expect(await titles(world, { type: 'reference' })).toEqual(['A', 'C'])
  })

  it('come in pages', async () => {
    const world = await createWorld(await open())
    for (const title of ['a', 'b', 'c']) await create(world, title)
    const page = (cursor: string | null) =>
      world.cy.query(d.list, { accountId: world.accountId, parentId: null, paginationOpts: { numItems: 2, cursor } })
    const first = await page(null)
    expect(first.page.map(({ title }) => title)).toEqual(['a', 'b'])
    expect((await page(first.continueCursor)).page.map(({ title }) => title)).toEqual(['c'])
    const paginationOpts = { numItems: LIMITS.pageSize + 1, cursor: null }
    expect(await code(world.cy.query(d.list, { accountId: world.accountId, paginationOpts }))).toBe('INVALID')
  })

  it('find the newest words of documents that are there', async () => {
    const world = await createWorld(await open())
    const id = await create(world, 'Text', { content: 'zebra' })
    expect(await found(world, 'zebra')).toEqual(['Text'])
    await write(world, id, 'giraffe')
    await update(world, id, { title: 'Animals' })
    expect(await found(world, 'zebra')).toEqual([])
    expect([await found(world, 'giraffe'), await found(world, 'animals')]).toEqual([['Animals'], ['Animals']])
    await remove(world, id)
    expect([await found(world, 'giraffe'), await found(world, 'animals')]).toEqual([[], []])
    await restore(world, id)
    expect([await found(world, 'giraffe'), await found(world, 'animals')]).toEqual([['Animals'], ['Animals']])
  })
})
