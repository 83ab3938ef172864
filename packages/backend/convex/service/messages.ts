import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { serviceMutation } from '../lib/functions.js'
import { refuse } from '../lib/errors.js'
import { getOwned } from '../lib/owned.js'
import { checkText } from '../lib/text.js'
import { agentActor } from '../model/actors.js'
import { findByKey, scopedKey } from '../model/keys.js'
import { postMessage } from '../model/thread.js'

/** Posts a message in an agent's name. The key makes a repeated call answer with the first call's message. */
export const createFromAgent = serviceMutation({
  args: { agentId: v.string(), taskId: v.string(), content: v.string(), key: v.string() },
  returns: v.object({ messageId: v.string(), created: v.boolean() }),
  handler: async (ctx, { agentId, taskId, content, key }) => {
    const agent = await getOwned(ctx, ctx.accountId, 'agents', agentId)
    const scoped = scopedKey(agentActor(agent), key)
    const known = await findByKey(ctx, 'messages', ctx.accountId, scoped)
    if (known) return { messageId: known._id, created: false }
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    if (task.status === 'archived') refuse('INVALID', 'The task is archived.')
    checkText('content', content, LIMITS.messageChars, { required: true })
    const messageId = await postMessage(ctx, task, { author: agentActor(agent), content, key: scoped })
    return { messageId, created: true }
  },
})
