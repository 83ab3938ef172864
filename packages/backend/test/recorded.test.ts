/**
 * Every state change leaves an activity, or is one of those that are written down elsewhere. Each public mutation and action is called
 * once in an account where it has something to do; one that is not in the table fails.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import type { Caller } from './harness/backend.ts'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { rowsOfAccount } from './harness/fill.ts'
import { idsOf } from './harness/fixture.ts'
import type { Ids, PublicFunction } from './harness/public-functions.ts'
import { publicFunctions, sample } from './harness/public-functions.ts'
import type { World } from './harness/world.ts'
import { createWorld, RUN } from './harness/world.ts'

/**
 * `activity`: at least one is recorded. The others change rows of these tables only: `journal` is the queue, with its own record of
 * attempts; `reading` what one person has read or wants to hear; `presence` who was seen when; `nothing` no row at all. `removal`
 * leaves nothing that could be recorded.
 */
const QUEUE = ['deliveries', 'lanes', 'agentRuns', 'agentPresence', 'runtimes', 'usage']
const TABLES = {
  journal: QUEUE,
  reading: ['notifications', 'inboxes', 'preferences'],
  presence: ['runtimes', 'agentPresence', 'tokenUse'],
  nothing: [],
} as const
type Record_ = 'activity' | 'removal' | keyof typeof TABLES

interface Scene {
  readonly world: World
  readonly ids: Ids
}
interface Entry {
  readonly record: Record_
  /** Makes sure that there is something to change. @returns arguments beside or instead of the samples */
  readonly prepare?: (scene: Scene) => Promise<object> | object
  readonly who?: (world: World) => Caller
}

const plain = (record: Record_): Entry => ({ record })
const done = (args: object): Entry => ({ record: 'activity', prepare: () => args })
const NO_CAPS = { turnsPerHour: 5, tokensPerDay: null, microUsdPerDay: null }

/** Claims the fixture's head. */
async function held({ world, ids }: Scene): Promise<{ id: string; fence: number }> {
  const { items } = await world.claim([String(ids.byName['id'])])
  const [item] = items
  if (!item) throw new Error('The fixture has no turn to give.')
  return { id: item.id, fence: item.fence }
}
async function dead(scene: Scene): Promise<{ id: string }> {
  const { id, fence } = await held(scene)
  await scene.world.fail({ id, fence }, { class: 'terminal' })
  return { id }
}
const membership = async ({ world }: Scene, name: string) => {
  const row = await world.backend.run((ctx) =>
    ctx.db
      .query('memberships')
      .withIndex('by_account_user', (q) => q.eq('accountId', world.accountId).eq('userId', `test|${name}`))
      .unique(),
  )
  return { membershipId: row?._id }
}

