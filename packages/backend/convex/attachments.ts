/** Files for a task's thread: uploaded, registered, and part of a message once it is posted with them. */
import type { Infer } from 'convex/values'
import { v } from 'convex/values'
import { ERRORS } from '@mission-control/shared/errors'
import type { ErrorCode } from '@mission-control/shared/errors'
import { internal } from './_generated/api.js'
import type { Id } from './_generated/dataModel.js'
import { refuse } from './lib/errors.js'
import { internalMutation, memberAction, memberMutation, memberQuery } from './lib/functions.js'
import { requireMember } from './lib/guards.js'
import { getOwned } from './lib/owned.js'
import { oneOf } from './lib/validators.js'
import { userActor } from './model/actors.js'
import { attachmentUrl, registerUpload, removeUpload } from './model/attachments.js'
import { removeStrayFiles } from './model/strayFiles.js'

const upload = { taskId: v.id('tasks'), storageId: v.id('_storage'), name: v.string() }
const vRegistered = v.union(
  v.object({ id: v.id('attachments') }),
  v.object({ refused: v.object({ code: oneOf(Object.keys(ERRORS) as ErrorCode[]), message: v.string() }) }),
)

/** Where one file can be sent by POST, for an hour; the answer names it: `{storageId}`, which `register` takes. */
export const uploadUrl = memberMutation('member')({
  args: { taskId: v.id('tasks') },
  returns: v.string(),
  handler: async (ctx, { taskId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    if (task.status === 'archived') refuse('INVALID', 'The task is archived.')
    return await ctx.storage.generateUploadUrl()
  },
})

/**
 * Makes an uploaded file the caller's. To register it again answers the same. A file that is too large is deleted: an action, because
 * a mutation that refuses takes back all it did. What no message has a day later is removed.
 */
export const register = memberAction('member')({
  args: upload,
  returns: v.id('attachments'),
  handler: async (ctx, { taskId, storageId, name }): Promise<Id<'attachments'>> => {
    const { accountId } = ctx
    const result: Infer<typeof vRegistered> = await ctx.runMutation(internal.attachments.take, {
      ...{ accountId, taskId, storageId, name },
    })
    return 'id' in result ? result.id : refuse(result.refused.code, result.refused.message)
  },
})

/** The step of `register` that has a database. The identity comes with the action's request. */
export const take = internalMutation({
  args: { accountId: v.id('accounts'), ...upload },
  returns: vRegistered,
  handler: async (ctx, { accountId, taskId, storageId, name }): Promise<Infer<typeof vRegistered>> => {
    const member = await requireMember(ctx, accountId, 'member')
    const task = await getOwned(ctx, accountId, 'tasks', taskId)
    return await registerUpload(ctx, userActor(member), { task, storageId, name })
  },
})

/** Where a file can be read. The URL is good for whoever has it. */
export const url = memberQuery('member')({
  args: { attachmentId: v.id('attachments') },
  returns: v.string(),
  handler: async (ctx, { attachmentId }) => await attachmentUrl(ctx, ctx.accountId, userActor(ctx.member), attachmentId),
})

/** Takes back an own upload that no message has yet. */
export const remove = memberMutation('member')({
  args: { attachmentId: v.id('attachments') },
  returns: v.null(),
  handler: async (ctx, { attachmentId }) => {
    await removeUpload(ctx, ctx.accountId, userActor(ctx.member), attachmentId)
    return null
  },
})

/** A cron's: files that were uploaded and never registered. */
export const removeStray = internalMutation({
  args: { after: v.optional(v.number()) },
  returns: v.null(),
  handler: async (ctx, { after }): Promise<null> => {
    await removeStrayFiles(ctx, after ?? null)
    return null
  },
})
