/** Agents at work: a turn under way, and the tools called in it. */
import type { ToolArgs, ToolName } from '@mission-control/shared/tools'
import { api } from '../../convex/_generated/api.js'
import type { Doc, Id } from '../../convex/_generated/dataModel.js'
import type { World } from './world.ts'

/** What a call is checked against. */
export interface Held {
  readonly id: string
  readonly fence: number
}

export interface CallOptions {
  readonly pass?: string
  readonly callId?: string
}

/** The tools as the runtime calls them; every call is a new one unless it gets a `callId`. */
export function toolsOf(world: World) {
  let calls = 0
  const { backend, service } = world
  return {
    call: async <T extends ToolName>(
      { id, fence }: Held,
      tool: T,
      args: ToolArgs<T>,
      { pass = 'gateway-1', callId = `call-${++calls}` }: CallOptions = {},
    ): Promise<Record<string, unknown>> => {
      const given = { ...service, id, fence, tool, args: JSON.stringify(args), pass, callId }
      const { result, replayed } = await backend.mutation(api.service.tools.call, given)
      return { ...(JSON.parse(result) as Record<string, unknown>), replayed }
    },
    read: async <T extends ToolName>({ id, fence }: Held, tool: T, args: ToolArgs<T>) => {
      const { result } = await backend.query(api.service.tools.read, { ...service, id, fence, tool, args: JSON.stringify(args) })
      return JSON.parse(result) as Record<string, unknown>
    },
  }
}

/** Mentions the agent in a task and claims its turn. The task's other items stay where they are. */
export async function turnOf(world: World, agentId: Id<'agents'>, taskId: Id<'tasks'> = world.taskId) {
  const agent = await world.backend.run((ctx) => ctx.db.get(agentId))
  await world.post(`@${agent?.slug ?? ''} go`, taskId)
  const lane = await world.lane(agentId, taskId)
  const { items } = await world.claim([lane?.activeId ?? ''])
  const [item] = items
  if (!item) throw new Error('The agent has no turn.')
  return item
}

export const give = (world: World, agentId: Id<'agents'>, permissions: Partial<Doc<'agents'>['permissions']>) =>
  world.ada.mutation(api.agents.update, { accountId: world.accountId, agentId, permissions })

export const makeLead = (world: World, agentId: Id<'agents'>) =>
  world.ada.mutation(api.agents.setLead, { accountId: world.accountId, agentId })

/** A task that no agent sees. */
export const taskOf = (world: World, title: string, assignees: Id<'agents'>[] = []) =>
  world.ada.mutation(api.tasks.create, {
    ...{ accountId: world.accountId, title },
    ...(assignees.length > 0 ? { assignees: assignees.map((id) => ({ type: 'agent' as const, id })) } : {}),
  })

/** Puts a task into a state, whatever the table says. */
export const putInto = (world: World, taskId: Id<'tasks'>, status: Doc<'tasks'>['status']) =>
  world.backend.run(async (ctx) => {
    await ctx.db.patch(taskId, { status })
    const rows = await ctx.db
      .query('assignments')
      .withIndex('by_account_task_assignee', (q) => q.eq('accountId', world.accountId).eq('taskId', taskId))
      .collect()
    for (const row of rows) await ctx.db.patch(row._id, { status })
  })
