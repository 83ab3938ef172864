/** Files beside messages. Their contents are in file storage; a row says whose they are and what they belong to. */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx, QueryCtx } from '../_generated/server.js'
import type { Refusal } from '../lib/errors.js'
import { refuse } from '../lib/errors.js'
import { findOwned, getOwned } from '../lib/owned.js'
import { splitText } from '../lib/text.js'
import type { Actor } from './actors.js'
import { samePerson } from './actors.js'
import { recordActivity } from './activity.js'

type Attachment = Doc<'attachments'>
type Stored = Doc<'messages'>['attachments'][number]

/** As it stands in its message, so that a thread needs no look-up per file. */
export const toAttachment = ({ _id, name, contentType, size }: Attachment): Stored => ({ id: _id, name, contentType, size })

export interface Upload {
  readonly task: Doc<'tasks'>
  readonly storageId: Id<'_storage'>
  readonly name: string
}

/**
 * Makes an uploaded file the uploader's, for a message of this task. Whoever may upload gets a URL that is good for one file, and only
 * its answer names the stored file: knowing that id is what shows whose it is, until it is registered.
 * @returns a refusal instead of throwing it: a file that is too large is deleted, and a throw would bring it back
 */
export async function registerUpload(
  ctx: MutationCtx,
  actor: Actor,
  { task, storageId, name }: Upload,
): Promise<{ id: Id<'attachments'> } | { refused: Refusal['data'] }> {
  const { accountId } = task
  const known = await ctx.db
    .query('attachments')
    .withIndex('by_storage', (q) => q.eq('storageId', storageId))
    .unique()
  // Before anything else: a file that is somebody's is neither given away nor deleted.
  if (known) return isOwnUpload(known, actor) && known.taskId === task._id && !known.bound ? { id: known._id } : UNKNOWN_FILE
  const file = await ctx.db.system.get(storageId)
  if (!file) return UNKNOWN_FILE
  if (file.size > LIMITS.attachmentBytes) {
    await ctx.storage.delete(storageId)
    const message = `The file has ${file.size} bytes; the limit is ${LIMITS.attachmentBytes}.`
    return { refused: { code: 'LIMIT', message } }
  }
  const fileName = safeName(name)
  const id = await ctx.db.insert('attachments', {
    accountId,
    taskId: task._id,
    messageId: null,
    storageId,
    name: fileName,
    contentType: file.contentType?.slice(0, LIMITS.nameChars) ?? null,
    size: file.size,
    uploaderType: actor.type,
    uploaderId: actor.id,
    bound: false,
  })
  await record(ctx, 'attachment_added', actor, { accountId, taskId: task._id, _id: id, name: fileName })
  return { id }
}

/** The same for one that does not exist and one that is somebody else's, so that nothing is learnt from it. */
const UNKNOWN_FILE: { refused: Refusal['data'] } = {
  refused: { code: 'NOT_FOUND', message: 'No such uploaded file: upload it first, and register what the upload answered.' },
}

const isOwnUpload = ({ uploaderType, uploaderId }: Attachment, actor: Actor): boolean =>
  uploaderType !== 'system' && samePerson({ type: uploaderType, id: uploaderId }, actor)

/** Control characters, and those that turn the direction of what follows: a name must read as what it is. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** The last part of a path, readable in one line, with its extension if it had to be cut. */
export function safeName(given: string): string {
  const name = (given.split(/[/\\]/).at(-1) ?? '').replace(UNSEEN, '').replace(/\s+/g, ' ').trim()
  if (/^\.*$/.test(name)) return 'file'
  if (name.length <= LIMITS.nameChars) return name
  const extension = /\.[^.]{1,16}$/.exec(name)?.[0] ?? ''
  return `${splitText(name, LIMITS.nameChars - extension.length)[0] ?? ''}${extension}`
}

/**
 * The rows that a message is about to take.
 * @throws LIMIT | NOT_FOUND (also for somebody else's) | INVALID (another task's) | CONFLICT (part of a message already)
 */
export async function takeUploads(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  actor: Actor,
  ids: readonly Id<'attachments'>[],
): Promise<Attachment[]> {
  if (ids.length > LIMITS.attachmentsPerMessage)
    refuse('LIMIT', `A message may have ${LIMITS.attachmentsPerMessage} attachments.`)
  if (new Set(ids).size < ids.length) refuse('INVALID', 'attachmentIds names a file twice.')
  return await Promise.all(
    ids.map(async (id) => {
      const row = await getUpload(ctx, task.accountId, actor, id)
      if (row.taskId !== task._id) refuse('INVALID', `"${row.name}" was uploaded for another task.`)
      return row
    }),
  )
}

/** @throws NOT_FOUND (also for somebody else's) | CONFLICT (part of a message already) */
async function getUpload(ctx: MutationCtx, accountId: Id<'accounts'>, actor: Actor, id: Id<'attachments'>): Promise<Attachment> {
  const row = await getOwned(ctx, accountId, 'attachments', id)
  if (!isOwnUpload(row, actor)) refuse('NOT_FOUND', 'No such upload of yours.')
  if (row.bound) refuse('CONFLICT', `"${row.name}" is part of a message already.`)
  return row
}

export async function bindToMessage(ctx: MutationCtx, rows: readonly Attachment[], messageId: Id<'messages'>): Promise<void> {
  for (const { _id } of rows) await ctx.db.patch(_id, { messageId, bound: true })
}

/** Takes an upload back before it is sent. @throws NOT_FOUND | CONFLICT */
export async function removeUpload(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  actor: Actor,
  id: Id<'attachments'>,
): Promise<void> {
  const row = await getUpload(ctx, accountId, actor, id)
  await dropAttachment(ctx, row)
  await record(ctx, 'attachment_removed', actor, row)
}

/** Where the file can be read: by everybody in the account once it is sent, before that by its uploader. @throws NOT_FOUND */
export async function attachmentUrl(
  ctx: QueryCtx,
  accountId: Id<'accounts'>,
  actor: Actor,
  id: Id<'attachments'>,
): Promise<string> {
  const row = await findOwned(ctx, accountId, 'attachments', id)
  const url = row && (row.bound || isOwnUpload(row, actor)) ? await ctx.storage.getUrl(row.storageId) : null
  return url ?? refuse('NOT_FOUND', 'No such attachment.')
}

/** The files of a message that is deleted. */
export async function dropOfMessage(ctx: MutationCtx, message: Doc<'messages'>): Promise<void> {
  const rows = await ctx.db
    .query('attachments')
    .withIndex('by_account_message', (q) => q.eq('accountId', message.accountId).eq('messageId', message._id))
    .take(LIMITS.attachmentsPerMessage)
  for (const row of rows) await dropAttachment(ctx, row)
}

/** The row and its stored file, which is nobody else's. */
export async function dropAttachment(ctx: MutationCtx, row: Attachment): Promise<void> {
  // Somebody with access to the deployment may have removed the file by hand.
  if (await ctx.db.system.get(row.storageId)) await ctx.storage.delete(row.storageId)
  await ctx.db.delete(row._id)
}

async function record(
  ctx: MutationCtx,
  type: 'attachment_added' | 'attachment_removed',
  actor: Actor,
  { accountId, taskId, _id, name }: Pick<Attachment, 'accountId' | 'taskId' | '_id' | 'name'>,
): Promise<void> {
  await recordActivity(ctx, accountId, { type, actor, targetId: _id, targetName: name, taskId })
}