export const RECORDS: Readonly<Record<string, Entry>> = {
  'accounts:create': plain('activity'),
  'accounts:remove': { record: 'removal', prepare: () => ({ name: 'Acme' }) },
  'accounts:setBudgets': done({ budgets: NO_CAPS }),
  'accounts:setCommand': done({ command: 'restart' }),
  'accounts:setPaused': done({ paused: true }),
  'accounts:setPermissionDefaults': done({ permissionDefaults: { canCreateTasks: false, canReview: true } }),
  'accounts:setRetention': done({ retention: { deliveriesDays: 9, activitiesDays: 99, notificationsDays: 9 } }),
  'accounts:update': done({ name: 'Renamed' }),
  'agents:create': plain('activity'),
  'agents:pause': plain('activity'),
  'agents:remove': plain('activity'),
  'agents:resume': {
    record: 'activity',
    prepare: async ({ world: { ada, accountId, engineer } }) => {
      await ada.mutation(api.agents.pause, { accountId, agentId: engineer })
      return {}
    },
  },
  'agents:setBudgets': done({ budgets: NO_CAPS }),
  'agents:setLead': { record: 'activity', prepare: ({ world }) => ({ agentId: world.qa }) },
  'agents:update': done({ name: 'Renamed' }),
  'attachments:register': {
    record: 'activity',
    prepare: async ({ world: { backend } }) => ({
      storageId: await backend.run((ctx) => ctx.storage.store(new Blob(['another']))),
    }),
  },
  'attachments:remove': { record: 'activity', who: ({ cy }) => cy },
  'attachments:uploadUrl': plain('nothing'),
  'deliveries:redrive': { record: 'activity', prepare: async (scene) => ({ deliveryId: (await dead(scene)).id }) },
  'deliveries:stop': plain('activity'),
  'documents:create': plain('activity'),
  'documents:createFolder': plain('activity'),
  'documents:move': {
    record: 'activity',
    prepare: async ({ world: { ada, accountId } }) => {
      const folder = await ada.mutation(api.documents.createFolder, { accountId, title: 'Folder' })
      return { parentId: typeof folder === 'string' ? folder : (folder as { id: string }).id }
    },
  },
  'documents:purge': {
    record: 'activity',
    prepare: async ({ world: { ada, accountId }, ids }) => {
      await ada.mutation(api.documents.remove, { accountId, documentId: ids.byTable['documents'] as Id<'documents'> })
      return {}
    },
  },
  'documents:remove': plain('activity'),
  'documents:restore': {
    record: 'activity',
    prepare: async ({ world: { ada, accountId }, ids }) => {
      await ada.mutation(api.documents.remove, { accountId, documentId: ids.byTable['documents'] as Id<'documents'> })
      return {}
    },
  },
  'documents:update': done({ title: 'Renamed' }),
  'documents:write': done({ content: 'new content' }),
  'invitations:accept': {
    record: 'activity',
    who: ({ backend }) => backend.as('Zed', { emailVerified: true }),
    prepare: async ({ world: { ada, accountId } }) => {
      const { code } = await ada.action(api.invitations.create, { accountId, email: 'zed@example.org', role: 'member' })
      return { code }
    },
  },
  'invitations:create': done({ email: 'new@example.org', role: 'member' }),
  'invitations:revoke': plain('activity'),
  'memberships:add': done({ userId: 'test|New', name: 'New', role: 'member' }),
  'memberships:leave': { record: 'activity', who: ({ cy }) => cy },
  'memberships:remove': { record: 'activity', prepare: (scene) => membership(scene, 'Cy') },
  'memberships:rename': done({ name: 'Renamed' }),
  'memberships:transferOwnership': { record: 'activity', prepare: (scene) => membership(scene, 'Bo') },
  'memberships:updateRole': {
    record: 'activity',
    prepare: async (scene) => ({ ...(await membership(scene, 'Cy')), role: 'admin' }),
  },
  'messages:edit': { record: 'activity', who: ({ cy }) => cy },
  'messages:post': plain('activity'),
  'messages:remove': plain('activity'),
  'notifications:markAllRead': plain('reading'),
  'notifications:markRead': plain('reading'),
  'notifications:remove': plain('reading'),
  'notifications:setPreferences': plain('reading'),
  'seed:demo': plain('activity'),
  'serviceTokens:create': plain('activity'),
  'serviceTokens:rename': plain('activity'),
  'serviceTokens:revoke': plain('activity'),
  'serviceTokens:rotate': plain('activity'),
  'subscriptions:subscribe': { record: 'activity', who: ({ bo }) => bo },
  'subscriptions:unsubscribe': { record: 'activity', who: ({ cy }) => cy },
  'tasks:assign': plain('activity'),
  'tasks:create': plain('activity'),
  'tasks:unassign': plain('activity'),
  'tasks:update': done({ title: 'Renamed', labels: ['new'] }),
  'tasks:updateStatus': done({ status: 'blocked', reason: 'because' }),
  'service/agents:upsertHeartbeat': plain('presence'),
  'service/heartbeats:begin': { record: 'journal', prepare: ({ world }) => ({ agentId: world.qa, slot: world.backend.now() }) },
  'service/messages:createFromAgent': plain('activity'),
  'service/notifications:claim': plain('journal'),
  'service/notifications:fail': { record: 'journal', prepare: held },
  'service/notifications:markDelivered': { record: 'journal', prepare: held },
  'service/notifications:redrive': { record: 'activity', prepare: dead },
  'service/notifications:release': { record: 'journal', prepare: held },
  'service/notifications:reportUsage': {
    record: 'journal',
    prepare: async (scene) => {
      const item = await held(scene)
      await scene.world.fail(item, { class: 'terminal' })
      return { ...item, run: { ...RUN, usage: { model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 1 } } }
    },
  },
  'service/notifications:settle': {
    record: 'activity',
    prepare: async (scene) => ({ ...(await held(scene)), outcome: 'reply', reply: 'done' }),
  },
  'service/notifications:settleMany': {
    record: 'activity',
    prepare: async (scene) => ({ settles: [{ ...(await held(scene)), outcome: 'reply', reply: 'done', run: RUN }] }),
  },
  'service/runtime:checkIn': { record: 'presence', prepare: () => ({ held: [], dueAgents: [] }) },
  'service/runtime:goOffline': plain('activity'),
  'service/runtime:hello': { record: 'activity', prepare: () => ({ instanceId: 'box-1', boot: 'boot-2' }) },
  'service/tools:call': {
    record: 'activity',
    prepare: async (scene) => ({
      ...(await held(scene)),
      ...{ tool: 'message_post', args: JSON.stringify({ task: scene.world.taskId, content: 'by the way' }) },
    }),
  },
}

const functions = await buildFunctions()
const writers = publicFunctions(functions).filter(({ kind }) => kind !== 'query')

it('says of each public mutation and action what records it', () => {
  expect(writers.map(({ path }) => path).sort()).toEqual(Object.keys(RECORDS).sort())
})

describe('what each records', () => {
  let backend: EmbeddedBackend
  beforeAll(async () => {
    backend = await openEmbedded(functions)
  })
  afterAll(() => backend.close())

  it.each(writers)('$path', async (fn: PublicFunction) => {
    const entry = RECORDS[fn.path] ?? expect.fail('not in the table')
    const world = await createWorld(backend)
    const scene = { world, ids: await idsOf(world) }
    await backend.finishScheduled()
    const over = (await entry.prepare?.(scene)) ?? {}
    await backend.finishScheduled()
    const who = entry.who?.(world) ?? (fn.path.startsWith('service/') ? backend : world.ada)
    const before = await rowsOfAccount(backend, world.accountId)
    const call = who[fn.kind] as (path: never, args: object) => Promise<unknown>
    const result = await call(fn.path as never, { ...(sample(fn.args, scene.ids) as object), ...over })
    await backend.finishScheduled()
    // What makes an account records it there.
    const accountId = fn.path === 'accounts:create' ? (result as Id<'accounts'>) : world.accountId
    const after = await rowsOfAccount(backend, accountId)
    const changed = Object.keys({ ...before, ...after }).filter(
      (table) => JSON.stringify(before[table]) !== JSON.stringify(after[table]),
    )
    const recorded =
      (after['activities']?.length ?? 0) - (fn.path === 'accounts:create' ? 0 : (before['activities']?.length ?? 0))
    const { record } = entry
    if (record === 'removal') return expect(after).toEqual({})
    if (record === 'activity') return expect([recorded > 0, changed]).toEqual([true, expect.arrayContaining(['activities'])])
    expect(changed.filter((table) => !(TABLES[record] as readonly string[]).includes(table))).toEqual([])
    expect([fn.path, changed.length > 0]).toEqual([fn.path, record !== 'nothing'])
  })
})
