/** Documents: what a function reads is the same with a hundred of them and with five thousand. */
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { identityOf } from './harness/backend.ts'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const functions = await buildFunctions()
const STEP = 500
const SUBFOLDERS = 3

/** One folder, subfolders in it, and documents: half of them in the folder, all of the task and type, every tenth removed. */
async function fill(world: World, count: number, versions: number): Promise<{ folderId: Id<'documents'>; id: Id<'documents'> }> {
  const { accountId, ada, backend, taskId } = world
  const folderId = await ada.mutation(api.documents.createFolder, { accountId, title: 'Folder' })
  for (let n = 0; n < SUBFOLDERS; n++) {
    await ada.mutation(api.documents.createFolder, { accountId, title: `Sub ${n}`, parentId: folderId })
  }
  const id = await ada.mutation(api.documents.create, { accountId, title: 'Document', parentId: folderId, taskId })
  await backend.run(async (ctx) => {
    const version = { accountId, documentId: id, authorType: 'user' as const, authorId: 'a', authorName: 'A', content: 'old' }
    for (let n = 0; n < versions; n++) await ctx.db.insert('documentVersions', { ...version, version: -n, latest: false })
  })
  for (let from = 0; from < count; from += STEP) {
    await backend.run(async (ctx) => {
      const row = await ctx.db.get(id)
      if (!row) throw new Error('no document')
      const { _id, _creationTime, ...fields } = row
      for (let n = from; n < Math.min(count, from + STEP); n++) {
        const title = `Text ${n}`
        const place = { parentId: n % 2 ? folderId : null, deletedAt: n % 10 ? null : 1_000 + n }
        const document = { ...fields, ...place, title, titleKey: title.toLowerCase(), updatedAt: n }
        const documentId = await ctx.db.insert('documents', document)
        const version = { accountId, documentId, version: 1, content: title, latest: n % 10 !== 0 }
        await ctx.db.insert('documentVersions', { ...version, authorType: 'user', authorId: 'a', authorName: 'A' })
      }
    })
  }
  return { folderId, id }
}

async function readsWith(count: number, versions: number): Promise<Record<string, [documents: number, ranges: number]>> {
  const backend: EmbeddedBackend = await openEmbedded(functions)
  try {
    const world = await createWorld(backend)
    const { folderId, id } = await fill(world, count, versions)
    const { accountId, taskId } = world
    const ada = backend.engine.withIdentity(identityOf('Ada'))
    const paginationOpts = { numItems: 20, cursor: null }
    const d = api.documents
    const own = { accountId, documentId: id }
    const traces = {
      byFolder: await ada.trace(d.list, { accountId, parentId: folderId, paginationOpts }),
      byTask: await ada.trace(d.list, { accountId, taskId, paginationOpts }),
      byType: await ada.trace(d.list, { accountId, type: 'note', paginationOpts }),
      recent: await ada.trace(d.list, { accountId, paginationOpts }),
      removed: await ada.trace(d.list, { accountId, removed: true, paginationOpts: { numItems: 10, cursor: null } }),
      get: await ada.trace(d.get, own),
      getVersion: await ada.trace(d.getVersion, { ...own, version: 1 }),
      versions: await ada.trace(d.versions, { ...own, paginationOpts }),
      create: await ada.trace(d.create, { accountId, title: 'New', parentId: folderId, taskId }),
      createFolder: await ada.trace(d.createFolder, { accountId, title: 'New', parentId: folderId }),
      write: await ada.trace(d.write, { ...own, content: 'new', baseVersion: 1 }),
      update: await ada.trace(d.update, { ...own, title: 'Other' }),
      move: await ada.trace(d.move, { ...own, parentId: null }),
      remove: await ada.trace(d.remove, own),
      restore: await ada.trace(d.restore, own),
    }
    const elsewhere = await ada.mutation(d.createFolder, { accountId, title: 'Elsewhere' })
    const moveFolder = await ada.trace(d.move, { accountId, documentId: folderId, parentId: elsewhere })
    // The first step; what is in the folders inside follows in others, a bounded part each.
    const removeFolder = await ada.trace(d.remove, { accountId, documentId: elsewhere })
    return Object.fromEntries(
      Object.entries({ ...traces, moveFolder, removeFolder }).map(([name, { usage }]) => [
        name,
        [usage.documentsRead, usage.indexRanges],
      ]),
    )
  } finally {
    await backend.close()
  }
}

it('lists, reads and changes read as much with 5,000 documents as with 100', async () => {
  const [few, many] = [await readsWith(100, 25), await readsWith(5_000, 1_000)]
  expect(many).toEqual(few)
  // A page, the caller and the row it is about: nothing that grew would fit in.
  for (const [name, [documents]] of Object.entries(many)) expect([name, documents <= 30]).toEqual([name, true])
}, 120_000)
