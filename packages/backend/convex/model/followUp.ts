/**
 * What the end of an item causes, before the next item of its lane is promoted: work goes on after an assignment was taken, and
 * whoever asked another agent hears of the answer, also when there is none.
 */
import { FINISHED_TASK_STATUSES } from '@mission-control/shared/tasks'
import type { TaskStatus } from '@mission-control/shared/enums'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { samePerson } from './actors.js'
import { enqueue } from './enqueue.js'
import type { Item } from './lanes.js'
import { getLane } from './lanes.js'
import { tellFull } from './notices.js'

export async function followUp(ctx: MutationCtx, item: Item): Promise<void> {
  if (item.type === 'assignment' && item.state === 'delivered' && item.replyId !== null) await continueWork(ctx, item)
  if (item.type === 'response_request' && item.askedFrom !== null) await answerAsker(ctx, item)
}

export const isFinished = (status: TaskStatus): boolean => (FINISHED_TASK_STATUSES as readonly TaskStatus[]).includes(status)

export const worksOn = (agent: Doc<'agents'>, task: Doc<'tasks'>): boolean =>
  task.assignees.some((party) => samePerson(party, { type: 'agent', id: agent._id }))

async function continueWork(ctx: MutationCtx, item: Item): Promise<void> {
  const [agent, task] = await Promise.all([ctx.db.get(item.agentId), item.taskId ? ctx.db.get(item.taskId) : null])
  if (!agent || !task || isFinished(task.status) || !worksOn(agent, task)) return
  await add(ctx, item, agent, {
    type: 'continuation',
    taskId: task._id,
    messageId: null,
    note: 'You took this assignment. Go on with the work now.',
  })
}

async function answerAsker(ctx: MutationCtx, item: Item): Promise<void> {
  if (item.askedFrom === null) return
  const lane = await getLane(ctx, item.askedFrom)
  const [asker, asked] = await Promise.all([ctx.db.get(lane.agentId), ctx.db.get(item.agentId)])
  if (!asker) return
  const name = asked?.name ?? 'The agent'
  const answered = item.state === 'delivered' && item.replyId !== null
  const note = answered ? `${name} answered your request.` : `${name} did not answer your request: ${item.reason ?? 'no reply'}.`
  await add(ctx, item, asker, { type: 'response', taskId: lane.taskId, messageId: item.replyId, note })
}

type Cause = Pick<Parameters<typeof enqueue>[1], 'type' | 'taskId' | 'messageId' | 'note'>

async function add(ctx: MutationCtx, item: Item, agent: Doc<'agents'>, delivery: Cause): Promise<void> {
  const sameLane = agent._id === item.agentId && delivery.taskId === item.taskId
  const result = await enqueue(ctx, { ...delivery, agent, depth: item.depth + 1 }, { promote: !sameLane })
  if (result === 'full') await tellFull(ctx, agent, delivery.taskId)
}
