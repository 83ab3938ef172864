/** Performs the deeds of a history against a backend, as people and runtimes would, and writes the ledger. */
import assert from 'node:assert/strict'
import { errorCode } from '@mission-control/shared/errors'
import { api, internal } from '../../convex/_generated/api.js'
import type { Doc, Id } from '../../convex/_generated/dataModel.js'
import type { Backend } from '../harness/backend.ts'
import type { World } from '../harness/world.ts'
import { createWorld, RUN } from '../harness/world.ts'
import type { Deed } from './actions.ts'
import { MENTIONS, MOVES, PAUSES } from './actions.ts'
import type { Ledger } from './ledger.ts'
import { claimKey, count, laneKey, newLedger } from './ledger.ts'
import { allRows, queueRows } from './rows.ts'

export interface Held {
  readonly id: string
  readonly fence: number
}
interface Runtime {
  readonly instanceId: string
  boot: number
  epoch: number | null
  held: Held[]
}
export interface Simulation {
  readonly world: World
  readonly backend: Backend
  readonly ledger: Ledger
  readonly runtimes: Runtime[]
  /** Claims that some runtime has let go of. */
  readonly past: Held[]
  step: number
  texts: number
}

const QUIET = ['done', 'blocked', 'archived', 'inbox']
const USERS = ['Ada', 'Bo', 'Cy'] as const
const USAGE = { model: 'm', inputTokens: 100, outputTokens: 10, costUsd: 0.001 }

export async function newSimulation(backend: Backend): Promise<Simulation> {
  const world = await createWorld(backend)
  await world.ada.mutation(api.tasks.create, { accountId: world.accountId, title: 'Second', labels: ['ui'] })
  await backend.finishScheduled()
  const runtimes = [
    { instanceId: 'box-1', boot: 1, epoch: world.epoch, held: [] },
    { instanceId: 'box-2', boot: 1, epoch: null, held: [] },
  ]
  return { world, backend, ledger: newLedger(), runtimes, past: [], step: 0, texts: 0 }
}

/** The result, or `null` when the call was refused with a code. Anything else that is thrown is a failure of the history. */
async function accepted<T>(calling: Promise<T>): Promise<T | null> {
  try {
    return await calling
  } catch (error) {
    if (errorCode(error) === null) throw error
    return null
  }
}

export const pick = <T>(all: readonly T[], at: number): T | undefined => all[at % Math.max(1, all.length)]
const caller = ({ backend }: Simulation, who: number) => backend.as(USERS[who % USERS.length] ?? 'Ada')

