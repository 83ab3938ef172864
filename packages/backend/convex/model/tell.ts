/** Telling the agents and people around a task of an assignment or a status change. */
import { LIMITS } from '@mission-control/shared/limits'
import type { DeliveryType } from '@mission-control/shared/enums'
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { enqueue } from './enqueue.js'
import { tellFull } from './notices.js'

export interface AgentsTold {
  readonly type: Extract<DeliveryType, 'assignment' | 'status_change'>
  readonly taskId: Id<'tasks'>
  readonly agentIds: readonly Id<'agents'>[]
  readonly note: string | null
  readonly depth: number
}

/** At once for a few agents, in scheduled steps for more. */
export async function tellAgents(ctx: MutationCtx, told: AgentsTold): Promise<void> {
  if (told.agentIds.length > LIMITS.fanOutStep) {
    await ctx.scheduler.runAfter(0, internal.fanOut.agents, { ...told, agentIds: [...told.agentIds] })
  } else {
    await tellAgentsStep(ctx, told)
  }
}

/** Tells the first LIMITS.fanOutStep agents and schedules the rest. */
export async function tellAgentsStep(ctx: MutationCtx, told: AgentsTold): Promise<void> {
  const { type, taskId, note, depth } = told
  const rest = told.agentIds.slice(LIMITS.fanOutStep)
  if (rest.length > 0) await ctx.scheduler.runAfter(0, internal.fanOut.agents, { type, taskId, note, depth, agentIds: rest })
  for (const agentId of told.agentIds.slice(0, LIMITS.fanOutStep)) {
    const agent: Doc<'agents'> | null = await ctx.db.get(agentId)
    if (!agent) continue
    const result = await enqueue(ctx, { type, agent, taskId, messageId: null, note, depth })
    if (result === 'full') await tellFull(ctx, agent, taskId)
  }
}
