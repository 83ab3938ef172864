/** Reading documents: one with a version of its content, and pages without contents. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import type { DocumentType } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { getOwned } from '../lib/owned.js'
import { pageWithin } from '../lib/paging.js'
import { nullable, vActorType, vDocumentKind, vDocumentType } from '../lib/validators.js'

type Ctx = { db: QueryCtx['db'] }

const vAuthor = v.object({ type: vActorType, id: v.string(), name: v.string() })

/** A line of a list. */
export const vDocument = v.object({
  id: v.id('documents'),
  kind: vDocumentKind,
  parentId: nullable(v.id('documents')),
  title: v.string(),
  /** `null` for folders. */
  type: nullable(vDocumentType),
  taskId: nullable(v.id('tasks')),
  /** The newest one's number; 0 for folders. */
  version: v.number(),
  /** Of the newest version, in UTF-8. */
  bytes: v.number(),
  /** Of the newest version; of a folder, who made it. */
  author: vAuthor,
  createdAt: v.number(),
  /** When content, title, type or task last changed. */
  updatedAt: v.number(),
  /** All documents of one removal have the same. */
  deletedAt: nullable(v.number()),
})
export type DocumentLine = Infer<typeof vDocument>

export const toDocument = (row: Doc<'documents'>): DocumentLine => ({
  id: row._id,
  kind: row.kind,
  parentId: row.parentId,
  title: row.title,
  type: row.type,
  taskId: row.taskId,
  version: row.version,
  bytes: row.bytes,
  author: { type: row.authorType, id: row.authorId, name: row.authorName },
  createdAt: row._creationTime,
  updatedAt: row.updatedAt,
  deletedAt: row.deletedAt,
})

export const vVersion = v.object({ version: v.number(), content: v.string(), author: vAuthor, createdAt: v.number() })
/** Without the content: a page of the longest would be 180 MB. */
export const vVersionLine = vVersion.omit('content')

export const toVersion = (row: Doc<'documentVersions'>): Infer<typeof vVersion> => ({
  ...toVersionLine(row),
  content: row.content,
})

export const toVersionLine = (row: Doc<'documentVersions'>): Infer<typeof vVersionLine> => ({
  version: row.version,
  author: { type: row.authorType, id: row.authorId, name: row.authorName },
  createdAt: row._creationTime,
})

/** @throws NOT_FOUND, also for folders, which have none */
export async function getVersion(ctx: Ctx, document: Doc<'documents'>, version: number): Promise<Doc<'documentVersions'>> {
  const row = await ctx.db
    .query('documentVersions')
    .withIndex('by_account_document', (q) =>
      q.eq('accountId', document.accountId).eq('documentId', document._id).eq('version', version),
    )
    .unique()
  return row ?? refuse('NOT_FOUND', `There is no version ${version}; the newest is ${document.version}.`)
}

export interface ReadDocument {
  readonly document: Doc<'documents'>
  readonly content: string
}

/**
 * A document that is not removed, with its newest content; a folder's is empty. For agents: people can look at removed ones.
 * @param id any text
 * @throws NOT_FOUND
 */
export async function readDocument(ctx: Ctx, accountId: Id<'accounts'>, id: string): Promise<ReadDocument> {
  const document = await getOwned(ctx, accountId, 'documents', id)
  if (document.deletedAt !== null) refuse('NOT_FOUND', 'The document is removed.')
  return { document, content: await newestContent(ctx, document) }
}

export async function newestContent(ctx: Ctx, document: Doc<'documents'>): Promise<string> {
  return document.kind === 'folder' ? '' : (await getVersion(ctx, document, document.version)).content
}

export interface DocumentFilter {
  /** A folder's id, `null` for the top level: what is in it, by title. */
  readonly parentId?: Id<'documents'> | null | undefined
  /** What is linked to the task, newest change first. */
  readonly taskId?: Id<'tasks'> | undefined
  /** Newest change first. */
  readonly type?: DocumentType | undefined
  /** What is removed, newest removal first. */
  readonly removed?: boolean | undefined
}

/**
 * One page by one of the filters; without any, all documents and folders, newest change first.
 * @throws INVALID for two filters at once, or a page that is too large
 */
export async function listDocuments(
  ctx: Ctx,
  accountId: Id<'accounts'>,
  { parentId, taskId, type, removed = false }: DocumentFilter,
  paginationOpts: PaginationOptions,
): Promise<PaginationResult<Doc<'documents'>>> {
  const given = [parentId, taskId, type].filter((value) => value !== undefined).length + (removed ? 1 : 0)
  if (given > 1) refuse('INVALID', 'List documents by folder, by task, by type or the removed ones: by one of them.')
  const options = pageWithin(paginationOpts)
  const documents = ctx.db.query('documents')
  if (parentId !== undefined) {
    const inFolder = documents.withIndex('by_account_parent', (q) =>
      q.eq('accountId', accountId).eq('deletedAt', null).eq('parentId', parentId),
    )
    return await inFolder.paginate(options)
  }
  if (taskId !== undefined) {
    const ofTask = documents.withIndex('by_account_task', (q) =>
      q.eq('accountId', accountId).eq('deletedAt', null).eq('taskId', taskId),
    )
    return await ofTask.order('desc').paginate(options)
  }
  if (type !== undefined) {
    const ofType = documents.withIndex('by_account_type', (q) =>
      q.eq('accountId', accountId).eq('deletedAt', null).eq('type', type),
    )
    return await ofType.order('desc').paginate(options)
  }
  // Documents that are there have `null`, which sorts before every time.
  const recent = documents.withIndex('by_account_updated', (q) => {
    const own = q.eq('accountId', accountId)
    return removed ? own.gt('deletedAt', null) : own.eq('deletedAt', null)
  })
  return await recent.order('desc').paginate(options)
}

/** Newest first. Each row carries its content, so a page of long ones ends early. */
export async function listVersions(
  ctx: Ctx,
  { accountId, _id }: Doc<'documents'>,
  paginationOpts: PaginationOptions,
): Promise<PaginationResult<Doc<'documentVersions'>>> {
  return await ctx.db
    .query('documentVersions')
    .withIndex('by_account_document', (q) => q.eq('accountId', accountId).eq('documentId', _id))
    .order('desc')
    .paginate(pageWithin(paginationOpts))
}
