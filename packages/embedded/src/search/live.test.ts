/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
/** A live search runs again whenever its result may have changed, and not for anything else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conflicts } from '../index.ts'
import { inMemory, onDisk } from '../../test/fixtures/backend.ts'
import { functions, searched, withNotes, write, type SearchArgs } from '../../test/fixtures/notes.ts'

const texts = ['red one', 'red two', 'red red three', 'blue', 'green']

describe('read sets', () => {
  async function prepared() {
    const backend = await inMemory({ functions })
    const { ids } = await withNotes(
      backend,
      texts.map((body) => ({ body, project: 'p', n: 0 })),
    )
    const search = (args: SearchArgs) => backend.trace('notes:search', { ...args })
    const patch = (place: number, change: object) => backend.trace('notes:patch', { id: ids[place], change })
    return { backend, ids, search, patch }
  }

  it('name the whole index and the documents that were looked at', async () => {
    const { search, ids } = await prepared()
    const { reads, result } = await search({ text: 'red', take: 2 })
    expect((result as any[]).map(({ _id }) => ids.indexOf(_id))).toEqual([2, 1])
    expect(reads).toEqual([
      { table: 'notes', id: ids[2] },
      { table: 'notes', id: ids[1] },
      { table: 'notes', index: 'search_body', from: '()', to: '(0xff)' },
    ])
  })

  it('name an index only where its entry changed', async () => {
    const { patch } = await prepared()
    const keys = async (place: number, change: object) => (await patch(place, change)).writes[0]?.keys ?? []
    expect(await keys(0, { n: 1 })).toEqual([])
    expect(await keys(0, { body: 'red one' })).toEqual([])
    expect(await keys(0, { body: 'Red, ONE!' })).toEqual([]) // the same terms
    expect(await keys(1, { body: 'other' })).toEqual([
      { index: 'search_body', before: expect.stringMatching(/^\("red two", /), after: expect.stringMatching(/^\("other", /) },
    ])
    expect(await keys(2, { body: 7 })).toEqual([{ index: 'search_body', before: expect.any(String) }])
    expect((await keys(3, { project: 'q' })).map(({ index }) => index)).toEqual(['by_project', 'search_body'])
  })

  it.each<[string, boolean, (at: Awaited<ReturnType<typeof prepared>>) => Promise<any>]>([
    ['a text that comes', true, ({ backend }) => backend.trace('notes:write', { body: 'red four' })],
    ['a text that does not match, but counts', true, ({ backend }) => backend.trace('notes:write', { body: 'yellow' })],
    ['a text that goes', true, ({ backend, ids }) => backend.trace('notes:remove', { id: ids[4] })],
    ['a filter field', true, ({ patch }) => patch(4, { project: 'q' })],
    ['another field of a result', true, ({ patch }) => patch(2, { n: 1 })],
    ['another field of a document that is no result', false, ({ patch }) => patch(4, { n: 1 })],
    ['another field of a result behind the limit', false, ({ patch }) => patch(0, { n: 1 })],
    ['the text of another index', false, ({ backend }) => backend.trace('notes:write', { meta: { text: 'red' } })],
    ['a document without a text', false, ({ backend }) => backend.trace('notes:write', { project: 'p' })],
    ['other punctuation of a text that is no result', false, ({ patch }) => patch(4, { body: 'Green!' })],
    ['other punctuation of a result', true, ({ patch }) => patch(2, { body: 'Red, red three' })],
    ['another table', false, ({ backend }) => backend.trace('notes:elsewhere', { body: 'red' })],
  ])('%s: %s', async (_name, dirty, change) => {
    const at = await prepared()
    const read = await at.search({ text: 'red', take: 2, equal: [['project', 'p']] })
    expect(conflicts(await change(at), read)).toBe(dirty)
  })

  it('a search without terms depends on nothing', async () => {
    const { search, backend } = await prepared()
    const read = await search({ text: '!' })
    expect(read.reads).toEqual([])
    expect(conflicts(await backend.trace('notes:write', { body: '!' }), read)).toBe(false)
  })

  it('random changes: a result that changed was always dirty', async () => {
    const word = fc.constantFrom('red', 'blue', 'rare', 'x', 'y', 'z')
    const note = fc.record({
      body: fc.oneof(
        fc.array(word, { maxLength: 5 }).map((words) => words.join(' ')),
        fc.constantFrom<any[]>(7, null),
      ),
      project: fc.constantFrom('p', 'q'),
      n: fc.nat(2),
    })
    const change = fc.oneof(
      fc.record({ fn: fc.constant('notes:write'), args: note }),
      fc.record({ fn: fc.constant('notes:patch'), place: fc.nat(20), args: fc.record({ change: note }) }),
      fc.record({ fn: fc.constant('notes:patch'), place: fc.nat(20), args: fc.record({ change: fc.record({ n: fc.nat(5) }) }) }),
      fc.record({ fn: fc.constant('notes:remove'), place: fc.nat(20), args: fc.record({}) }),
    )
    const args = fc.record({
      text: fc.constantFrom('red', 'red rare', 'blue r', 'x y'),
      equal: fc.constantFrom<any[]>([], [['project', 'p']]),
      take: fc.integer({ min: 1, max: 4 }),
    })
    let changedResults = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(note, { minLength: 4, maxLength: 10 }),
        fc.array(fc.tuple(args, change), { minLength: 1, maxLength: 8 }),
        async (notes, steps) => {
          const backend = await inMemory({ functions })
          const { ids } = await withNotes(backend, notes)
          const gone = new Set<number>()
          for (const [search, step] of steps) {
            const before = await backend.trace('notes:search', search)
            const place = 'place' in step ? step.place % ids.length : -1
            if (gone.has(place)) continue
            if (step.fn === 'notes:remove') gone.add(place)
            const written = await backend.trace(step.fn, place < 0 ? step.args : { ...step.args, id: ids[place] })
            const after = await backend.trace('notes:search', search)
            if (JSON.stringify(after.result) === JSON.stringify(before.result)) continue
            changedResults++
            expect(conflicts(written, before)).toBe(true)
          }
          await backend.close()
        },
      ),
      { numRuns: 60 },
    )
    expect(changedResults).toBeGreaterThan(20) // or the test looked at nothing
  })
})

describe('subscriptions', () => {
  it('a new match arrives; what cannot change the result runs nothing', async () => {
    const backend = await onDisk({ functions })
    const { ids } = await withNotes(backend, texts)
    const seen: string[][] = []
    let runs = 0
    const next = () => new Promise<void>((resolve) => (wake = resolve))
    let wake = () => {}
    const counted = backend.engine.core.queryIn
    backend.engine.core.queryIn = (...args) => {
      runs++
      return counted(...args)
    }
    let arrived = next()
    const stop = backend.onUpdate('notes:search', { text: 'red' }, (rows) => {
      seen.push((rows as any[]).map(({ body }) => body))
      wake()
    })
    await arrived
    expect([seen, runs]).toEqual([[['red red three', 'red two', 'red one']], 1])

    await backend.mutation('notes:elsewhere', { body: 'red' })
    await backend.mutation('notes:patch', { id: ids[4], change: { n: 1 } })
    arrived = next()
    await write(backend, { body: 'red four' })
    await arrived
    expect(seen.at(-1)).toContain('red four')
    expect(runs).toBe(2) // for the new match only

    arrived = next()
    await backend.mutation('notes:patch', { id: ids[2], change: { body: 'gone' } })
    await arrived
    expect(seen.at(-1)).not.toContain('red red three')
    stop()
  })

  it('a query reads one snapshot while a mutation writes', async () => {
    const backend = await onDisk({ functions })
    await withNotes(backend, ['red'])
    const entered = Promise.withResolvers<void>()
    const leave = Promise.withResolvers<void>()
    const writing = backend.run(async (ctx) => {
      await ctx.db.insert('notes', { body: 'red too' })
      entered.resolve()
      await leave.promise
      return (await searched(ctx.db, { text: 'red' })).length
    })
    await entered.promise
    expect(await backend.query('notes:search', { text: 'red' })).toHaveLength(1)
    leave.resolve()
    expect(await writing).toBe(2)
    expect(await backend.query('notes:search', { text: 'red' })).toHaveLength(2)
  })
})
