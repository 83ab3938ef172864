/* eslint-disable @typescript-eslint/no-explicit-any -- documents without a data model */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inMemory, onDisk } from '../../test/fixtures/backend.ts'
import { functions, searched, withNotes, write } from '../../test/fixtures/notes.ts'

const open = () => inMemory({ functions })
const sorted = (places: readonly number[]) => places.toSorted((a, b) => a - b)

describe('what matches', () => {
  it('any term, the last one also as the beginning of a word', async () => {
    const { find } = await withNotes(await open(), ['red apple', 'green apples', 'red pear', 'blue', 'pineapple'])
    expect(sorted(await find('apple'))).toEqual([0, 1])
    expect(sorted(await find('RED blu'))).toEqual([0, 2, 3])
    expect(await find('appl red')).toEqual([2, 0]) // only the last term is a beginning
    expect(await find('nothing like it')).toEqual([])
  })

  it.each(['', '   ', '?!… —', '🎉', '\0', `${'x'.repeat(40)}`])('no terms, no results: %j', async (text) => {
    const { find } = await withNotes(await open(), ['red', '?!', '🎉', 'x'.repeat(40), ''])
    expect(await find(text)).toEqual([])
  })

  it('takes the first sixteen terms, the sixteenth as the beginning of a word', async () => {
    const terms = Array.from({ length: 17 }, (_, n) => `t${String.fromCharCode(97 + n)}`)
    const { find } = await withNotes(await open(), ['tpzz', 'tq', 'ta'])
    expect(sorted(await find(terms.join(' ')))).toEqual([0, 2])
  })

  it('a text that is no string is not indexed; nested search fields are', async () => {
    const deep = { meta: { text: 'red inside' } }
    const { find } = await withNotes(await open(), [{ body: 7 }, {}, { body: null }, { body: ['red'] }, { body: 'red' }, deep])
    expect(await find('red')).toEqual([4])
    expect(await find('red', [], { index: 'search_text', field: 'meta.text' })).toEqual([5])
  })

  it('filters: every value has its own type, absent is a value, paths may be nested, all must hold', async () => {
    const values: any[] = [1, 1n, '1', null, undefined, true, [1], { a: 1 }, 0, -0]
    const notes = [
      ...values.map((project) => ({ body: 'red', ...(project !== undefined && { project }) })),
      { body: 'red', project: 1, meta: { kind: 'x' } },
    ]
    const { find } = await withNotes(await open(), notes)
    for (const [place, value] of values.entries()) {
      expect(sorted(await find('red', [['project', value]]))).toEqual(place === 0 ? [0, 10] : [place])
    }
    const both: [string, any][] = [
      ['project', 1],
      ['meta.kind', 'x'],
    ]
    expect(await find('red', both)).toEqual([10])
    expect(await find('red', [...both, ['project', 2]])).toEqual([])
    expect(await find('red', [['meta.kind', undefined]])).toHaveLength(10)
  })

  it('random notes and texts, against a plain search through all of them; no text is ever an error', async () => {
    const word = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('red', 'reddish', 'Blue', 'élan', '東京', '東京都', 'x', '1', 'AND', 'NEAR') },
      fc.string({ maxLength: 6, unit: 'binary' }),
      fc.constantFrom('"', '*', '" OR "', 'NEAR(', 'text:', '-', '^', ')', "'; DROP TABLE documents; --", '\0', '🎉'),
    )
    const text = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '))
    const project = fc.constantFrom<any[]>('p', 1, undefined)
    const terms = (of: string): string[] => [...of.toLowerCase().split(/[^\p{Alphabetic}\p{N}]+/u)].filter(Boolean)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ body: text, project }), { maxLength: 12 }),
        fc.array(fc.tuple(text, fc.option(project)), { minLength: 1, maxLength: 6 }),
        async (notes, searches) => {
          const backend = await open()
          const bare = notes.map(({ body, project }) => ({ body, ...(project !== undefined && { project }) }))
          const { find } = await withNotes(backend, bare)
          for (const [query, only] of searches) {
            const wanted = terms(query).slice(0, 16)
            const matches = (body: string) =>
              terms(body).some((term) => wanted.includes(term) || (wanted.length > 0 && term.startsWith(wanted.at(-1)!)))
            const expected = bare.flatMap((note, n) =>
              matches(note.body) && (only === null || note.project === only) ? [n] : [],
            )
            expect(sorted(await find(query, only === null ? [] : [['project', only]]))).toEqual(expected)
          }
          await backend.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('takes very long texts, in documents and in searches', async () => {
    const { find } = await withNotes(await open(), [`${'word '.repeat(150_000)}needle`, 'needle'])
    expect(await find('needle')).toEqual([1, 0])
    expect(await find('needle '.repeat(100_000))).toEqual([1, 0])
  })
})

