/**
 * Folders inside each other: at most LIMITS.documentDepth, and never one inside itself. Both are checked wherever something gets a
 * folder, so that every walk up ends within that many reads.
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from '../lib/errors.js'
import { findOwned } from '../lib/owned.js'

type Ctx = { db: QueryCtx['db'] }
type Document = Doc<'documents'>

/** Folders that one check looks at below the folder that gets another place. */
const FOLDERS_BELOW = 1_000

/**
 * The folder that a document may be put into; `null` for the top level.
 * @throws NOT_FOUND (also for a removed one) | INVALID (no folder)
 */
export async function getFolder(ctx: Ctx, accountId: Id<'accounts'>, parentId: string | null): Promise<Document | null> {
  if (parentId === null) return null
  const folder = await findOwned(ctx, accountId, 'documents', parentId)
  if (folder?.deletedAt !== null) return refuse('NOT_FOUND', 'No such folder in this account, or it is removed.')
  return folder.kind === 'folder' ? folder : refuse('INVALID', `"${folder.title}" is a document, not a folder.`)
}

/** The folder itself, and those it is in, from the inside out. None for the top level. */
async function pathOf(ctx: Ctx, folder: Document | null): Promise<Document[]> {
  const path: Document[] = []
  for (let at = folder; at !== null; at = at.parentId === null ? null : await ctx.db.get(at.parentId)) path.push(at)
  return path
}

/** @throws LIMIT if a new folder inside `parent` would be too deep */
export async function refuseTooDeep(ctx: Ctx, parent: Document | null): Promise<void> {
  if ((await pathOf(ctx, parent)).length >= LIMITS.documentDepth) refuse('LIMIT', TOO_DEEP)
}

const TOO_DEEP = `Folders may be ${LIMITS.documentDepth} deep: choose one further up.`

/**
 * Why the document must not be put there, or `null`. A document that is no folder may be anywhere.
 * @param parent a folder that is not removed, or `null` for the top level
 */
export async function refusalOf(
  ctx: Ctx,
  document: Document,
  parent: Document | null,
): Promise<{ code: 'INVALID' | 'LIMIT'; message: string } | null> {
  // At the top level there is room for every folder, because none is taller than the limit.
  if (document.kind === 'file' || parent === null) return null
  const path = await pathOf(ctx, parent)
  if (path.some(({ _id }) => _id === document._id)) {
    return { code: 'INVALID', message: 'A folder cannot be put into itself or into a folder inside it.' }
  }
  const room = LIMITS.documentDepth - path.length
  return room < 1 ? { code: 'LIMIT', message: TOO_DEEP } : await tooTall(ctx, document, room)
}

/** Looks level by level at the folders inside: those that are there, and those that were removed together with it. */
async function tooTall(ctx: Ctx, folder: Document, room: number): Promise<{ code: 'LIMIT'; message: string } | null> {
  const states = [...new Set([null, folder.deletedAt])]
  let left = FOLDERS_BELOW
  let level = [folder]
  for (let height = 1; level.length > 0; height++) {
    if (height > room) return { code: 'LIMIT', message: TOO_DEEP }
    const below: Document[] = []
    for (const parent of level) {
      for (const deletedAt of states) {
        const found = await foldersIn(ctx, parent, deletedAt).take(left + 1)
        left -= found.length
        if (left < 0) {
          return { code: 'LIMIT', message: `More than ${FOLDERS_BELOW} folders are inside: move them in smaller parts.` }
        }
        below.push(...found)
      }
    }
    level = below
  }
  return null
}

const foldersIn = (ctx: Ctx, { accountId, _id }: Document, deletedAt: number | null) =>
  ctx.db
    .query('documents')
    .withIndex('by_account_kind_parent', (q) =>
      q.eq('accountId', accountId).eq('deletedAt', deletedAt).eq('kind', 'folder').eq('parentId', _id),
    )
