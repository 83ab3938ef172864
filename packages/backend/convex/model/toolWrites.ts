/** What agents change through tools. Creates go through createOnce; sets are no-ops where the value holds already. */
import type { ToolArgs, ToolName } from '@mission-control/shared/tools'
import { TOOLS } from '@mission-control/shared/tools'
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { cutText } from '../lib/text.js'
import type { Party } from './actors.js'
import { assignParties } from './assign.js'
import { createDocument, writeDocument } from './documents.js'
import { readDocument } from './documentReads.js'
import type { Created, ToolCall } from './effects.js'
import { createOnce } from './effects.js'
import { requestResponses } from './responseRequests.js'
import { moveTask } from './taskMoves.js'
import { createTask } from './tasks.js'
import { postMessage } from './thread.js'
import { folderOf, requireDocument, taskLine } from './toolReads.js'
import type { Turn } from './turnScope.js'
import { agentsBySlug, requireLead, requirePermission, requireTask } from './turnScope.js'

type WriteName = { [T in ToolName]: (typeof TOOLS)[T]['kind'] extends 'read' ? never : T }[ToolName]
type Create<T extends ToolName> = (ctx: MutationCtx, turn: Turn, args: ToolArgs<T>) => Promise<Created>
type Set<T extends ToolName> = (ctx: MutationCtx, turn: Turn, args: ToolArgs<T>) => Promise<object>

export const isWrite = (name: ToolName): name is WriteName => TOOLS[name].kind !== 'read'

export interface Written {
  /** JSON. */
  readonly result: string
  /** An earlier call did it; now nothing was done. */
  readonly replayed: boolean
}

/** @throws FORBIDDEN | NOT_FOUND | INVALID | LIMIT | CONFLICT | TRANSITION | LANE_FULL; nothing is half-done then */
export async function writeTool<T extends WriteName>(
  ctx: MutationCtx,
  turn: Turn,
  call: ToolCall & { readonly tool: T; readonly args: ToolArgs<T> },
): Promise<Written> {
  const { tool, args } = call
  const once = <N extends ToolName>(create: Create<N>) =>
    createOnce(ctx, turn.item, call, () => create(ctx, turn, args as unknown as ToolArgs<N>))
  const set = async <N extends ToolName>(change: Set<N>) => ({
    result: JSON.stringify(await change(ctx, turn, args as unknown as ToolArgs<N>)),
    replayed: false,
  })
  const name: WriteName = tool
  switch (name) {
    case 'task_create':
      return await once(makeTask)
    case 'message_post':
      return await once(post)
    case 'response_request':
      return await once(ask)
    case 'document_write':
      return 'document' in args ? await set(rewriteDocument) : await once(newDocument)
    case 'task_update_status':
      return await set(move)
    case 'task_assign':
      return await set(assign)
  }
}

const created = (summary: string, result: object): Created => ({ summary, result: JSON.stringify(result) })
const quoted = (text: string) => `"${cutText(text.replace(/\s+/g, ' '), 120)}"`
const asParties = (agents: readonly Doc<'agents'>[]): Party[] => agents.map(({ _id }) => ({ type: 'agent', id: _id }))
const handles = (agents: readonly Doc<'agents'>[]) => agents.map(({ slug }) => `@${slug}`)

const makeTask: Create<'task_create'> = async (ctx, turn, { assignees, due, ...fields }) => {
  requirePermission(turn, 'canCreateTasks', 'create tasks')
  if (assignees) requireLead(turn, 'assign tasks', 'without assignees the task goes to the inbox')
  const { accountId } = turn.item
  const agents = await agentsBySlug(ctx, accountId, assignees ?? [])
  const dueAt = due === undefined ? null : dueTime(due)
  const taskId = await createTask(ctx, accountId, turn.actor, { ...fields, dueAt })
  const task = await ctx.db.get(taskId)
  if (!task) throw new Error('A row just written is gone.')
  const assigned = await assignParties(ctx, task, turn.actor, asParties(agents), turn.depth)
  return created(`created the task ${taskId} ${quoted(task.title)}`, { task: taskLine(assigned), assignees: handles(agents) })
}

const DUE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z)?$/

/** Of a date alone its first moment in UTC. @throws INVALID */
function dueTime(due: string): number {
  const at = DUE.test(due) ? Date.parse(due) : Number.NaN
  // 31 February parses as March in some engines.
  const known = !Number.isNaN(at) && new Date(at).toISOString().startsWith(due.slice(0, 10))
  return known ? at : refuse('INVALID', `"${due}" is no time: write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ.`)
}