export async function perform(sim: Simulation, deed: Deed): Promise<void> {
  const { world, backend, ledger } = sim
  const { accountId, ada, service } = world
  const rows = await queueRows(backend)
  const tasks = await tasksOf(backend)
  const agent = 'agent' in deed && deed.agent !== null ? pick(rows.agents, deed.agent) : undefined
  const task = 'task' in deed ? pick(tasks, deed.task) : undefined
  const runtime = 'runtime' in deed ? sim.runtimes[deed.runtime % sim.runtimes.length] : undefined
  const held = runtime && 'item' in deed ? pick(runtime.held, deed.item) : undefined
  switch (deed.do) {
    case 'post': {
      if (!task) return
      await post(sim, deed.who, task, `${MENTIONS[deed.mention]}text ${++sim.texts}`, deed.key)
      return
    }
    case 'interrupt': {
      const taskId = rows.deliveries.find(({ _id }) => _id === held?.id)?.taskId
      const where = tasks.find(({ _id }) => _id === taskId)
      if (where) await post(sim, 1, where, `meanwhile ${++sim.texts}`, false)
      return
    }
    case 'edit':
      return await edit(sim, deed)
    case 'delete': {
      const message = pick(await messagesOf(backend), deed.message)
      if (message) await accepted(ada.mutation(api.messages.remove, { accountId, messageId: message._id }))
      return
    }
    case 'assign': {
      const party = deed.person ? { type: 'user' as const, id: 'test|Cy' } : agent && { type: 'agent' as const, id: agent._id }
      if (!task || !party) return
      const args = { accountId, taskId: task._id, assignees: [party] }
      if ((await accepted(ada.mutation(api.tasks.assign, args))) === null) return
      if (party.type === 'agent' && !task.assignees.some(({ id }) => id === party.id))
        count(ledger, 'assignment', party.id, task._id)
      return
    }
    case 'unassign': {
      if (!task || !agent) return
      const assignee = { type: 'agent' as const, id: agent._id }
      await accepted(ada.mutation(api.tasks.unassign, { accountId, taskId: task._id, assignee }))
      return
    }
    case 'move': {
      const status = MOVES[deed.to]
      if (!task || !status) return
      const moving = ada.mutation(api.tasks.updateStatus, { accountId, taskId: task._id, status, reason: 'because' })
      if ((await accepted(moving)) === null || QUIET.includes(status)) return
      // The assignments of an agent that was removed go in steps of their own, and nobody tells it any more.
      const present = new Set<string>(rows.agents.map(({ _id }) => _id))
      const assigned = task.assignees.filter(({ type, id }) => type === 'agent' && present.has(id)).map(({ id }) => id)
      const reviewers = rows.agents.filter(({ permissions }) => permissions.canReview).map(({ _id }) => _id)
      for (const id of status === 'review' ? reviewers : assigned) count(ledger, 'status_change', id, task._id)
      return
    }
    case 'label':
      if (task) await accepted(ada.mutation(api.tasks.update, { accountId, taskId: task._id, labels: [...deed.labels] }))
      return
    case 'newTask': {
      if (!agent || tasks.length > 4) return
      const assignees = [{ type: 'agent' as const, id: agent._id }]
      const created = await accepted(ada.mutation(api.tasks.create, { accountId, title: 'New', labels: ['bug'], assignees }))
      if (created) count(ledger, 'assignment', agent._id, created)
      return
    }
    case 'stop': {
      if (!task) return
      const args = { accountId, taskId: task._id }
      const stopping = deed.button
        ? ada.mutation(api.deliveries.stop, args)
        : ada.mutation(api.messages.post, { ...args, content: ' /STOP ' })
      if ((await accepted<unknown>(stopping.then(() => true))) === null) return
      ledger.stops.set(task._id, sim.step)
      for (const { _id, taskId, state, fence } of rows.deliveries)
        if (taskId === task._id && state === 'claimed') ledger.stopped.add(claimKey(_id, fence))
      return
    }
    case 'pause':
    case 'resume':
      if (agent) await accepted(ada.mutation(api.agents[deed.do], { accountId, agentId: agent._id }))
      return
    case 'deleteAgent':
      // One is always left to work.
      if (agent && rows.agents.length > 1) await accepted(ada.mutation(api.agents.remove, { accountId, agentId: agent._id }))
      return
    case 'newSlug':
      if (agent) await accepted(ada.mutation(api.agents.update, { accountId, agentId: agent._id, slug: `slug-${sim.step}` }))
      return
    case 'newAgent':
      // What was said to @all in this very millisecond is taken for said to it too.
      await backend.advance(1)
      if (rows.agents.length < 4) await accepted(ada.mutation(api.agents.create, { accountId, slug: 'third', name: 'Third' }))
      return
    case 'pauseAll':
    case 'resumeAll':
      await ada.mutation(api.accounts.setPaused, { accountId, paused: deed.do === 'pauseAll' })
      return
    case 'cap': {
      const budgets = { turnsPerHour: deed.turns, tokensPerDay: null, microUsdPerDay: null }
      if (agent) await accepted(ada.mutation(api.agents.setBudgets, { accountId, agentId: agent._id, budgets }))
      else await accepted(ada.mutation(api.accounts.setBudgets, { accountId, budgets }))
      return
    }
    case 'redrive': {
      const dead = pick(
        rows.deliveries.filter(({ state }) => state === 'dead'),
        deed.item,
      )
      if (!dead) return
      ledger.redriven.add(dead._id)
      if ((await accepted(ada.mutation(api.deliveries.redrive, { accountId, deliveryId: dead._id }))) === null)
        ledger.redriven.delete(dead._id)
      return
    }
    case 'hello':
      if (runtime) await hello(sim, runtime, deed.restart)
      return
    case 'claim': {
      if (runtime?.epoch == null) return
      const heads = await backend.query(api.service.notifications.ready, service)
      const ids = heads.map(({ id }) => id).filter((_id, at) => deed.mask & (1 << at))
      const claimed = await accepted(world.claim([...ids, ...runtime.held.map(({ id }) => id)], runtime.epoch))
      for (const item of claimed?.items ?? []) {
        noteShown(sim, item)
        ;(deed.lost ? sim.past : runtime.held).push({ id: item.id, fence: item.fence })
      }
      return
    }
    case 'settle':
      if (runtime && held) {
        await settle(sim, held, deed)
        letGo(sim, runtime, held)
      }
      return
    case 'fail': {
      if (!runtime || !held) return
      const cls = (['retryable', 'retryable', 'retryable', 'terminal', 'configuration'] as const)[deed.kind % 5] ?? 'retryable'
      const later = deed.kind === 1 ? { retryAfterMs: 20_000 } : {}
      await accepted(world.fail(held, { class: cls, ended: deed.ended, ...later }))
      letGo(sim, runtime, held)
      return
    }
    case 'release':
      if (!runtime || !held) return
      await accepted(world.release(held, deed.ended))
      letGo(sim, runtime, held)
      return
    case 'stale':
      return await replay(sim, deed)
    case 'checkIn':
      if (runtime) await checkIn(sim, runtime, deed.forget)
      return
    case 'goOffline': {
      if (runtime?.epoch == null) return
      await accepted(backend.mutation(api.service.runtime.goOffline, { ...service, epoch: runtime.epoch }))
      abandon(sim, runtime)
      return
    }
    case 'heartbeat': {
      if (runtime?.epoch == null || !agent) return
      const args = { ...service, epoch: runtime.epoch, agentId: agent._id, slot: backend.now() }
      const begun = await accepted(backend.mutation(api.service.heartbeats.begin, args))
      if (!begun || !('item' in begun)) return
      noteShown(sim, begun.item)
      runtime.held.push({ id: begun.item.id, fence: begun.item.fence })
      return
    }
    case 'tool': {
      if (!held || !task) return
      const other = pick(rows.agents, deed.tool)
      const [tool, args] = (
        [
          ['response_request', { task: task._id, recipients: [other?.slug ?? 'qa'], message: `question ${++sim.texts}` }],
          ['message_post', { task: task._id, content: `note ${++sim.texts} @cy` }],
          ['document_write', { title: 'T', content: `content ${++sim.texts}`, task: task._id }],
        ] as const
      )[deed.tool % 3] ?? ['message_post', {}]
      const call = { ...service, ...held, tool, args: JSON.stringify(args), pass: 'p', callId: `call-${sim.texts}` }
      await accepted(backend.mutation(api.service.tools.call, call))
      return
    }
    case 'read': {
      const who = caller(sim, deed.who)
      if (deed.all) return void (await who.mutation(api.notifications.markAllRead, { accountId }))
      const page = await who.query(api.notifications.list, { accountId, paginationOpts: { numItems: 3, cursor: null } })
      const [first, second] = page.page
      if (first) await who.mutation(api.notifications.markRead, { accountId, notificationIds: [first.id] })
      if (second) await who.mutation(api.notifications.remove, { accountId, notificationId: second.id })
      return
    }
    case 'wait':
      // Deferred steps stay deferred only as long as time stands still: this runs what is due.
      await backend.advance(PAUSES[deed.ms] ?? 1)
      await backend.mutation(internal.maintenance.lapse, {})
      return
  }
}

