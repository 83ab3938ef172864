/** What agents read through tools: short lines with ids to ask on with, long texts cut with a marker. Nothing here writes. */
import { LIMITS } from '@mission-control/shared/limits'
import type { ToolArgs, ToolName } from '@mission-control/shared/tools'
import { PAGE_LINES, TOOLS } from '@mission-control/shared/tools'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { byteBudget } from '../lib/budget.js'
import { refuse } from '../lib/errors.js'
import { findOwned, getOwned } from '../lib/owned.js'
import { cutMarker, cutText, splitText } from '../lib/text.js'
import { listActivities } from './activity.js'
import type { Party } from './actors.js'
import { findMember } from './accounts.js'
import { listDocuments, readDocument } from './documentReads.js'
import { searchTasks } from './search.js'
import { listTasks } from './taskLists.js'
import { readPage } from './toolPages.js'
import type { Turn } from './turnScope.js'
import { agentsBySlug, requireLead, requireTask, seesTask } from './turnScope.js'

type Ctx = { db: QueryCtx['db'] }
type ReadName = { [T in ToolName]: (typeof TOOLS)[T]['kind'] extends 'read' ? T : never }[ToolName]
type Reads = { readonly [T in ReadName]: (ctx: Ctx, turn: Turn, args: ToolArgs<T>) => Promise<object> }

const LINE_CHARS = 200
const MESSAGE_CHARS = 2_000
const DESCRIPTION_CHARS = 10_000
const DOCUMENT_CHARS = 20_000
/** Of tasks that are found: each is read again to see whether the agent sees it. */
const SEARCH_BYTES = 6_000_000

export const isRead = (name: ToolName): name is ReadName => TOOLS[name].kind === 'read'

/** @throws FORBIDDEN | NOT_FOUND | INVALID | LIMIT */
export async function readTool<T extends ReadName>(ctx: Ctx, turn: Turn, name: T, args: ToolArgs<T>): Promise<object> {
  return await READS[name](ctx, turn, args)
}

const READS: Reads = {
  task_get: async (ctx, turn, args) => {
    const task = await requireTask(ctx, turn, args.task)
    const assignees = await Promise.all(task.assignees.map((party) => nameOf(ctx, task.accountId, party)))
    return {
      ...taskLine(task),
      title: task.title,
      description: cut(task.description, DESCRIPTION_CHARS),
      labels: task.labels,
      assignees: assignees.filter((name) => name !== null),
      ...(task.blockedReason === null ? {} : { blockedReason: task.blockedReason }),
      createdBy: task.createdByName,
      createdAt: time(task._creationTime),
      statusChangedAt: time(task.statusChangedAt),
    }
  },

  task_list: async (ctx, turn, args) => {
    const { assignee, scope = 'own', status } = args
    if (assignee !== undefined && scope === 'account') refuse('INVALID', 'Give an assignee or scope "account", not both.')
    if (scope === 'account') {
      requireLead(turn, 'list the tasks of the account', 'without scope task_list shows your own')
      if (status === undefined) refuse('INVALID', 'With scope "account" name a status.')
    }
    const agent = assignee === undefined ? turn.agent : (await agentsBySlug(ctx, turn.item.accountId, [assignee]))[0]
    if (agent && agent._id !== turn.agent._id) {
      requireLead(turn, 'list the tasks of others', 'without assignee task_list shows your own')
    }
    const filter = scope === 'account' ? { status } : { status, assigneeId: agent?._id }
    const tasks = await readPage('task_list', args, (options) => listTasks(ctx, turn.item.accountId, filter, options))
    return { tasks: tasks.page.map(taskLine), cursor: tasks.cursor }
  },

  task_search: async (ctx, turn, { query, status, limit = PAGE_LINES.default }) => {
    // More than asked for: those the agent does not see must not crowd out its own.
    const hits = await searchTasks(
      ctx,
      turn.item.accountId,
      query,
      { status, limit: LIMITS.searchResults },
      byteBudget(SEARCH_BYTES),
    )
    const visible = await Promise.all(
      hits.map(async (hit) => {
        const task = await ctx.db.get(hit.id)
        return task !== null && (await seesTask(ctx, turn, task))
      }),
    )
    return { tasks: hits.filter((_, n) => visible[n]).slice(0, limit) }
  },

  thread_read: async (ctx, turn, args) => {
    const task = await requireTask(ctx, turn, args.task)
    const messages = await readPage('thread_read', args, (options) =>
      ctx.db
        .query('messages')
        .withIndex('by_account_task', (q) => q.eq('accountId', task.accountId).eq('taskId', task._id))
        .order('desc')
        .paginate({ ...options, maximumBytesRead: PAGE_BYTES }),
    )
    return { messages: messages.page.map(messageLine), cursor: messages.cursor }
  },

  document_list: async (ctx, turn, args) => {
    const { accountId } = turn.item
    const task = args.task === undefined ? undefined : await requireTask(ctx, turn, args.task)
    const folder = args.folder === undefined ? undefined : await folderOf(ctx, accountId, args.folder)
    const filter = { parentId: folder, taskId: task?._id, type: args.type }
    const { page, cursor } = await readPage('document_list', args, (options) => listDocuments(ctx, accountId, filter, options))
    const visible = await Promise.all(page.map((document) => seesDocument(ctx, turn, document)))
    return { documents: page.filter((_, n) => visible[n]).map(documentLine), cursor }
  },

  document_read: async (ctx, turn, { document: id, offset = 0 }) => {
    const { document, content } = await readDocument(ctx, turn.item.accountId, id)
    await requireDocument(ctx, turn, document)
    const [part = ''] = splitText(content.slice(offset, offset + DOCUMENT_CHARS + 1), DOCUMENT_CHARS)
    const end = offset + part.length
    return { ...documentLine(document), content: part, nextOffset: end < content.length ? end : null, chars: content.length }
  },

  agent_list: async (ctx, turn, args) => {
    const { accountId } = turn.item
    const agents = await readPage('agent_list', args, (options) =>
      ctx.db
        .query('agents')
        .withIndex('by_account_slug', (q) => q.eq('accountId', accountId))
        .paginate(options),
    )
    const line = ({ _id, slug, name, role, paused }: Doc<'agents'>) => ({
      ...{ slug, name, role },
      ...(paused ? { paused } : {}),
      ...(_id === turn.account.leadAgentId ? { lead: true } : {}),
      ...(_id === turn.agent._id ? { you: true } : {}),
    })
    return { agents: agents.page.map(line), cursor: agents.cursor }
  },

  activity_list: async (ctx, turn, args) => {
    const { accountId } = turn.item
    const task = args.task === undefined ? null : await requireTask(ctx, turn, args.task)
    const filter = task ? { taskId: task._id } : turn.isLead ? {} : { actorId: turn.agent._id }
    const activities = await readPage('activity_list', args, (options) => listActivities(ctx, accountId, filter, options))
    const line = (row: Doc<'activities'>) => ({
      ...{ type: row.type, by: row.actorName, target: cutText(row.targetName, LINE_CHARS), at: time(row._creationTime) },
      ...(row.taskId === null ? {} : { task: row.taskId }),
      ...(row.detail === null ? {} : { detail: cutText(row.detail, LINE_CHARS) }),
    })
    return { activities: activities.page.map(line), cursor: activities.cursor }
  },

  notification_list: async (ctx, turn, args) => {
    const { accountId } = turn.item
    const items = await readPage('notification_list', args, (options) =>
      ctx.db
        .query('deliveries')
        .withIndex('by_account_agent', (q) => q.eq('accountId', accountId).eq('agentId', turn.agent._id))
        .order('desc')
        .paginate(options),
    )
    const line = (item: Doc<'deliveries'>) => ({
      ...{ id: item._id, type: item.type, state: item.state, at: time(item._creationTime) },
      ...(item.taskId === null ? {} : { task: item.taskId }),
      ...(item.note === null ? {} : { note: cutText(item.note, LINE_CHARS) }),
      ...(item.reason === null ? {} : { reason: cutText(item.reason, LINE_CHARS) }),
      ...(item._id === turn.item._id ? { thisTurn: true } : {}),
    })
    return { notifications: items.page.map(line), cursor: items.cursor }
  },
}

