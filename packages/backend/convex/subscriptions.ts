/** Who follows a thread. Everybody decides for himself; for agents, which cannot, every member may. */
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { v } from 'convex/values'
import type { Id } from './_generated/dataModel.js'
import type { MemberMutationCtx } from './lib/functions.js'
import { memberMutation, memberQuery } from './lib/functions.js'
import { getOwned } from './lib/owned.js'
import { pageWithin } from './lib/paging.js'
import { nullable, vPartyType } from './lib/validators.js'
import { userActor } from './model/actors.js'
import type { Follower } from './model/followers.js'
import { follow, listFollowers, unfollow } from './model/followers.js'
import { findSubscription } from './model/subscriptions.js'

const vWhom = { taskId: v.id('tasks'), agentId: v.optional(v.id('agents')) }

/** @throws NOT_FOUND */
async function followerOf(ctx: MemberMutationCtx, agentId: Id<'agents'> | undefined): Promise<Follower> {
  if (agentId === undefined) return { type: 'user', id: ctx.member.userId, name: ctx.member.name }
  const agent = await getOwned(ctx, ctx.accountId, 'agents', agentId)
  return { type: 'agent', id: agent._id, name: agent.name }
}

/** The caller follows the thread, or the named agent does. Changes nothing if it is so already. */
export const subscribe = memberMutation('member')({
  args: vWhom,
  returns: v.null(),
  handler: async (ctx, { taskId, agentId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    await follow(ctx, task, userActor(ctx.member), await followerOf(ctx, agentId))
    return null
  },
})

/**
 * The caller, or the named agent, follows the thread no more: only mentions, assignments and changes of status still tell. Whoever
 * writes, is mentioned or is assigned follows again. Changes nothing if it is so already.
 */
export const unsubscribe = memberMutation('member')({
  args: vWhom,
  returns: v.null(),
  handler: async (ctx, { taskId, agentId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    await unfollow(ctx, task, userActor(ctx.member), await followerOf(ctx, agentId))
    return null
  },
})

/** Agents first. `name` is `null` for somebody who has just left and is about to be removed. */
export const list = memberQuery('member')({
  args: { taskId: v.id('tasks'), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(v.object({ type: vPartyType, id: v.string(), name: nullable(v.string()) })),
  handler: async (ctx, { taskId, paginationOpts }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return await listFollowers(ctx, task, pageWithin(paginationOpts))
  },
})

/** Whether the caller follows the thread. */
export const mine = memberQuery('member')({
  args: { taskId: v.id('tasks') },
  returns: v.boolean(),
  handler: async (ctx, { taskId }) => {
    const task = await getOwned(ctx, ctx.accountId, 'tasks', taskId)
    return (await findSubscription(ctx, task, { type: 'user', id: ctx.member.userId })) !== null
  },
})