describe('order', () => {
  it('more and rarer terms first, short texts before long ones, whole words before beginnings', async () => {
    const filler = Array.from({ length: 20 }, (_, n) => `other text ${n} common`)
    const { find } = await withNotes(await open(), [
      'rare common words in a text that goes on and on and on',
      'rare common',
      'rare rare common',
      'rarest common',
      ...filler,
    ])
    expect(await find('rare')).toEqual([2, 1, 0, 3])
    expect((await find('rare common')).slice(0, 3)).toEqual([2, 1, 0])
  })

  it('among equals the newest comes first; history leaves no trace in the order', async () => {
    const texts = ['red apple', 'red apple', 'red red red red', 'blue apple apple', 'red apple pie', 'green', 'plum']
    const plain = await withNotes(await open(), texts)
    const backend = await open()
    const lived = await withNotes(
      backend,
      texts.map((text) => `before ${text}`),
    )
    for (let n = 0; n < 30; n++) {
      const id = await write(backend, { body: `red apple noise ${n}` })
      await backend.mutation('notes:remove', { id })
    }
    for (const [n, id] of lived.ids.entries()) await backend.mutation('notes:patch', { id, change: { body: texts[n] } })
    for (const text of ['red apple', 'red', 'apple', 'pie', 'gr', 'plum red']) {
      expect(await lived.find(text)).toEqual(await plain.find(text))
    }
    expect((await plain.find('red apple')).indexOf(1)).toBeLessThan((await plain.find('red apple')).indexOf(0))
  })
})

describe('inside a function', () => {
  it('filter, take, first, unique and iteration go on from the search', async () => {
    const backend = await open()
    await withNotes(
      backend,
      Array.from({ length: 6 }, (_, k) => ({ body: 'red', k })),
    )
    const run = <T>(query: (q: any) => Promise<T>) =>
      backend.run((ctx) => query(ctx.db.query('notes').withSearchIndex('search_body', (q: any) => q.search('body', 'red'))))
    const ks = (rows: any[]) => rows.map(({ k }) => k)
    expect(ks(await run((q) => q.filter((f: any) => f.lt(f.field('k'), 3)).collect()))).toEqual([2, 1, 0])
    expect(ks(await run((q) => q.filter((f: any) => f.lt(f.field('k'), 3)).take(2)))).toEqual([2, 1])
    expect((await run<any>((q) => q.first())).k).toBe(5)
    await expect(run((q) => q.unique())).rejects.toThrow('more than one result')
    const seen = await run(async (q) => {
      const found: number[] = []
      for await (const row of q) {
        found.push(row.k)
        if (found.length === 2) break
      }
      return found
    })
    expect(seen).toEqual([5, 4])
    await expect(run((q) => Promise.resolve(q.order('desc')))).rejects.toThrow('relevance order')
  })

  it('a mutation finds what it wrote and not what it removed, also while it iterates', async () => {
    const backend = await onDisk({ functions })
    const { ids } = await withNotes(backend, ['red one', 'red two', 'red three', 'blue'])
    const seen = await backend.run<any[]>(async (ctx) => {
      await ctx.db.insert('notes', { body: 'red four' })
      await ctx.db.delete(ids[0])
      await ctx.db.patch(ids[1], { body: 'gone' })
      await ctx.db.replace(ids[3], { body: 'red now' })
      const before = (await searched(ctx.db, { text: 'red' })).map(({ body }) => body)
      const while_: string[] = []
      const query: any = ctx.db.query('notes').withSearchIndex('search_body', (q: any) => q.search('body', 'red'))
      for await (const row of query) {
        while_.push(row.body)
        if (while_.length === 1) {
          await ctx.db.delete(ids[2]) // a result still to come
          await ctx.db.insert('notes', { body: 'red five' }) // takes no place in a search that has run
        }
      }
      return [before.toSorted(), while_.toSorted(), (await searched(ctx.db, { text: 'red' })).map(({ body }) => body).toSorted()]
    })
    expect(seen).toEqual([
      ['red four', 'red now', 'red three'],
      ['red four', 'red now'],
      ['red five', 'red four', 'red now'],
    ])
  })

  it('counts every result it hands out, and one query', async () => {
    const backend = await open()
    await withNotes(backend, ['red', 'red', 'red', 'blue'])
    const { usage, documentsRead } = await backend.trace('notes:search', { text: 'red', take: 2 })
    expect(documentsRead).toBe(2)
    expect(usage).toMatchObject({ documentsRead: 2, indexRanges: 1 })
    expect(usage.bytesRead).toBeGreaterThan(0)
    expect((await backend.trace('notes:search', { text: '' })).usage).toMatchObject({ documentsRead: 0, indexRanges: 1 })
  })

  it('hands out 1,024 results and refuses one more, as production does', async () => {
    const backend = await open()
    await withNotes(
      backend,
      Array.from({ length: 1_025 }, () => 'red'),
    )
    const take = (count: number) => backend.query('notes:search', { text: 'red', take: count }) as Promise<unknown[]>
    expect(await take(1_024)).toHaveLength(1_024)
    await expect(take(1_025)).rejects.toThrow('Search query scanned too many documents (fetched 1024)')
    await expect(backend.query('notes:search', { text: 'red' })).rejects.toThrow('scanned too many documents')
  })
})