/** A page of the longest messages ends early: its read stays far below what a function may read. */
const PAGE_BYTES = 4_000_000

/** Documents that belong to no task are the team's. @throws FORBIDDEN */
export async function requireDocument(ctx: Ctx, turn: Turn, document: Doc<'documents'>): Promise<void> {
  if (await seesDocument(ctx, turn, document)) return
  refuse('FORBIDDEN', 'You do not see the task of this document: only documents of tasks you see, and those of no task.')
}

async function seesDocument(ctx: Ctx, turn: Turn, { taskId }: Doc<'documents'>): Promise<boolean> {
  const task = taskId === null ? null : await ctx.db.get(taskId)
  return task === null || (await seesTask(ctx, turn, task))
}

const ROOT = 'root'

/** The folder's id, or `null` for the top level. */
export async function folderOf(ctx: Ctx, accountId: Id<'accounts'>, given: string): Promise<Id<'documents'> | null> {
  if (given === ROOT) return null
  const folder = await getOwned(ctx, accountId, 'documents', given)
  if (folder.kind !== 'folder') refuse('INVALID', `"${cutText(folder.title, LINE_CHARS)}" is a document, not a folder.`)
  return folder._id
}

export const taskLine = (task: Doc<'tasks'>) => ({
  ...{ id: task._id, title: cutText(task.title, LINE_CHARS), status: task.status, priority: task.priority },
  ...(task.dueAt === null ? {} : { due: time(task.dueAt) }),
})

const messageLine = (row: Doc<'messages'>) => ({
  ...{ id: row._id, by: row.authorName, at: time(row._creationTime) },
  content: row.deletedAt === null ? cut(row.content, MESSAGE_CHARS) : '[deleted]',
  ...(row.editedAt === null ? {} : { edited: true }),
  ...(row.attachments.length === 0 ? {} : { attachments: row.attachments.map(({ name }) => cutText(name, LINE_CHARS)) }),
})

export const documentLine = (row: Doc<'documents'>) => ({
  ...{ id: row._id, kind: row.kind, title: cutText(row.title, LINE_CHARS), by: row.authorName, updatedAt: time(row.updatedAt) },
  ...(row.kind === 'folder' ? {} : { type: row.type, version: row.version, bytes: row.bytes }),
  ...(row.taskId === null ? {} : { task: row.taskId }),
})

/** Beginning with a marker that says how much is missing. */
function cut(text: string, chars: number): string {
  const [start = ''] = splitText(text, chars)
  return start.length < text.length ? start + cutMarker(text.length, start.length) : text
}

const time = (ms: number): string => new Date(ms).toISOString()

/** An agent by its slug, a person by name; `null` for one who left. */
async function nameOf(ctx: Ctx, accountId: Id<'accounts'>, { type, id }: Party): Promise<string | null> {
  if (type === 'user') return (await findMember(ctx, accountId, id))?.name ?? null
  const agent = await findOwned(ctx, accountId, 'agents', id)
  return agent && `@${agent.slug}`
}
