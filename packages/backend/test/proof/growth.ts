/**
 * What the functions on the hot path read, in a small account and in a large one.
 *
 *   node packages/backend/test/proof/growth.ts [--rows 200000]
 *
 * prints the documents each of them reads at 1,000 and at `rows` messages, deliveries, activities and notifications each.
 */
import { parseArgs } from 'node:util'
import type { FunctionReference } from 'convex/server'
import { api } from '../../convex/_generated/api.js'
import type { EmbeddedBackend } from '../harness/embedded.ts'
import { buildFunctions, openEmbedded } from '../harness/embedded.ts'
import type { World } from '../harness/world.ts'
import { createWorld, PLACE, RUN, VERSIONS } from '../harness/world.ts'
import { BATCH, copy, insertHistory } from './old-rows.ts'

const PAGE = { numItems: 20, cursor: null }
/** More old tasks than one look for stale ones reads, and older than it calls stale (convex/model/stale.ts). */
const OLD_TASKS = 40
const OLD_MS = 72 * 3_600_000

/** How many documents each function read, by its name. */
export type Reads = Record<string, number>

export interface Growing {
  readonly world: World
  /** Adds rows until the account has this many of each kind. */
  growTo(rows: number): Promise<void>
  measure(): Promise<Reads>
}

export async function openGrowing(backend: EmbeddedBackend): Promise<Growing> {
  const world = await createWorld(backend)
  const { accountId, service, epoch, taskId, ada } = world
  const second = await ada.mutation(api.tasks.create, { accountId, title: 'Second', labels: ['ui'] })
  // More than a page of everything that is listed, so that every list is full from the start.
  for (let i = 0; i < 45; i++) {
    await world.post(`@engineer @cy alpha ${i}`)
    for (const item of await world.claimReady()) await world.settle(item, `@ada beta ${i}`)
  }
  const lead = await ada.mutation(api.agents.create, { accountId, slug: 'boss', name: 'Boss' })
  await ada.mutation(api.agents.setLead, { accountId, agentId: lead })
  await insertOldTasks(world)
  await backend.advance(1_000)
  await backend.finishScheduled()
  let have = 0
  let n = 0

  async function measure(): Promise<Reads> {
    n++
    // Each kind of work once, so that the next of its kind finds nothing new.
    for (const task of [taskId, second]) await world.post('@engineer warm', task)
    for (const item of await world.claimReady()) await world.settle(item, 'warm')
    await world.post('@engineer held', second)
    const [held] = await world.claimReady()
    await backend.finishScheduled()
    const { trace } = backend.engine
    const asAda = backend.engine.withIdentity({ subject: 'Ada', issuer: 'test', tokenIdentifier: 'test|Ada', name: 'Ada' })
    const reads: Reads = {}
    const note = async <T>(name: string, traced: Promise<{ documentsRead: number; result: T }>): Promise<T> => {
      const { documentsRead, result } = await traced
      reads[name] = documentsRead
      return result
    }
    const ask = (name: string, fn: FunctionReference<'query'>, args: object) =>
      note(name, asAda.trace(fn, { accountId, ...args }))

    await note('post', asAda.trace(api.messages.post, { accountId, taskId, content: `@engineer @cy measure ${n}` }))
    const ready = await note('ready', trace(api.service.notifications.ready, service))
    await note('signals', trace(api.service.runtime.signals, service))
    const ids = ready.map(({ id }) => id)
    const { items } = await note('claim', trace(api.service.notifications.claim, { ...service, epoch, ids }))
    const info = {
      versions: VERSIONS,
      infrastructure: PLACE,
      announcedIntervalMs: 60_000,
      reasons: [],
      status: 'online' as const,
    }
    const holding = [...items, ...(held ? [held] : [])].map(({ id, fence }) => ({ id, fence }))
    await note('check-in', trace(api.service.runtime.checkIn, { ...service, ...info, epoch, held: holding, dueAgents: [] }))
    // The lead is due and has no task: the check-in looks for stale ones, and finds one.
    const dueAgents = [{ agentId: lead, slot: backend.now() + n }]
    const due = { ...service, ...info, epoch, held: holding, dueAgents }
    const checked = await note('check-in of a due lead', trace(api.service.runtime.checkIn, due))
    if (checked.superseded || checked.work.length !== 1) throw new Error('The lead has nothing to do.')
    const beat = { ...service, epoch, agentId: lead, slot: backend.now() + n }
    const begun = await note('heartbeat of the lead', trace(api.service.heartbeats.begin, beat))
    if (!('item' in begun) || begun.item.context.heartbeat?.stale.length !== 1) throw new Error('The lead was told of nothing.')
    await world.settle(begun.item, null)
    await forgetNudges(world)
    const [item] = items
    if (!item || !held) throw new Error('Nothing was claimed.')
    const settled = { ...service, outcome: 'reply' as const, reply: `measured ${n}`, run: RUN }
    await note('settle', trace(api.service.notifications.settle, { ...settled, id: item.id, fence: item.fence }))
    await note(
      'fail',
      trace(api.service.notifications.fail, {
        ...{ ...service, id: held.id, fence: held.fence, class: 'terminal' as const, code: 'TURN_FAILED', reason: 'no' },
        ...{ ended: true, retryAfterMs: null, run: RUN },
      }),
    )
    await backend.finishScheduled()
    await ask('board', api.tasks.board, {})
    await ask('task', api.tasks.get, { taskId })
    await ask('task list', api.tasks.list, { status: 'inbox', paginationOpts: PAGE })
    const page = (await ask('thread page', api.messages.list, { taskId, paginationOpts: PAGE })) as { continueCursor: string }
    const older = { taskId, paginationOpts: { numItems: 20, cursor: page.continueCursor } }
    await ask('older thread page', api.messages.list, older)
    await ask('deliveries of a thread', api.deliveries.forTask, { taskId })
    await ask('thread state', api.deliveries.threadState, { taskId })
    await ask('dead letters', api.deliveries.listDead, { paginationOpts: { numItems: 1, cursor: null } })
    await ask('unread count', api.notifications.unreadCount, {})
    await ask('notifications', api.notifications.list, { paginationOpts: PAGE })
    await ask('unread notifications', api.notifications.list, { unread: true, paginationOpts: PAGE })
    await ask('activity page', api.activities.list, { paginationOpts: PAGE })
    await ask('runtime status', api.runtimes.status, {})
    await ask('usage', api.usage.state, { agentId: null, at: backend.now() })
    await ask('search', api.search.all, { text: 'alpha' })
    await ask('task search', api.tasks.search, { text: 'ship' })
    return reads
  }

  return {
    world,
    measure,
    async growTo(rows) {
      for (; have < rows; have += Math.min(BATCH, rows - have)) {
        const { accountId, taskId } = world
        await insertHistory(backend, { accountId, taskId, userId: 'test|Ada' }, Math.min(BATCH, rows - have), have)
      }
    },
  }
}