export const tasksOf = (backend: Backend): Promise<Doc<'tasks'>[]> => backend.run((ctx) => ctx.db.query('tasks').collect())
const messagesOf = (backend: Backend): Promise<Doc<'messages'>[]> => backend.run((ctx) => ctx.db.query('messages').collect())

async function post(sim: Simulation, who: number, task: Doc<'tasks'>, content: string, twice: boolean): Promise<void> {
  const { world, backend, ledger, step } = sim
  const before = await allRows(backend)
  const args = { accountId: world.accountId, taskId: task._id, content, ...(twice ? { key: content } : {}) }
  const author = caller(sim, who)
  const messageId = await accepted(author.mutation(api.messages.post, args))
  if (messageId === null) return
  if (twice) assert.equal(await author.mutation(api.messages.post, args), messageId, 'a repeated post is another message')
  const message = await backend.run((ctx) => ctx.db.get(messageId))
  assert.ok(message)
  const named = namedAgents(message, before.agents)
  ledger.told.set(messageId, new Set(named))
  if (message.mentionsAll) ledger.toldAll.add(messageId)
  if (task.status === 'archived') return
  const followers = before.subscriptions.filter(({ taskId, subscriberType }) => taskId === task._id && subscriberType === 'agent')
  const addressed = message.mentionsAll || named.length > 0
  const why = addressed ? 'mention' : 'thread_update'
  const present = new Set<string>(before.agents.map(({ _id }) => _id))
  const meant = addressed ? named : followers.map(({ subscriberId }) => subscriberId).filter((id) => present.has(id))
  for (const agentId of meant) ledger.expected.push({ agentId, taskId: task._id, messageId, why, step })
}

