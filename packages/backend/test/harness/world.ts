/** An account with people, agents, a runtime and a task: the state most tests start from. */
import type { ClaimedItem, RunReport } from '@mission-control/shared/service-contract'
import { api } from '../../convex/_generated/api.js'
import type { Doc, Id } from '../../convex/_generated/dataModel.js'
import type { Backend } from './backend.ts'

export const RUN: RunReport = { sentAfterMs: 5, acceptedAfterMs: 9, repliedAfterMs: 40, usage: null }
export const VERSIONS = { runtime: '1.0.0', openclaw: '2026.9.6' }
export const PLACE = { dropletId: null, ip: null, region: null }

export type World = Awaited<ReturnType<typeof createWorld>>

/** Owner Ada, admin Bo, member Cy; agents `engineer` and `qa`; a task in the inbox; runtime `box-1` active. */
export async function createWorld(backend: Backend, { account = 'Acme', task = 'Ship it' } = {}) {
  const ada = backend.as('Ada')
  const accountId = await ada.mutation(api.accounts.create, { name: account })
  const add = (name: string, role: 'admin' | 'member') =>
    ada.mutation(api.memberships.add, { accountId, userId: `test|${name}`, name, role })
  await add('Bo', 'admin')
  await add('Cy', 'member')
  const engineer = await ada.mutation(api.agents.create, { accountId, slug: 'engineer', name: 'Engineer' })
  const qa = await ada.mutation(api.agents.create, { accountId, slug: 'qa', name: 'Quality Bot' })
  const { token, tokenId } = await ada.action(api.serviceTokens.create, { accountId, name: 'box' })
  const service = { accountId, serviceToken: token }
  const taskId = await ada.mutation(api.tasks.create, { accountId, title: task })

  const hello = (instanceId: string, boot: string, announcedIntervalMs = 60_000) =>
    backend.mutation(api.service.runtime.hello, {
      ...service,
      ...{ instanceId, boot, versions: VERSIONS, infrastructure: PLACE, announcedIntervalMs },
    })
  // That they joined is no news to any test: each begins with empty inboxes.
  await backend.run(async (ctx) => {
    const told = ctx.db.query('notifications').withIndex('by_account', (q) => q.eq('accountId', accountId))
    for (const row of await told.collect()) await ctx.db.delete(row._id)
  })
  const first = await hello('box-1', 'boot-1')
  if (first.role !== 'active') throw new Error('The first runtime must be active.')

  const world = {
    ...{ backend, ada, accountId, engineer, qa, token, tokenId, service, taskId, hello },
    bo: backend.as('Bo'),
    cy: backend.as('Cy'),
    epoch: first.epoch,
    post: (content: string, task: Id<'tasks'> = taskId) => ada.mutation(api.messages.post, { accountId, taskId: task, content }),
    ready: () => backend.query(api.service.notifications.ready, service),
    claim: (ids: string[], epoch = first.epoch) => backend.mutation(api.service.notifications.claim, { ...service, epoch, ids }),
    /** Claims every ready head. */
    claimReady: async (epoch = first.epoch): Promise<ClaimedItem[]> => {
      const ids = (await world.ready()).map(({ id }) => id)
      return (await world.claim(ids, epoch)).items
    },
    /** Claims every ready head and expects it to be exactly one. */
    claimOne: async (epoch = first.epoch): Promise<ClaimedItem> => {
      const items = await world.claimReady(epoch)
      const [item] = items
      if (!item || items.length !== 1) throw new Error(`Expected one item, claimed ${items.length}.`)
      return item
    },
    settle: ({ id, fence }: { id: string; fence: number }, reply: string | null) =>
      backend.mutation(api.service.notifications.settle, {
        ...service,
        ...{ id, fence, outcome: reply === null ? ('receipt' as const) : ('reply' as const), reply, run: RUN },
      }),
    fail: (
      { id, fence }: { id: string; fence: number },
      over: Partial<{ class: 'retryable' | 'terminal' | 'configuration'; ended: boolean; retryAfterMs: number }> = {},
    ) =>
      backend.mutation(api.service.notifications.fail, {
        ...service,
        ...{
          id,
          fence,
          class: 'retryable' as const,
          code: 'TURN_FAILED',
          reason: 'It broke.',
          ended: true,
          retryAfterMs: null,
          run: RUN,
          ...over,
        },
      }),
    release: ({ id, fence }: { id: string; fence: number }, ended = false) =>
      backend.mutation(api.service.notifications.release, { ...service, id, fence, ended }),
    checkIn: (
      held: { id: string; fence: number }[] = [],
      { epoch = first.epoch, dueAgents = [] as { agentId: string; slot: number }[], announcedIntervalMs = 60_000 } = {},
    ) =>
      backend.mutation(api.service.runtime.checkIn, {
        ...service,
        ...{
          epoch,
          held: held.map(({ id, fence }) => ({ id, fence })),
          dueAgents,
          status: 'online' as const,
          reasons: [],
          versions: VERSIONS,
          infrastructure: PLACE,
        },
        announcedIntervalMs,
      }),
    trace: (id: string) => backend.query(api.service.notifications.getForDelivery, { ...service, id }),
    thread: async (task: Id<'tasks'> = taskId) => {
      const page = await ada.query(api.messages.list, { accountId, taskId: task, paginationOpts: { numItems: 50, cursor: null } })
      return page.page.reverse()
    },
    deliveries: (task: Id<'tasks'> = taskId) => ada.query(api.deliveries.forTask, { accountId, taskId: task }),
    noticesOf: async (who: 'ada' | 'bo' | 'cy') => {
      const paginationOpts = { numItems: 100, cursor: null }
      return (await world[who].query(api.notifications.list, { accountId, paginationOpts })).page
    },
    lane: (agentId: Id<'agents'>, task: Id<'tasks'> | null = taskId): Promise<Doc<'lanes'> | null> =>
      backend.run((ctx) =>
        ctx.db
          .query('lanes')
          .withIndex('by_agent_task', (q) => q.eq('accountId', accountId).eq('agentId', agentId).eq('taskId', task))
          .unique(),
      ),
  }
  return world
}