/** A full window of open tasks that somebody looks after, and before them one that nobody does. */
async function insertOldTasks({ backend, accountId, taskId, qa }: World): Promise<void> {
  const assignees = [{ type: 'agent' as const, id: qa }]
  await backend.run(async (ctx) => {
    const task = await ctx.db.get(taskId)
    if (!task) throw new Error('There is no task to copy.')
    const old = { ...copy(task), status: 'in_progress' as const, assignees }
    for (let n = 0; n < OLD_TASKS; n++) {
      const statusChangedAt = task.statusChangedAt - OLD_MS + n
      const id = await ctx.db.insert('tasks', { ...old, title: n === 0 ? 'Quiet' : `Busy ${n}`, statusChangedAt })
      if (n === 0) continue
      await ctx.db.insert('activities', {
        ...{ accountId, type: 'message_created', actorType: 'user', actorId: 'test|Ada', actorName: 'Ada' },
        ...{ targetId: id, targetName: 'Busy', taskId: id, detail: null },
      })
    }
  })
}

/** As if hours had passed, so that the next look finds the same. */
const forgetNudges = ({ backend, accountId }: World): Promise<void> =>
  backend.run(async (ctx) => {
    const rows = await ctx.db
      .query('taskNudges')
      .withIndex('by_account_task', (q) => q.eq('accountId', accountId))
      .collect()
    for (const { _id } of rows) await ctx.db.delete(_id)
  })

if (import.meta.main) {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '200000' } } })
  const rows = Number(values.rows)
  const backend = await openEmbedded(await buildFunctions(), { mockDate: false })
  const growing = await openGrowing(backend)
  await growing.growTo(1_000)
  await growing.measure()
  const small = await growing.measure()
  const started = performance.now()
  await growing.growTo(rows)
  console.log(`${4 * (rows - 1_000)} rows inserted in ${((performance.now() - started) / 1_000).toFixed(1)} s.`)
  await growing.measure()
  const large = await growing.measure()
  console.table(Object.fromEntries(Object.keys(small).map((name) => [name, { '1000': small[name], [rows]: large[name] }])))
  const grown = Object.keys(small).filter((name) => small[name] !== large[name])
  console.log(grown.length === 0 ? 'Nothing reads more.' : `These read another number of documents: ${grown.join(', ')}.`)
  process.exitCode = grown.length === 0 ? 0 : 1
  await backend.close()
}
