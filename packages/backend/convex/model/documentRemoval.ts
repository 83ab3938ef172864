/**
 * Removing and restoring. A folder takes its contents along: it changes in the caller's transaction, they follow in steps. A removal is
 * named by its `deletedAt`, so that a restored folder brings back what went with it and nothing that was removed before.
 */
import { internal } from '../_generated/api.js'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { utf8Bytes } from '../lib/text.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import { getVersion } from './documentReads.js'
import { refusalOf } from './documentTree.js'

type Document = Doc<'documents'>

const ROWS_PER_STEP = 100
/** Bytes of contents one step may touch: a function may read and write 16 MiB, and one document more is noticed late. */
const BYTES_PER_STEP = 4_000_000

/** Removes a document, or a folder with all that is in it. It can be restored until somebody purges it. Removed ones stay as they are. */
export async function removeDocument(ctx: MutationCtx, document: Document, actor: Actor): Promise<void> {
  if (document.deletedAt !== null) return
  const { accountId } = document
  const last = await ctx.db
    .query('documents')
    .withIndex('by_account_updated', (q) => q.eq('accountId', accountId))
    .order('desc')
    .first()
  await setDeleted(ctx, document, Math.max(now(), (last?.deletedAt ?? 0) + 1))
  await record(ctx, 'document_deleted', actor, document)
  if (document.kind === 'folder') await followFolder(ctx, document._id, null)
}

/** Back to its folder; if that is gone, removed or too deep by now, to the top level. One that is not removed stays as it is. */
export async function restoreDocument(ctx: MutationCtx, document: Document, actor: Actor): Promise<Document> {
  const { deletedAt } = document
  if (deletedAt === null) return document
  const folder = document.parentId === null ? null : await ctx.db.get(document.parentId)
  const fits = folder?.deletedAt === null && (await refusalOf(ctx, document, folder)) === null
  const parentId = fits ? document.parentId : null
  await ctx.db.patch(document._id, { parentId })
  await setDeleted(ctx, document, null)
  await record(ctx, 'document_restored', actor, document, fits || document.parentId === null ? null : 'to the top level')
  if (document.kind === 'folder') await followFolder(ctx, document._id, deletedAt)
  return { ...document, parentId, deletedAt: null }
}

/**
 * One step of a folder's contents becoming what the folder is now, removed or not: those that are `from` (the folder's `deletedAt`
 * before). Whatever has happened to the folder since the step was scheduled, its contents end up where it is.
 */
export async function followFolder(ctx: MutationCtx, folderId: Id<'documents'>, from: number | null): Promise<void> {
  const folder = await ctx.db.get(folderId)
  if (!folder || folder.deletedAt === from) return
  const contents = await ctx.db
    .query('documents')
    .withIndex('by_account_parent', (q) => q.eq('accountId', folder.accountId).eq('deletedAt', from).eq('parentId', folderId))
    .take(ROWS_PER_STEP)
  let bytes = 0
  for (const document of contents) {
    if (bytes > BYTES_PER_STEP) break
    bytes += document.bytes
    await setDeleted(ctx, document, folder.deletedAt)
    if (document.kind === 'folder') await goOn(ctx, document._id, from)
  }
  if (contents.length === ROWS_PER_STEP || bytes > BYTES_PER_STEP) await goOn(ctx, folderId, from)
}

const goOn = (ctx: MutationCtx, folderId: Id<'documents'>, from: number | null) =>
  ctx.scheduler.runAfter(0, internal.documents.followStep, { folderId, from })

/** `latest` follows, so that a search for contents is not crowded by what is removed. */
async function setDeleted(ctx: MutationCtx, document: Document, deletedAt: number | null): Promise<void> {
  await ctx.db.patch(document._id, { deletedAt })
  if (document.kind === 'folder') return
  const newest = await getVersion(ctx, document, document.version)
  const latest = deletedAt === null
  if (newest.latest !== latest) await ctx.db.patch(newest._id, { latest })
}

/**
 * Deletes a removed document with all its versions, or a folder with what was removed together with it, for good. What was removed
 * from the folder before stays, and is restored to the top level.
 * @throws INVALID if it is not removed
 */
export async function purgeDocument(ctx: MutationCtx, document: Document, actor: Actor): Promise<void> {
  if (document.deletedAt === null) return refuse('INVALID', 'Remove the document first; then it can be deleted for good.')
  await record(ctx, 'document_deleted', actor, document, 'for good')
  await purgeStep(ctx, document._id, document.deletedAt)
}

/** One step: the innermost first, the document itself last, so that a restore on the way keeps what is left. */
export async function purgeStep(ctx: MutationCtx, documentId: Id<'documents'>, deletedAt: number): Promise<void> {
  let bytes = 0
  for (let rows = 0; rows < ROWS_PER_STEP && bytes <= BYTES_PER_STEP; rows++) {
    const root = await ctx.db.get(documentId)
    if (root?.deletedAt !== deletedAt) return
    const innermost = await descend(ctx, root, deletedAt)
    const oldest = await ctx.db
      .query('documentVersions')
      .withIndex('by_account_document', (q) => q.eq('accountId', root.accountId).eq('documentId', innermost._id))
      .first()
    if (oldest) {
      bytes += utf8Bytes(oldest.content)
      await ctx.db.delete(oldest._id)
    }
    // The newest version goes together with its document: there is none without it.
    if (!oldest || oldest.version === innermost.version) await ctx.db.delete(innermost._id)
  }
  await ctx.scheduler.runAfter(0, internal.documents.purgeStep, { documentId, deletedAt })
}

/** Down the first contents to something without any. Those not reached yet by the removal's own steps belong to it, too. */
async function descend(ctx: MutationCtx, from: Document, deletedAt: number): Promise<Document> {
  for (let at = from; ;) {
    const inside = (await firstIn(ctx, at, deletedAt)) ?? (await firstIn(ctx, at, null))
    if (!inside) return at
    at = inside
  }
}

const firstIn = (ctx: MutationCtx, { accountId, _id }: Document, deletedAt: number | null) =>
  ctx.db
    .query('documents')
    .withIndex('by_account_parent', (q) => q.eq('accountId', accountId).eq('deletedAt', deletedAt).eq('parentId', _id))
    .first()

const record = (
  ctx: MutationCtx,
  type: 'document_deleted' | 'document_restored',
  actor: Actor,
  { _id, accountId, title, taskId }: Document,
  detail: string | null = null,
) => recordActivity(ctx, accountId, { type, actor, targetId: _id, targetName: title, taskId, detail })