const post: Create<'message_post'> = async (ctx, turn, { task: id, content }) => {
  const task = await requireTask(ctx, turn, id)
  if (task.status === 'archived') refuse('INVALID', 'The task is archived: nothing is written to it any more.')
  if (content.trim() === '') refuse('INVALID', 'content must not be empty.')
  const messageId = await postMessage(ctx, task, { author: turn.actor, content })
  return created(`posted to the thread of ${quoted(task.title)}: ${quoted(content)}`, { message: messageId })
}

const ask: Create<'response_request'> = async (ctx, turn, { task: id, recipients, message }) => {
  requirePermission(turn, 'canRequestResponses', 'ask other agents')
  const task = await requireTask(ctx, turn, id)
  if (message.trim() === '') refuse('INVALID', 'message must not be empty.')
  const agents = await agentsBySlug(ctx, turn.item.accountId, recipients)
  const { messageId, asked } = await requestResponses(ctx, turn, task, agents, message)
  const names = handles(asked)
  if (messageId === null) {
    const note = 'Nobody was asked: this chain of requests between agents is too long. People have been told. Decide it yourself.'
    return created('asked nobody: the chain of requests was too long', { asked: names, note })
  }
  const paused = asked.filter((agent) => agent.paused)
  const note = 'The answers come to you as turns of their own. End this turn without waiting.'
  return created(`asked ${names.join(', ')}: ${quoted(message)}`, {
    ...{ asked: names, message: messageId, note },
    ...(paused.length > 0 ? { paused: handles(paused) } : {}),
  })
}

const newDocument: Create<'document_write'> = async (ctx, turn, { title, content, type, task: taskId, folder, base }) => {
  requirePermission(turn, 'canCreateDocuments', 'write documents')
  if (base !== undefined) refuse('INVALID', '"base" is for a new version: give "document" too.')
  if (title === undefined) return refuse('INVALID', 'A new document needs a title; a new version needs "document".')
  const { accountId } = turn.item
  const task = taskId === undefined ? null : await requireTask(ctx, turn, taskId)
  const parentId = folder === undefined ? null : await folderOf(ctx, accountId, folder)
  const document = { title, content, type, taskId: task?._id ?? null, parentId }
  const id = await createDocument(ctx, accountId, turn.actor, document)
  return created(`wrote the document ${id} ${quoted(title)}`, { document: id, version: 1 })
}

const rewriteDocument: Set<'document_write'> = async (ctx, turn, { document: id = '', content, base, ...others }) => {
  requirePermission(turn, 'canCreateDocuments', 'write documents')
  const [other] = Object.keys(others)
  if (other !== undefined) refuse('INVALID', `"${other}" is for a new document: a new version takes document, content and base.`)
  const { document } = await readDocument(ctx, turn.item.accountId, id)
  await requireDocument(ctx, turn, document)
  const written = await writeDocument(ctx, document, turn.actor, { content, baseVersion: base })
  return { document: written._id, version: written.version, changed: written.version !== document.version }
}

const move: Set<'task_update_status'> = async (ctx, turn, { task: id, from, status: to, reason }) => {
  const task = await requireTask(ctx, turn, id)
  if (task.status === to) return { task: taskLine(task), changed: false }
  requireMove(turn, task, to)
  const moved = await moveTask(ctx, task, { from, to, reason, actor: turn.actor, depth: turn.depth })
  return { task: taskLine(moved), changed: true }
}

/**
 * Closing is for canMarkDone, and only from review; whatever else leaves review or done is a review's decision. Anything else is
 * canModifyTaskStatus. Which moves there are at all is said by the transition table.
 * @throws FORBIDDEN
 */
function requireMove(turn: Turn, { status }: Doc<'tasks'>, to: ToolArgs<'task_update_status'>['status']): void {
  if (to === 'done') return requirePermission(turn, 'canMarkDone', 'close tasks (move it to review instead)')
  if (status === 'review' || status === 'done') return requirePermission(turn, 'canReview', `take a task out of ${status}`)
  requirePermission(turn, 'canModifyTaskStatus', 'change the status of tasks')
}

const assign: Set<'task_assign'> = async (ctx, turn, { task: id, assignees }) => {
  requireLead(turn, 'assign tasks', 'say in the thread who should take it')
  const task = await requireTask(ctx, turn, id)
  const agents = await agentsBySlug(ctx, turn.item.accountId, assignees)
  const assigned = await assignParties(ctx, task, turn.actor, asParties(agents), turn.depth)
  return { task: taskLine(assigned), changed: assigned.assignees.length !== task.assignees.length }
}
