/**
 * What the team writes down. A document's content is in its versions, which never change; titles need not be unique, because ids
 * name documents. Nobody is told of documents: whoever wants to, says so in a thread. Places and removal are in documentTree.ts and
 * documentRemoval.ts.
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { DocumentType } from '@mission-control/shared/enums'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { getOwned } from '../lib/owned.js'
import { checkText, nameKey, utf8Bytes } from '../lib/text.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import { getVersion } from './documentReads.js'
import { getFolder, refusalOf, refuseTooDeep } from './documentTree.js'

type Document = Doc<'documents'>

export interface NewDocument {
  readonly title: string
  readonly content?: string | undefined
  /** `note` by default. */
  readonly type?: DocumentType | undefined
  /** A folder's id; `null`, the default, for the top level. */
  readonly parentId?: string | null | undefined
  /** The task it belongs to, if any. */
  readonly taskId?: string | null | undefined
  /** As keys.ts stores it; whoever passes one has looked for it before. */
  readonly key?: string | null | undefined
}

/** What is left out stays as it is: only `taskId: null` takes a document off its task. */
export interface DocumentChange {
  readonly title?: string | undefined
  readonly type?: DocumentType | undefined
  readonly taskId?: string | null | undefined
}

/**
 * A document whose content is its version 1.
 * @throws LIMIT | INVALID | NOT_FOUND (folder or task)
 */
export async function createDocument(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  actor: Actor,
  { title, content = '', type = 'note', parentId = null, taskId = null, key = null }: NewDocument,
): Promise<Id<'documents'>> {
  const folder = await getFolder(ctx, accountId, parentId)
  const bytes = contentBytes(content)
  const task = await getTask(ctx, accountId, taskId)
  const row = { accountId, kind: 'file', type, parentId: folder?._id ?? null, taskId: task, version: 1, bytes } as const
  const documentId = await insert(ctx, actor, title, row, key)
  await ctx.db.insert('documentVersions', { ...{ accountId, documentId, version: 1, content, latest: true }, ...author(actor) })
  return documentId
}

/** @throws LIMIT (also for one too deep) | INVALID | NOT_FOUND */
export async function createFolder(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  actor: Actor,
  { title, parentId = null, key = null }: Pick<NewDocument, 'title' | 'parentId' | 'key'>,
): Promise<Id<'documents'>> {
  const folder = await getFolder(ctx, accountId, parentId)
  await refuseTooDeep(ctx, folder)
  const row = {
    accountId,
    kind: 'folder',
    type: null,
    parentId: folder?._id ?? null,
    taskId: null,
    version: 0,
    bytes: 0,
  } as const
  return await insert(ctx, actor, title, row, key)
}

type Placed = Pick<Document, 'accountId' | 'kind' | 'type' | 'parentId' | 'taskId' | 'version' | 'bytes'>

async function insert(ctx: MutationCtx, actor: Actor, given: string, row: Placed, key: string | null): Promise<Id<'documents'>> {
  const title = checkTitle(given)
  const rest = { ...author(actor), updatedAt: now(), deletedAt: null, ...(key === null ? {} : { key }) }
  const documentId = await ctx.db.insert('documents', { ...row, title, titleKey: nameKey(title), ...rest })
  const { accountId, taskId } = row
  await recordActivity(ctx, accountId, { type: 'document_created', actor, targetId: documentId, targetName: title, taskId })
  return documentId
}

export interface NewContent {
  readonly content: string
  /** The version that the writer has read: nothing is written over a newer one. */
  readonly baseVersion?: number | undefined
}

/**
 * Writes the content as the next version. Content that is there already makes none, whatever the base: a repeated write is no
 * conflict.
 * @throws LIMIT | INVALID (a folder) | NOT_FOUND (removed) | CONFLICT (names the newest version)
 */
export async function writeDocument(
  ctx: MutationCtx,
  document: Document,
  actor: Actor,
  { content, baseVersion }: NewContent,
): Promise<Document> {
  refuseRemoved(document)
  if (document.kind === 'folder') refuse('INVALID', 'A folder has no content.')
  const bytes = contentBytes(content)
  const newest = await getVersion(ctx, document, document.version)
  if (newest.content === content) return document
  if (baseVersion !== undefined && baseVersion !== document.version) {
    refuse(
      'CONFLICT',
      `The newest version is ${document.version}, by ${document.authorName}; yours builds on ${baseVersion}. Read it and write again.`,
    )
  }
  const version = document.version + 1
  const { _id: documentId, accountId } = document
  await ctx.db.patch(newest._id, { latest: false })
  await ctx.db.insert('documentVersions', { ...{ accountId, documentId, version, content, latest: true }, ...author(actor) })
  const patch = { version, bytes, ...author(actor), updatedAt: now() }
  await ctx.db.patch(documentId, patch)
  await recordUpdate(ctx, document, actor, `version ${version}`)
  return { ...document, ...patch }
}