const namedAgents = (message: Doc<'messages'>, agents: readonly Doc<'agents'>[]): string[] =>
  message.mentionsAll ? agents.map(({ _id }) => _id) : message.mentions.filter(({ type }) => type === 'agent').map(({ id }) => id)

async function edit(sim: Simulation, deed: Extract<Deed, { do: 'edit' }>): Promise<void> {
  const { world, backend, ledger, step } = sim
  const before = await allRows(backend)
  const messages = before.messages.filter(({ authorType }) => authorType === 'user')
  const message = pick(messages, deed.message)
  if (!message) return
  const author = backend.as(message.authorName)
  const args = { accountId: world.accountId, messageId: message._id, content: `${MENTIONS[deed.mention]}edited ${++sim.texts}` }
  if ((await accepted(author.mutation(api.messages.edit, args).then(() => true))) === null) return
  const after = await backend.run((ctx) => ctx.db.get(message._id))
  assert.ok(after)
  const told = ledger.told.get(message._id) ?? new Set()
  // A second @all means the same people: whoever came to the account since the first is not told of old messages.
  const again = after.mentionsAll && ledger.toldAll.has(message._id)
  if (after.mentionsAll) ledger.toldAll.add(message._id)
  const fresh = again ? [] : namedAgents(after, before.agents).filter((id) => !told.has(id))
  for (const id of fresh) told.add(id)
  ledger.told.set(message._id, told)
  const task = before.tasks.find(({ _id }) => _id === message.taskId)
  if (task?.status === 'archived') return
  for (const agentId of fresh)
    ledger.expected.push({ agentId, taskId: message.taskId, messageId: message._id, why: 'mention', step })
}

export type Claimed = Awaited<ReturnType<World['claim']>>['items'][number]

/** @throws if a claim does not show what it is about */
export function noteShown({ ledger }: Simulation, { id, fence, agent, type, context }: Claimed): void {
  const messageIds = new Set([context.message, ...context.thread].flatMap((message) => (message ? [message.id] : [])))
  if (type === 'mention') assert.ok(context.message, 'a mention without its message')
  const about = context.message?.id ?? null
  ledger.shown.set(claimKey(id, fence), { laneKey: laneKey(agent.id, context.task?.id ?? null), messageIds, about })
}

async function settle(sim: Simulation, held: Held, { reply, twice }: { reply: boolean; twice: boolean }): Promise<void> {
  const { world, backend, ledger } = sim
  const text = reply ? `reply ${++sim.texts}` : null
  const run = { ...RUN, usage: reply ? USAGE : null }
  const outcome = reply ? ('reply' as const) : ('receipt' as const)
  const args = { ...world.service, ...held, outcome, reply: text, run }
  const result = await accepted(backend.mutation(api.service.notifications.settle, args))
  if (text !== null) ledger.replies.set(text, result?.state === 'delivered' && !result.replayed && result.messageId !== null)
  if (result === null) {
    // Told late: it counts once for the attempt, however often.
    for (let i = 0; i < 2; i++)
      await accepted(backend.mutation(api.service.notifications.reportUsage, { ...world.service, ...held, run }))
    return
  }
  if (!result.replayed) await noteContinuation(sim, held.id as Id<'deliveries'>)
  if (!twice) return
  const again = await backend.mutation(api.service.notifications.settle, args)
  assert.ok(again.replayed && again.messageId === result.messageId, 'a repeated settle is not the same')
}

/** An assignment that was answered goes on, while the task is not finished and still the agent's. */
export async function noteContinuation({ backend, ledger }: Simulation, id: Id<'deliveries'>): Promise<void> {
  const { item, task } = await backend.run(async (ctx) => {
    const row = await ctx.db.get(id)
    return { item: row, task: row?.taskId ? await ctx.db.get(row.taskId) : null }
  })
  if (item?.type !== 'assignment' || item.state !== 'delivered' || item.replyId === null) return
  if (!task || task.status === 'done' || task.status === 'archived') return
  if (task.assignees.some(({ type, id: assignee }) => type === 'agent' && assignee === item.agentId))
    count(ledger, 'continuation', item.agentId, task._id)
}

