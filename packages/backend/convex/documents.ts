/** Documents and folders as people handle them. Agents use the same rules through their tools. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import type { Doc, Id } from './_generated/dataModel.js'
import type { MemberScope } from './lib/functions.js'
import { internalMutation, memberMutation, memberQuery } from './lib/functions.js'
import { getOwned } from './lib/owned.js'
import { nullable, vDocumentType } from './lib/validators.js'
import type { MutationCtx, QueryCtx } from './_generated/server.js'
import { isLive } from './model/accounts.js'
import type { Actor } from './model/actors.js'
import { userActor } from './model/actors.js'
import {
  getVersion as findVersion,
  listDocuments,
  listVersions,
  newestContent,
  toDocument,
  toVersion,
  toVersionLine,
  vDocument,
  vVersion,
  vVersionLine,
} from './model/documentReads.js'
import {
  followFolder,
  purgeDocument,
  purgeStep as purgeOneStep,
  removeDocument,
  restoreDocument,
} from './model/documentRemoval.js'
import * as documents from './model/documents.js'
import { findByKey, scopedKey } from './model/keys.js'

const ofDocument = { documentId: v.id('documents') }
const vParentId = nullable(v.id('documents'))

const own = (
  ctx: { db: QueryCtx['db'] } & MemberScope,
  { documentId }: { documentId: Id<'documents'> },
): Promise<Doc<'documents'>> => getOwned(ctx, ctx.accountId, 'documents', documentId)

/** Makes what an earlier call with the same key has not made yet. */
async function createOnce<D extends { key?: string | undefined }>(
  ctx: MutationCtx & MemberScope,
  { key, ...document }: D,
  make: (ctx: MutationCtx, accountId: Id<'accounts'>, actor: Actor, given: Omit<D, 'key'> & Keyed) => Promise<Id<'documents'>>,
): Promise<Id<'documents'>> {
  const actor = userActor(ctx.member)
  const scoped = scopedKey(actor, key)
  const known = await findByKey(ctx, 'documents', ctx.accountId, scoped)
  return known?._id ?? (await make(ctx, ctx.accountId, actor, { ...document, key: scoped }))
}
interface Keyed {
  readonly key: string | null
}

/**
 * A document with its content as version 1. `parentId` is a folder, `null` or nothing the top level. `key`, as for a folder: a
 * repeated call with the same key answers with the first call's document and does nothing.
 */
export const create = memberMutation('member')({
  args: {
    title: v.string(),
    content: v.optional(v.string()),
    type: v.optional(vDocumentType),
    parentId: v.optional(vParentId),
    taskId: v.optional(nullable(v.id('tasks'))),
    key: v.optional(v.string()),
  },
  returns: v.id('documents'),
  handler: async (ctx, document) => await createOnce(ctx, document, documents.createDocument),
})

export const createFolder = memberMutation('member')({
  args: { title: v.string(), parentId: v.optional(vParentId), key: v.optional(v.string()) },
  returns: v.id('documents'),
  handler: async (ctx, folder) => await createOnce(ctx, folder, documents.createFolder),
})

/** The next version; with `baseVersion`, only if that is still the newest. Equal content makes none. */
export const write = memberMutation('member')({
  args: { ...ofDocument, content: v.string(), baseVersion: v.optional(v.number()) },
  returns: vDocument,
  handler: async (ctx, { documentId, ...content }) =>
    toDocument(await documents.writeDocument(ctx, await own(ctx, { documentId }), userActor(ctx.member), content)),
})

/** Changes what is given and leaves the rest; `taskId: null` takes it off its task. */
export const update = memberMutation('member')({
  args: {
    ...ofDocument,
    title: v.optional(v.string()),
    type: v.optional(vDocumentType),
    taskId: v.optional(nullable(v.id('tasks'))),
  },
  returns: vDocument,
  handler: async (ctx, { documentId, ...change }) =>
    toDocument(await documents.updateDocument(ctx, await own(ctx, { documentId }), userActor(ctx.member), change)),
})

export const move = memberMutation('member')({
  args: { ...ofDocument, parentId: vParentId },
  returns: vDocument,
  handler: async (ctx, { documentId, parentId }) =>
    toDocument(await documents.moveDocument(ctx, await own(ctx, { documentId }), userActor(ctx.member), parentId)),
})

/** Removes it, a folder with its contents; `restore` brings them back. */
export const remove = memberMutation('member')({
  args: ofDocument,
  returns: v.null(),
  handler: async (ctx, args) => {
    await removeDocument(ctx, await own(ctx, args), userActor(ctx.member))
    return null
  },
})

export const restore = memberMutation('member')({
  args: ofDocument,
  returns: vDocument,
  handler: async (ctx, args) => toDocument(await restoreDocument(ctx, await own(ctx, args), userActor(ctx.member))),
})

/** Deletes what is removed for good, with all versions. */
export const purge = memberMutation('admin')({
  args: ofDocument,
  returns: v.null(),
  handler: async (ctx, args) => {
    await purgeDocument(ctx, await own(ctx, args), userActor(ctx.member))
    return null
  },
})

/** With the newest content; also one that is removed. */
export const get = memberQuery('member')({
  args: ofDocument,
  returns: vDocument.extend({ content: v.string() }),
  handler: async (ctx, args) => {
    const document = await own(ctx, args)
    return { ...toDocument(document), content: await newestContent(ctx, document) }
  },
})

export const getVersion = memberQuery('member')({
  args: { ...ofDocument, version: v.number() },
  returns: vVersion,
  handler: async (ctx, { documentId, version }) => toVersion(await findVersion(ctx, await own(ctx, { documentId }), version)),
})

/** Who wrote each version and when, newest first. */
export const versions = memberQuery('member')({
  args: { ...ofDocument, paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(vVersionLine),
  handler: async (ctx, { documentId, paginationOpts }) => {
    const page = await listVersions(ctx, await own(ctx, { documentId }), paginationOpts)
    return { ...page, page: page.page.map(toVersionLine) }
  },
})

/** By folder (its contents by title), by task, by type, or the removed ones; without any of them all, newest change first. */
export const list = memberQuery('member')({
  args: {
    parentId: v.optional(vParentId),
    taskId: v.optional(v.id('tasks')),
    type: v.optional(vDocumentType),
    removed: v.optional(v.boolean()),
    paginationOpts: paginationOptsValidator,
  },
  returns: paginationResultValidator(vDocument),
  handler: async (ctx, { paginationOpts, ...filter }) => {
    const page = await listDocuments(ctx, ctx.accountId, filter, paginationOpts)
    return { ...page, page: page.page.map(toDocument) }
  },
})

export const followStep = internalMutation({
  args: { folderId: v.id('documents'), from: nullable(v.number()) },
  returns: v.null(),
  handler: async (ctx, { folderId, from }): Promise<null> => {
    const folder = await ctx.db.get(folderId)
    if (folder && (await isLive(ctx, folder.accountId))) await followFolder(ctx, folderId, from)
    return null
  },
})

export const purgeStep = internalMutation({
  args: { documentId: v.id('documents'), deletedAt: v.number() },
  returns: v.null(),
  handler: async (ctx, { documentId, deletedAt }): Promise<null> => {
    const document = await ctx.db.get(documentId)
    if (document && (await isLive(ctx, document.accountId))) await purgeOneStep(ctx, documentId, deletedAt)
    return null
  },
})
