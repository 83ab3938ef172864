/** The embedded backend as somebody outside of its package uses it: through its exports, with the types of real functions. */
import { conflicts, createEmbeddedConvex, type EmbeddedConvex, type Trace } from '@mission-control/embedded'
import { ConvexHttpClient } from 'convex/browser'
import type { PaginationResult } from 'convex/server'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { identityOf } from './harness/backend.ts'
import { buildFunctions } from './harness/embedded.ts'

const functions = await buildFunctions()
const HOUR = 3_600_000

describe('the handle', () => {
  let backend: EmbeddedConvex
  let accountId: Id<'accounts'>
  const ada = () => backend.withIdentity(identityOf('Ada'))
  const inbox = () => ({ accountId, status: 'inbox' as const, paginationOpts: { numItems: 10, cursor: null } })

  beforeEach(async () => {
    backend = await createEmbeddedConvex({ functions, memory: true })
    accountId = await ada().mutation(api.accounts.create, { name: 'Acme' })
  })
  afterEach(() => backend.close())

  it('calls functions as whoever is named, and refuses strangers with the function’s own words', async () => {
    const taskId = await ada().mutation(api.tasks.create, { accountId, title: 'Ship it' })
    expect(await ada().query(api.tasks.get, { accountId, taskId })).toMatchObject({ title: 'Ship it', status: 'inbox' })
    expect(await ada().query('tasks:get', { accountId, taskId })).toMatchObject({ title: 'Ship it' })
    await expect(backend.query(api.tasks.get, { accountId, taskId })).rejects.toMatchObject({ data: { code: 'UNAUTHENTICATED' } })
    const { token } = await ada().action(api.serviceTokens.create, { accountId, name: 'box' })
    expect(token.length).toBeGreaterThan(20)
  })

  it('gives a reference’s arguments and result their types', () => {
    // Never called: what is looked at is whether it compiles.
    const typed = async () => {
      expectTypeOf(await backend.mutation(api.tasks.create, { accountId, title: 'x' })).toEqualTypeOf<Id<'tasks'>>()
      const list = await backend.query(api.tasks.list, inbox())
      expectTypeOf(list.page[0]!.title).toEqualTypeOf<string>()
      expectTypeOf(list).toExtend<PaginationResult<{ id: Id<'tasks'> }>>()
      expectTypeOf(await backend.query('tasks:list', {})).toEqualTypeOf<unknown>()
      expectTypeOf(await backend.trace(api.tasks.create, { accountId, title: 'x' })).toEqualTypeOf<Trace<Id<'tasks'>>>()
      expectTypeOf(await backend.run(async () => 1)).toEqualTypeOf<number>()
      await backend.mutation(internal.maintenance.lapse)
      backend.onUpdate(api.tasks.list, inbox(), (result) => expectTypeOf(result).toEqualTypeOf<typeof list>())
      // @ts-expect-error -- a field of another type
      await backend.mutation(api.tasks.create, { accountId, title: 1 })
      // @ts-expect-error -- a field that is missing
      await backend.mutation(api.tasks.create, { accountId })
      // @ts-expect-error -- no arguments, where some are needed
      await backend.mutation(api.tasks.create)
      // @ts-expect-error -- a field that is not an argument
      await backend.query(api.tasks.list, { ...inbox(), more: 1 })
      // @ts-expect-error -- the id of another table
      await backend.query(api.tasks.get, { accountId, taskId: accountId })
      // @ts-expect-error -- a mutation is no query
      await backend.query(api.tasks.create, { accountId, title: 'x' })
      // @ts-expect-error -- an action cannot be traced
      await backend.trace(api.serviceTokens.create, { accountId, name: 'box' })
      // @ts-expect-error -- neither true nor a function
      await backend.finishScheduled({ advance: 'soon' })
      // @ts-expect-error -- functions have to be given
      await createEmbeddedConvex({ memory: true })
    }
    expectTypeOf(typed).toBeFunction()
  })

  it('runs a body of the test’s own as a mutation: all of it or nothing', async () => {
    const name = await backend.run(async ({ db }) => {
      await db.patch(accountId, { name: 'Renamed' })
      return (await db.get(accountId)).name
    })
    expect(name).toBe('Renamed')
    const failing = backend.run(async ({ db }) => {
      await db.patch(accountId, { name: 'Lost' })
      throw new Error('as planned')
    })
    await expect(failing).rejects.toThrow('as planned')
    expect(await ada().query(api.accounts.get, { accountId })).toMatchObject({ name: 'Renamed' })
  })

  it('traces what a call read and wrote, and tells whether two would conflict', async () => {
    const list = await ada().trace(api.tasks.list, inbox())
    const create = await ada().trace(api.tasks.create, { accountId, title: 'Traced' })
    expect(create.writes.map(({ table, kind }) => [table, kind])).toContainEqual(['tasks', 'insert'])
    expect(list.writes).toEqual([])
    expect(list.reads).toContainEqual(expect.objectContaining({ table: 'tasks', index: 'by_account_status_rank' }))
    expect(create.documentsRead).toBeGreaterThan(0)
    expect(conflicts(create, list)).toBe(true)
    const other = await ada().mutation(api.accounts.create, { name: 'Other' })
    expect(conflicts(create, await ada().trace(api.tasks.list, { ...inbox(), accountId: other }))).toBe(false)
  })

  it('runs scheduled functions when it is told to, moving its own time or the caller’s', async () => {
    const state = (id: string) => backend.run(async ({ db }) => (await db.system.get(id)).state.kind)
    const later = () => backend.run<string>(({ scheduler }) => scheduler.runAfter(HOUR, internal.maintenance.lapse, {}))
    const first = await later()
    expect(await backend.finishScheduled()).toBe(0)
    expect(await state(first)).toBe('pending')
    expect(await backend.finishScheduled({ advance: true })).toBe(1)
    expect(await state(first)).toBe('success')
    const second = await later()
    const moved: number[] = []
    const advance = (toMs: number) => {
      moved.push(toMs)
      backend.advanceClock(HOUR)
    }
    expect(await backend.finishScheduled({ advance })).toBe(1)
    expect(moved).toHaveLength(1)
    expect(await state(second)).toBe('success')
  })

  it('keeps a query’s result up to date until it is told to stop', async () => {
    const titles: string[][] = []
    let changed = Promise.withResolvers<void>()
    const stop = ada().onUpdate(api.tasks.list, inbox(), ({ page }) => {
      titles.push(page.map(({ title }) => title))
      changed.resolve()
    })
    await changed.promise
    changed = Promise.withResolvers()
    await ada().mutation(api.tasks.create, { accountId, title: 'One' })
    await changed.promise
    stop()
    await ada().mutation(api.tasks.create, { accountId, title: 'Two' })
    expect(titles).toEqual([[], ['One']])
    const failed = Promise.withResolvers<Error>()
    backend.onUpdate(api.tasks.list, inbox(), () => {}, failed.resolve)
    expect(await failed.promise).toMatchObject({ data: { code: 'UNAUTHENTICATED' } })
  })

  it('serves the official client, and refuses everything once it is closed', async () => {
    const { url } = await backend.listen()
    const client = new ConvexHttpClient(url, { logger: false }) as ConvexHttpClient & {
      setAdminAuth(key: string, identity: unknown): void // not in the published types
    }
    client.setAdminAuth(backend.adminKey, identityOf('Ada'))
    expect(await client.query(api.accounts.get, { accountId })).toMatchObject({ name: 'Acme' })
    await backend.close()
    await backend.close()
    await expect(client.query(api.accounts.get, { accountId })).rejects.toThrow('fetch failed')
    await expect(ada().query(api.accounts.get, { accountId })).rejects.toThrow('shutting down')
  })
})
