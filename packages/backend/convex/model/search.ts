/**
 * Full-text search within one account. What is found comes in slim: a title and a line of text around the match. The reads are
 * bounded twice, by rows and by bytes.
 */
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import type { TaskStatus } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import type { ByteBudget } from '../lib/budget.js'
import { byteBudget, takeWithin } from '../lib/budget.js'
import { refuse } from '../lib/errors.js'
import { snippet } from '../lib/snippet.js'
import { checkInteger, checkText, nameKey } from '../lib/text.js'
import { nullable, vDocumentKind, vTaskStatus } from '../lib/validators.js'

type Ctx = { db: QueryCtx['db'] }

/** Hits where the caller names no limit. */
export const DEFAULT_HITS = 20
/** Words a full-text search of Convex takes. */
const WORDS = 16
/** Above every character a name may go on with, so that a prefix is a range. */
const AFTER_PREFIX = '\u{10ffff}'

export interface SearchText {
  /** What the search index is asked. */
  readonly text: string
  /** Lower case, for the snippet. */
  readonly words: readonly string[]
}

/**
 * The text to search for; `null` if there is nothing to search for, which finds nothing: people search while they type.
 * @throws LIMIT for a text longer than LIMITS.searchChars or more than 16 words
 */
export function checkSearch(text: string): SearchText | null {
  checkText('The search', text, LIMITS.searchChars)
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  if (words.length > WORDS) refuse('LIMIT', `A search may have ${WORDS} words; this one has ${words.length}.`)
  return words.length === 0 ? null : { text: words.join(' '), words }
}

export const checkSearchLimit = (limit: number): number => checkInteger('limit', limit, 1, LIMITS.searchResults)

export const vTaskHit = v.object({
  id: v.id('tasks'),
  title: v.string(),
  status: vTaskStatus,
  priority: v.number(),
  snippet: v.string(),
})
export type TaskHit = Infer<typeof vTaskHit>

export interface TaskSearch {
  /** Only tasks in this one; without it archived ones come too, and say so. */
  readonly status?: TaskStatus | undefined
  /** 1 to LIMITS.searchResults. */
  readonly limit: number
}

/**
 * Tasks by title and description, those found by their title first; each once.
 * @throws LIMIT | INVALID
 */
export async function searchTasks(
  ctx: Ctx,
  accountId: Id<'accounts'>,
  text: string,
  { status, limit }: TaskSearch,
  budget: ByteBudget = byteBudget(),
): Promise<TaskHit[]> {
  checkSearchLimit(limit)
  const search = checkSearch(text)
  if (!search) return []
  const byTitle = ctx.db.query('tasks').withSearchIndex('search_title', (q) => {
    const own = q.search('title', search.text).eq('accountId', accountId)
    return status === undefined ? own : own.eq('status', status)
  })
  const byDescription = ctx.db.query('tasks').withSearchIndex('search_description', (q) => {
    const own = q.search('description', search.text).eq('accountId', accountId)
    return status === undefined ? own : own.eq('status', status)
  })
  const found = new Map<Id<'tasks'>, TaskHit>()
  for (const hit of (await takeWithin(byTitle, limit, budget)).rows) found.set(hit._id, toHit(hit, hit.title, search))
  // As many again: those already found by their title are not counted twice.
  const more = found.size < limit ? (await takeWithin(byDescription, limit, budget)).rows : []
  for (const hit of more) if (!found.has(hit._id)) found.set(hit._id, toHit(hit, hit.description, search))
  return [...found.values()].slice(0, limit)
}

const toHit = ({ _id, title, status, priority }: Doc<'tasks'>, matched: string, { words }: SearchText): TaskHit => ({
  id: _id,
  title: snippet(title, []),
  status,
  priority,
  snippet: snippet(matched, words),
})

export const vMessageHit = v.object({
  id: v.id('messages'),
  taskId: v.id('tasks'),
  authorName: v.string(),
  createdAt: v.number(),
  snippet: v.string(),
})
export type MessageHit = Infer<typeof vMessageHit>

export async function searchMessages(
  ctx: Ctx,
  accountId: Id<'accounts'>,
  search: SearchText,
  limit: number,
  budget: ByteBudget,
): Promise<MessageHit[]> {
  const hits = ctx.db
    .query('messages')
    .withSearchIndex('search_content', (q) => q.search('content', search.text).eq('accountId', accountId))
  const { rows } = await takeWithin(hits, limit, budget)
  return rows.map(({ _id, taskId, authorName, _creationTime, content }) => ({
    id: _id,
    taskId,
    authorName,
    createdAt: _creationTime,
    snippet: snippet(content, search.words),
  }))
}

export const vDocumentHit = v.object({
  id: v.id('documents'),
  title: v.string(),
  kind: vDocumentKind,
  taskId: nullable(v.id('tasks')),
  snippet: v.string(),
})
export type DocumentHit = Infer<typeof vDocumentHit>

/** By title first, then by the text of the newest version; none that is deleted. */
export async function searchDocuments(
  ctx: Ctx,
  accountId: Id<'accounts'>,
  search: SearchText,
  limit: number,
  budget: ByteBudget,
): Promise<DocumentHit[]> {
  const found = new Map<Id<'documents'>, DocumentHit>()
  const byTitle = ctx.db
    .query('documents')
    .withSearchIndex('search_title', (q) => q.search('title', search.text).eq('accountId', accountId).eq('deletedAt', null))
  const add = (document: Doc<'documents'>, matched: string) =>
    found.set(document._id, {
      id: document._id,
      title: snippet(document.title, []),
      kind: document.kind,
      taskId: document.taskId,
      snippet: snippet(matched, search.words),
    })
  for (const document of (await takeWithin(byTitle, limit, budget)).rows) add(document, document.title)
  const byContent = ctx.db
    .query('documentVersions')
    .withSearchIndex('search_content', (q) => q.search('content', search.text).eq('accountId', accountId).eq('latest', true))
  const versions = found.size < limit ? (await takeWithin(byContent, limit, budget)).rows : []
  for (const version of versions) {
    if (found.size === limit) break
    const document = found.has(version.documentId) ? null : await ctx.db.get(version.documentId)
    if (document?.deletedAt === null) add(document, version.content)
  }
  return [...found.values()]
}

export const vAgentHit = v.object({
  id: v.id('agents'),
  slug: v.string(),
  name: v.string(),
  role: v.string(),
})
export type AgentHit = Infer<typeof vAgentHit>

/** Agents whose slug or name begins with the text; a few rows, sorted by name. */
export async function searchAgents(ctx: Ctx, accountId: Id<'accounts'>, text: string, limit: number): Promise<AgentHit[]> {
  const prefix = nameKey(text)
  if (prefix === '') return []
  const bySlug = ctx.db.query('agents').withIndex('by_account_slug', (q) => {
    return q
      .eq('accountId', accountId)
      .gte('slug', prefix)
      .lt('slug', prefix + AFTER_PREFIX)
  })
  const byName = ctx.db.query('agents').withIndex('by_account_nameKey', (q) => {
    return q
      .eq('accountId', accountId)
      .gte('nameKey', prefix)
      .lt('nameKey', prefix + AFTER_PREFIX)
  })
  const rows = [...(await bySlug.take(limit)), ...(await byName.take(limit))]
  const agents = [...new Map(rows.map((agent) => [agent._id, agent])).values()].slice(0, limit)
  return agents.map(({ _id, slug, name, role }) => ({ id: _id, slug, name, role }))
}