/**
 * Changes title, type or task. One activity names what is different now; without any, nothing is written.
 * @throws LIMIT | INVALID | NOT_FOUND (removed, or no such task)
 */
export async function updateDocument(
  ctx: MutationCtx,
  document: Document,
  actor: Actor,
  { title, type, taskId }: DocumentChange,
): Promise<Document> {
  refuseRemoved(document)
  if (document.kind === 'folder' && type !== undefined) refuse('INVALID', 'A folder has no type.')
  if (document.kind === 'folder' && taskId) refuse('INVALID', 'A folder belongs to no task: link its documents.')
  const patch: Partial<Document> = {
    ...(title === undefined ? {} : { title: checkTitle(title) }),
    ...(type === undefined ? {} : { type }),
    // A link that is there already may stay, also to a task that was archived since.
    ...(taskId === undefined || taskId === document.taskId ? {} : { taskId: await getTask(ctx, document.accountId, taskId) }),
  }
  const names = (Object.keys(patch) as (keyof typeof patch)[]).filter((name) => patch[name] !== document[name])
  if (names.length === 0) return document
  const changed = { ...document, ...patch, titleKey: nameKey(patch.title ?? document.title), updatedAt: now() }
  await ctx.db.patch(document._id, { ...patch, titleKey: changed.titleKey, updatedAt: changed.updatedAt })
  await recordUpdate(ctx, changed, actor, names.map((name) => (name === 'taskId' ? 'task' : name)).join(', '))
  return changed
}

/**
 * Puts a document or folder into another folder, `null` for the top level.
 * @throws NOT_FOUND | INVALID (into itself, or not a folder) | LIMIT (too deep)
 */
export async function moveDocument(
  ctx: MutationCtx,
  document: Document,
  actor: Actor,
  parentId: string | null,
): Promise<Document> {
  refuseRemoved(document)
  const folder = await getFolder(ctx, document.accountId, parentId)
  const to = folder?._id ?? null
  if (document.parentId === to) return document
  const refusal = await refusalOf(ctx, document, folder)
  if (refusal) refuse(refusal.code, refusal.message)
  await ctx.db.patch(document._id, { parentId: to })
  await recordActivity(ctx, document.accountId, {
    type: 'document_moved',
    actor,
    targetId: document._id,
    targetName: document.title,
    taskId: document.taskId,
    detail: folder ? `into ${folder.title}` : 'to the top level',
  })
  return { ...document, parentId: to }
}

function refuseRemoved(document: Document): void {
  if (document.deletedAt !== null) refuse('NOT_FOUND', 'The document is removed: restore it first.')
}

const recordUpdate = (ctx: MutationCtx, { _id, accountId, title, taskId }: Document, actor: Actor, detail: string) =>
  recordActivity(ctx, accountId, { type: 'document_updated', actor, targetId: _id, targetName: title, taskId, detail })

const author = ({ type, id, name }: Actor) => ({ authorType: type, authorId: id, authorName: name })

const checkTitle = (title: string): string => checkText('title', title, LIMITS.titleChars, { required: true }).trim()

/** @throws LIMIT */
function contentBytes(content: string): number {
  const bytes = utf8Bytes(content)
  if (bytes > LIMITS.documentBytes) {
    refuse('LIMIT', `content has ${bytes} bytes of UTF-8; the limit is ${LIMITS.documentBytes}. Attach larger texts as files.`)
  }
  return bytes
}

/** @throws NOT_FOUND | INVALID (an archived task gets nothing new) */
async function getTask(ctx: MutationCtx, accountId: Id<'accounts'>, taskId: string | null): Promise<Id<'tasks'> | null> {
  if (taskId === null) return null
  const task = await getOwned(ctx, accountId, 'tasks', taskId)
  if (task.status === 'archived') refuse('INVALID', `The task "${task.title}" is archived: it changes no more.`)
  return task._id
}