function letGo(sim: Simulation, runtime: Runtime, held: Held): void {
  runtime.held = runtime.held.filter((other) => other !== held)
  sim.past.push(held)
}

function abandon(sim: Simulation, runtime: Runtime): void {
  sim.past.push(...runtime.held.splice(0))
  runtime.epoch = null
}

async function hello(sim: Simulation, runtime: Runtime, restart: boolean): Promise<void> {
  if (restart) {
    runtime.boot++
    abandon(sim, runtime)
  }
  const result = await sim.world.hello(runtime.instanceId, `boot-${runtime.boot}`)
  if (result.role === 'standby' || result.epoch !== runtime.epoch) abandon(sim, runtime)
  runtime.epoch = result.role === 'active' ? result.epoch : null
}

async function checkIn(sim: Simulation, runtime: Runtime, forget: number): Promise<void> {
  if (runtime.epoch === null) return
  const listed = runtime.held.filter((_held, at) => !(forget & (1 << at)))
  const result = await sim.world.checkIn(listed, { epoch: runtime.epoch })
  if (result.superseded) return abandon(sim, runtime)
  for (const held of listed.filter(({ id }) => result.stop.includes(id))) {
    await accepted(sim.world.release(held, true))
    letGo(sim, runtime, held)
  }
}

/** A call that comes late, or twice. What it may still do, it does by the fence. */
async function replay(sim: Simulation, deed: Extract<Deed, { do: 'stale' }>): Promise<void> {
  // Best one whose item has been claimed again since.
  const { deliveries } = await queueRows(sim.backend)
  const again = sim.past.filter(({ id, fence }) =>
    deliveries.some((one) => one._id === id && one.state === 'claimed' && one.fence !== fence),
  )
  const held = pick(again.length > 0 ? again : sim.past, deed.past)
  if (held) await callAsOwner(sim, held, deed.call)
}

/** One call in the name of a claim. Unless it is the newest, it is refused as stale or answered as before, and changes nothing. */
export async function callAsOwner(sim: Simulation, held: Held, which: number): Promise<void> {
  const { world, backend, ledger } = sim
  const item = await backend.run((ctx) => ctx.db.get(held.id as Id<'deliveries'>))
  const current = item?.state === 'claimed' && item.fence === held.fence
  const text = `reply ${++sim.texts}`
  const before = current ? null : await allRows(backend)
  const unlessCurrent = async <T>(calling: Promise<T>): Promise<T | null> => {
    const outcome = await calling.then(
      (value) => ({ value, error: null }),
      (error: unknown) => ({ value: null, error }),
    )
    if (outcome.error !== null) {
      const code = errorCode(outcome.error)
      if (code === null) throw outcome.error as Error
      if (!current) assert.equal(code, 'STALE_FENCE', 'a call under a stale fence is refused for another reason')
    }
    if (before) assert.deepEqual(await allRows(backend), before, `a call under the stale fence ${held.fence} changed something`)
    return outcome.value
  }
  const refusedUnlessCurrent = async (calling: Promise<unknown>) => {
    const result = await unlessCurrent(calling.then((value) => ({ value })))
    assert.ok(result === null || current, `accepted under the stale fence ${held.fence}: ${JSON.stringify(item)}`)
    return result
  }
  switch (which % 4) {
    case 0: {
      const result = await unlessCurrent(world.settle(held, text))
      assert.ok(
        result === null || current || result.replayed,
        `settled under the stale fence ${held.fence}: ${JSON.stringify(item)}`,
      )
      if (result?.replayed) assert.equal(result.messageId, item?.replyId, 'a replayed settle answers with another message')
      ledger.replies.set(text, result !== null && !result.replayed && result.state === 'delivered' && result.messageId !== null)
      if (result && !result.replayed) await noteContinuation(sim, held.id as Id<'deliveries'>)
      return
    }
    case 1:
      await refusedUnlessCurrent(world.fail(held))
      return
    case 2:
      await refusedUnlessCurrent(world.release(held))
      return
    default: {
      const args = JSON.stringify({ task: world.taskId, content: text })
      const call = { ...world.service, ...held, tool: 'message_post', args, pass: 'p', callId: text }
      ledger.replies.set(text, (await refusedUnlessCurrent(backend.mutation(api.service.tools.call, call))) !== null)
    }
  }
}