describe('pages', () => {
  async function pages(backend: Awaited<ReturnType<typeof open>>, text: string, size: number, count: number): Promise<any[]> {
    const all: any[] = []
    for (let cursor: string | null = null; ;) {
      const page: any = await backend.query('notes:page', { text, cursor, size })
      all.push(page)
      if (page.isDone) return all
      if (all.length > count) throw new Error('the pages never end')
      cursor = page.continueCursor
    }
  }

  it.each([
    [6, 2],
    [6, 4],
    [5, 5],
    [0, 3],
    [1_100, 400],
  ])('%d results in pages of %d: every one once, in order, isDone exact', async (count, size) => {
    const backend = await open()
    await withNotes(backend, [...Array.from({ length: count }, (_, n) => `red ${'x '.repeat(n % 7)}`), 'blue'])
    const all = await pages(backend, 'red', size, count)
    const shown = Math.min(count, 1_024) // production shows the best 1,024 too, and ends there
    expect(all).toHaveLength(Math.max(1, Math.ceil(shown / size)))
    const ids = all.flatMap(({ page }) => page.map(({ _id }: any) => _id))
    const direct = (await backend.query('notes:search', { text: 'red', take: shown })) as any[]
    expect(ids).toEqual(direct.map(({ _id }) => _id))
  })

  it('a result that goes away does not lose the place; cursors of other searches are refused', async () => {
    const backend = await open()
    const { ids } = await withNotes(backend, ['red', 'red', 'red', 'red'])
    const first: any = await backend.query('notes:page', { text: 'red', cursor: null, size: 2 })
    await backend.mutation('notes:remove', { id: first.page[1]._id })
    const rest: any = await backend.query('notes:page', { text: 'red', cursor: first.continueCursor, size: 9 })
    expect(rest.page.map(({ _id }: any) => ids.indexOf(_id))).toEqual([1, 0])
    expect(rest.isDone).toBe(true)
    await expect(backend.query('notes:page', { text: 'blue', cursor: first.continueCursor, size: 2 })).rejects.toThrow(
      'InvalidCursor',
    )
  })
})

describe('what is refused', () => {
  const attempt = async (index: string, build: (q: any) => any, method = 'withSearchIndex') =>
    (await open()).run((ctx) => ctx.db.query('notes')[method](index, build).collect())

  it.each<[string, string, (q: any) => any, string]>([
    ['an unknown index', 'nope', (q) => q.search('body', 'x'), 'Index notes.nope not found.'],
    ['a database index', 'by_project', (q) => q.search('body', 'x'), 'Index notes.by_project is not a search index.'],
    ['a staged index', 'later', (q) => q.search('body', 'x'), 'Index notes.later is staged'],
    [
      'another field',
      'search_body',
      (q) => q.search('title', 'x'),
      'against "title", which doesn\'t match the indexed `searchField` "body"',
    ],
    ['two searches', 'search_body', (q) => q.search('body', 'x').search('body', 'y'), 'multiple search filters'],
    ['no search', 'search_body', (q) => q, 'does not contain any search filters'],
    ['only a filter', 'search_body', (q) => q.eq('project', 1), 'does not contain any search filters'],
    [
      'a field that is no filter field',
      'search_body',
      (q) => q.search('body', 'x').eq('title', 1),
      "isn't indexed for filtering",
    ],
    [
      'nine filters',
      'search_body',
      (q) => Array.from({ length: 9 }).reduce((at: any) => at.eq('project', 1), q.search('body', 'x')),
      'too many filter conditions. Max: 8 Actual: 9',
    ],
    ['a text that is no string', 'search_body', (q) => q.search('body', 7), 'must be a string'],
  ])('%s', async (_name, index, build, message) => {
    await expect(attempt(index, build)).rejects.toThrow(message)
  })

  it('a search index used as a database index', async () => {
    await expect(attempt('search_body', (q) => q, 'withIndex')).rejects.toThrow('Index notes.search_body is not a database index')
  })
})
