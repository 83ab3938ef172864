/** What people and agents find, and what they must not. */
import { errorCode } from '@mission-control/shared/errors'
import { LIMITS } from '@mission-control/shared/limits'
import { describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { snippet } from '../convex/lib/snippet.js'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const create = (world: World, title: string, description = '') =>
  world.ada.mutation(api.tasks.create, { accountId: world.accountId, title, description })
const all = (world: World, text: string, limit?: number) =>
  world.ada.query(api.search.all, { accountId: world.accountId, text, ...(limit === undefined ? {} : { limit }) })
const tasks = (world: World, text: string, over: { status?: 'inbox' | 'archived'; limit?: number } = {}) =>
  world.ada.query(api.tasks.search, { accountId: world.accountId, text, ...over })

/** A document with its newest and an older version, written past the functions that own them. */
async function addDocument(world: World, title: string, content: string, { deleted = false } = {}): Promise<Id<'documents'>> {
  const { accountId } = world
  return await world.backend.run(async (ctx) => {
    const author = { authorType: 'user' as const, authorId: 'test|Ada', authorName: 'Ada' }
    const documentId = await ctx.db.insert('documents', {
      ...{ accountId, kind: 'file', parentId: null, title, titleKey: title.toLowerCase(), type: 'note', taskId: null },
      ...{ version: 2, bytes: content.length, ...author, updatedAt: 0, deletedAt: deleted ? 1 : null },
    })
    const version = { accountId, documentId, ...author }
    await ctx.db.insert('documentVersions', { ...version, version: 1, content: 'obsolete words', latest: false })
    await ctx.db.insert('documentVersions', { ...version, version: 2, content, latest: !deleted })
    return documentId
  })
}

onEachEngine('searching tasks', (open) => {
  it('finds them by title first, then by description, each once, with the text around the match', async () => {
    const world = await createWorld(await open())
    const both = await create(world, 'Rocket engine', 'The rocket needs fuel.')
    const inText = await create(world, 'Fuel', `${'Long before. '.repeat(20)}A rocket stands there. ${'Long after. '.repeat(20)}`)
    await create(world, 'Something else')
    const found = await tasks(world, 'rocket')
    expect(found.map(({ id }) => id)).toEqual([both, inText])
    expect(found[0]).toEqual({ id: both, title: 'Rocket engine', status: 'inbox', priority: 3, snippet: 'Rocket engine' })
    expect(found[1]?.snippet).toMatch(/^….*A rocket stands there\..*…$/)
  })

  it('finds what begins with the last word, while it is being typed', async () => {
    const world = await createWorld(await open())
    const id = await create(world, 'Launch the rocket')
    expect((await tasks(world, 'launch roc')).map((task) => task.id)).toEqual([id])
  })

  it('says which are archived, and can be asked for one status', async () => {
    const world = await createWorld(await open())
    const [open1, old] = [await create(world, 'Rocket one'), await create(world, 'Rocket two')]
    const args = { accountId: world.accountId, taskId: old, status: 'archived' as const }
    await world.ada.mutation(api.tasks.updateStatus, args)
    const found = await tasks(world, 'rocket')
    expect(Object.fromEntries(found.map(({ id, status }) => [id, status]))).toEqual({ [open1]: 'inbox', [old]: 'archived' })
    expect((await tasks(world, 'rocket', { status: 'inbox' })).map(({ id }) => id)).toEqual([open1])
    expect((await tasks(world, 'rocket', { status: 'archived' })).map(({ id }) => id)).toEqual([old])
  })

  it('finds the new title after a change, and not the old one', async () => {
    const world = await createWorld(await open())
    const taskId = await create(world, 'Rocket')
    await world.ada.mutation(api.tasks.update, { accountId: world.accountId, taskId, title: 'Balloon' })
    expect(await tasks(world, 'rocket')).toEqual([])
    expect((await tasks(world, 'balloon')).map(({ id }) => id)).toEqual([taskId])
  })

  it('gives as many as asked for', async () => {
    const world = await createWorld(await open())
    for (let n = 0; n < 30; n++) await create(world, n % 2 ? `Rocket ${n}` : `Task ${n}`, n % 2 ? '' : 'a rocket')
    expect(await tasks(world, 'rocket', { limit: 20 })).toHaveLength(20)
    expect(await tasks(world, 'rocket', { limit: 3 })).toHaveLength(3)
    expect(new Set((await tasks(world, 'rocket', { limit: 50 })).map(({ id }) => id)).size).toBe(30)
  })

  it('reads no more long texts than a function may', async () => {
    const world = await createWorld(await open())
    const description = `rocket ${'漢'.repeat(LIMITS.descriptionChars - 10)}`
    for (let n = 0; n < 60; n++) await create(world, `Rocket ${n}`, description)
    const found = await tasks(world, 'rocket', { limit: 50 })
    expect(found.length).toBeGreaterThan(10)
    expect(found.length).toBeLessThan(50)
  })
})

onEachEngine('searching everything', (open) => {
  it('finds tasks, messages, documents and agents of this account only', async () => {
    const world = await createWorld(await open())
    const other = { ...world.backend, as: (name: string) => world.backend.as(`other-${name}`) }
    const foreign = await createWorld(other, { account: 'Foreign' })
    for (const one of [world, foreign]) {
      await create(one, 'Engine task')
      await one.post('The engine is hot.')
      await addDocument(one, 'Engine manual', 'Nothing.')
      await addDocument(one, 'Manual', 'How the engine works.')
    }
    const found = await all(world, 'engine')
    expect(found.tasks.map(({ title }) => title)).toEqual(['Engine task'])
    expect(found.messages).toMatchObject([{ taskId: world.taskId, authorName: 'Ada', snippet: 'The engine is hot.' }])
    expect(found.documents.map(({ title, snippet: line }) => [title, line])).toEqual([
      ['Engine manual', 'Engine manual'],
      ['Manual', 'How the engine works.'],
    ])
    expect(found.agents).toMatchObject([{ id: world.engineer, slug: 'engineer', name: 'Engineer' }])
  })

  it('finds agents by the beginning of slug or name, each once', async () => {
    const world = await createWorld(await open())
    expect((await all(world, 'QUALITY b')).agents.map(({ id }) => id)).toEqual([world.qa])
    expect((await all(world, 'qa')).agents.map(({ id }) => id)).toEqual([world.qa])
    expect((await all(world, 'engineer')).agents).toHaveLength(1)
    expect((await all(world, 'bot')).agents).toEqual([])
  })

  it('finds no deleted documents, no old versions, and each document once', async () => {
    const world = await createWorld(await open())
    await addDocument(world, 'Rocket', 'A rocket.')
    await addDocument(world, 'Rocket gone', 'A rocket.', { deleted: true })
    expect((await all(world, 'rocket')).documents).toHaveLength(1)
    expect((await all(world, 'obsolete')).documents).toEqual([])
  })
})

onEachEngine('a search', (open) => {
  it.each(['', '   ', '.,!'])('for "%s" finds nothing', async (text) => {
    const world = await createWorld(await open())
    expect(await all(world, text)).toEqual({ tasks: [], messages: [], documents: [], agents: [] })
    expect(await tasks(world, text)).toEqual([])
  })

  it.each([
    ['that is too long', 'x'.repeat(LIMITS.searchChars + 1), 10, 'LIMIT'],
    ['of too many words', 'a '.repeat(17), 10, 'LIMIT'],
    ['for no results', 'a', 0, 'INVALID'],
    ['for too many results', 'a', LIMITS.searchResults + 1, 'INVALID'],
    ['for half a result', 'a', 1.5, 'INVALID'],
  ])('%s is refused', async (_what, text, limit, code) => {
    const world = await createWorld(await open())
    await expect(all(world, text, limit).catch(errorCode)).resolves.toBe(code)
    await expect(tasks(world, text, { limit }).catch(errorCode)).resolves.toBe(code)
  })
})

describe('a snippet', () => {
  it('is the whole of a short text on one line', () => {
    expect(snippet('one\n\n two', ['two'])).toBe('one two')
  })

  it('is the part around the first match, with marks where it is cut', () => {
    const text = `${'a '.repeat(200)}needle ${'b '.repeat(200)}`
    const line = snippet(text, ['nothing', 'needle'])
    expect(line).toMatch(/^…a .*needle b.*…$/)
    expect(line.length).toBeLessThan(170)
  })

  it('cuts no character in half', () => {
    for (let n = 0; n < 4; n++) {
      const line = snippet(`${'x'.repeat(n)}${'😀'.repeat(300)}needle${'😀'.repeat(300)}`, ['needle'])
      expect(line.isWellFormed()).toBe(true)
      expect(line).toContain('needle')
    }
  })
})
