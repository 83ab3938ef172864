/** The demo account: what is in it, that it comes once, and that nobody is woken by it. */
import { TASK_STATUSES } from '@mission-control/shared/enums'
import { errorCode } from '@mission-control/shared/errors'
import { expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { TableNames } from '../convex/_generated/dataModel.js'
import { SEED_AGENTS } from '../convex/model/seedAgents.js'
import { SEED_FOLDERS } from '../convex/model/seedDocuments.js'
import { SEED_TASKS } from '../convex/model/seedTasks.js'
import schema from '../convex/schema.js'
import type { Backend } from './harness/backend.ts'
import { identityOf } from './harness/backend.ts'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import { createWorld } from './harness/world.ts'

const paginationOpts = { numItems: 100, cursor: null }

async function openAccount(backend: Backend) {
  const ada = backend.as('Ada')
  const accountId = await ada.mutation(api.accounts.create, { name: 'Slipway' })
  const seed = () => ada.mutation(api.seed.demo, { accountId })
  const tasks = async () => {
    const pages = await Promise.all(
      TASK_STATUSES.map((status) => ada.query(api.tasks.list, { accountId, status, paginationOpts })),
    )
    return pages.flatMap(({ page }) => page)
  }
  const thread = async (taskId: Awaited<ReturnType<typeof tasks>>[number]['id']) =>
    (await ada.query(api.messages.list, { accountId, taskId, paginationOpts })).page.reverse()
  return { backend, ada, accountId, seed, tasks, thread }
}

const dump = (backend: Backend) =>
  backend.run(async (ctx) => {
    const tables = (Object.keys(schema.tables) as TableNames[]).sort()
    return await Promise.all(tables.map(async (table) => [table, await ctx.db.query(table).collect()] as const))
  })
const countOf = async (backend: Backend, table: TableNames) => (await dump(backend)).find(([name]) => name === table)?.[1].length

onEachEngine('the demo', (open) => {
  it('has six agents with souls of their own, one of them the lead', async () => {
    const { ada, accountId, seed } = await openAccount(await open())
    expect(await seed()).toEqual({ seeded: true })
    const agents = await ada.query(api.agents.list, { accountId })
    expect(agents.map(({ slug }) => slug).sort()).toEqual(SEED_AGENTS.map(({ slug }) => slug).sort())
    expect(agents.filter(({ lead }) => lead).map(({ slug }) => slug)).toEqual(['lead'])
    const may = (name: 'canReview' | 'canMarkDone' | 'canCreateTasks') =>
      agents.filter(({ permissions }) => permissions[name]).map(({ slug }) => slug)
    expect([may('canReview'), may('canMarkDone'), may('canCreateTasks')]).toEqual([['qa'], ['lead', 'qa'], ['lead']])
    const full = await Promise.all(agents.map(({ id }) => ada.query(api.agents.get, { accountId, agentId: id })))
    expect(new Set(full.map(({ profile }) => profile.soul)).size).toBe(6)
    for (const { profile } of full)
      expect(Math.min(profile.soul.length, profile.identity.length, profile.user.length)).toBeGreaterThan(100)
  })

  it('has tasks in every column, with due dates, labels, people, reasons and threads in order', async () => {
    const { backend, ada, accountId, seed, tasks, thread } = await openAccount(await open())
    await seed()
    await backend.finishScheduled()
    const { columns, archived } = await ada.query(api.tasks.board, { accountId })
    for (const { status, count } of columns) expect([status, count > 0]).toEqual([status, true])
    expect([columns.reduce((sum, { count }) => sum + count, archived), archived]).toEqual([SEED_TASKS.length, 2])
    const all = await tasks()
    expect(all.some(({ dueAt }) => dueAt !== null && dueAt > backend.now())).toBe(true)
    expect(all.filter(({ assignees }) => assignees.some(({ type }) => type === 'user'))).toHaveLength(1)
    expect(all.find(({ status }) => status === 'blocked')?.blockedReason).toMatch(/DNS/)
    expect(new Set(all.map(({ priority }) => priority)).size).toBe(5)
    for (const task of all) {
      const lines = await thread(task.id)
      const told = SEED_TASKS.find(({ title }) => title === task.title)?.steps?.filter((step) => !('to' in step)) ?? []
      expect(lines).toHaveLength(told.length)
      for (const { content } of lines) expect(content).not.toMatch(/[{}]/)
    }
    const double = all.find(({ title }) => title.startsWith('Two guests')) ?? expect.fail('no such task')
    const lines = await thread(double.id)
    expect(lines.map(({ author }) => author.name)).toEqual(['Ada', 'Jonas', 'Jonas', 'Ines', 'Ada'])
    expect(lines[0]?.mentions.map(({ name }) => name)).toEqual(['Jonas'])
    const decision = all.find(({ title }) => title.startsWith('Decide')) ?? expect.fail('no such task')
    expect((await thread(decision.id))[0]?.mentions).toEqual([{ type: 'user', id: 'test|Ada', name: 'Ada' }])
  })

  it('has documents in folders, some with a second version, linked to their tasks', async () => {
    const { ada, accountId, seed } = await openAccount(await open())
    await seed()
    const list = (parentId: string | null) =>
      ada.query(api.documents.list, { accountId, parentId: parentId as never, paginationOpts })
    const folders = (await list(null)).page
    expect(folders.map(({ title }) => title)).toEqual([...SEED_FOLDERS.map(({ title }) => title)].sort())
    const { page } = await ada.query(api.documents.list, { accountId, paginationOpts })
    const documents = page.filter(({ kind }) => kind === 'file')
    expect(documents.filter(({ version }) => version === 2).map(({ title }) => title)).toHaveLength(3)
    expect(new Set(documents.map(({ type }) => type)).size).toBe(4)
    expect(documents.filter(({ taskId }) => taskId !== null)).toHaveLength(4)
  })

  it('comes once: a second time changes nothing, whatever was renamed or removed', async () => {
    const { backend, ada, accountId, seed, tasks } = await openAccount(await open())
    await seed()
    const [first] = await ada.query(api.agents.list, { accountId })
    const agentId = first?.id ?? expect.fail('no agent')
    await ada.mutation(api.agents.update, { accountId, agentId, slug: 'renamed', name: 'Renamed' })
    const [task] = await tasks()
    if (task && task.status !== 'archived') {
      await ada.mutation(api.tasks.updateStatus, { accountId, taskId: task.id, status: 'archived' })
    }
    await backend.finishScheduled()
    const before = await dump(backend)
    expect(await seed()).toEqual({ seeded: false })
    await backend.finishScheduled()
    expect(await dump(backend)).toEqual(before)
  })

  it('wakes and notifies nobody, other members neither', async () => {
    const { backend, ada, accountId, seed } = await openAccount(await open())
    await ada.mutation(api.memberships.add, { accountId, userId: 'test|Bo', name: 'Bo', role: 'member' })
    const told = await countOf(backend, 'notifications')
    await seed()
    await backend.finishScheduled()
    for (const table of ['deliveries', 'lanes'] as const) expect([table, await countOf(backend, table)]).toEqual([table, 0])
    expect(await countOf(backend, 'notifications')).toBe(told)
    // An agent without a heartbeat so far would be woken within a minute.
    const presence = await backend.run(async (ctx) => await ctx.db.query('agentPresence').collect())
    expect(presence.map(({ lastHeartbeatSlot }) => lastHeartbeatSlot)).toEqual(SEED_AGENTS.map(() => backend.now()))
  })

  it('leaves agents alone that have the same slugs: its own get others, and its threads mean those', async () => {
    const world = await createWorld(await open())
    const { ada, accountId, qa, backend } = world
    await ada.mutation(api.seed.demo, { accountId })
    const agents = await ada.query(api.agents.list, { accountId })
    expect(agents.find(({ id }) => id === qa)).toMatchObject({ slug: 'qa', name: 'Quality Bot' })
    const ines = agents.find(({ slug }) => slug === 'qa-demo') ?? expect.fail('no reviewer')
    const said = await backend.run(async (ctx) => (await ctx.db.query('messages').collect()).flatMap(({ mentions }) => mentions))
    expect(said.some(({ id }) => id === ines.id)).toBe(true)
    expect(said.some(({ id }) => id === qa)).toBe(false)
  })

  it('is for owners, and is whole or not there at all', async () => {
    const world = await createWorld(await open())
    const { ada, bo, accountId, backend } = world
    expect(await bo.mutation(api.seed.demo, { accountId }).catch(errorCode)).toBe('FORBIDDEN')
    await ada.mutation(api.agents.create, { accountId, slug: 'writer', name: 'One' })
    await ada.mutation(api.agents.create, { accountId, slug: 'writer-demo', name: 'Two' })
    const before = await dump(backend)
    expect(await ada.mutation(api.seed.demo, { accountId }).catch(errorCode)).toBe('CONFLICT')
    expect(await dump(backend)).toEqual(before)
  })
})

it('stays far below what one transaction may read and write', async () => {
  const backend: EmbeddedBackend = await openEmbedded(await buildFunctions())
  try {
    const { accountId } = await openAccount(backend)
    const { usage } = await backend.engine.withIdentity(identityOf('Ada')).trace(api.seed.demo, { accountId })
    // Production: 32,000 documents read, 4,096 ranges, 16,000 documents written, 1,000 functions scheduled.
    expect(usage.documentsRead).toBeLessThan(3_200)
    expect(usage.indexRanges).toBeLessThan(1_024)
    expect(usage.documentsWritten).toBeLessThan(1_600)
    expect(usage.scheduledFunctions).toBeLessThan(100)
  } finally {
    await backend.close()
  }
})
