/** The delivery path of the runtime. Each handler checks who calls, and leaves every rule to model/ and the lane rules. */
import { v } from 'convex/values'
import { LIMITS } from '@mission-control/shared/limits'
import { serviceMutation, serviceQuery } from '../lib/functions.js'
import { refuse } from '../lib/errors.js'
import { getOwned } from '../lib/owned.js'
import { checkInteger } from '../lib/text.js'
import { SYSTEM } from '../model/actors.js'
import { claimItems } from '../model/claim.js'
import { DEAD_STATES, listItems, readyHeads, traceItem } from '../model/queue.js'
import { reportLate } from '../model/runs.js'
import { failItem, redriveItem, releaseItem, settleItem, settleItems } from '../model/settle.js'
import { activeRuntime, getSignals } from '../model/signals.js'
import {
  vClaimResult,
  vFail,
  vFailResult,
  vPage,
  vReadyHeads,
  vSettle,
  vSettledOne,
  vSettleResult,
  vTrace,
  vUndeliveredPage,
} from './contract.js'

export const ready = serviceQuery({
  args: {},
  returns: vReadyHeads,
  handler: async (ctx) => {
    const heads = await readyHeads(ctx, ctx.accountId, LIMITS.readyHeads)
    return heads.map(({ _id, dueAt }) => ({ id: _id, dueAt }))
  },
})

export const claim = serviceMutation({
  args: { epoch: v.number(), ids: v.array(v.string()) },
  returns: vClaimResult,
  handler: async (ctx, { epoch, ids }) => {
    if (ids.length > LIMITS.claimIds) refuse('LIMIT', `A claim names at most ${LIMITS.claimIds} ids.`)
    const signals = await getSignals(ctx, ctx.accountId)
    const runtime = await activeRuntime(ctx, signals, epoch)
    if (!runtime) return refuse('SUPERSEDED', 'This runtime is not the active one.')
    if (signals.paused) refuse('PAUSED', 'The account is paused.')
    if (signals.command === 'drain') refuse('PAUSED', 'The runtime is told to drain.')
    return await claimItems(ctx, runtime, ids)
  },
})

export const settle = serviceMutation({
  args: vSettle,
  returns: vSettleResult,
  handler: async (ctx, { id, ...outcome }) =>
    await settleItem(ctx, await getOwned(ctx, ctx.accountId, 'deliveries', id), outcome),
})

/**
 * Settles several claims at once, answered in the same order. Each is taken or refused by its own fence, as if it had come alone; an
 * error of any other kind leaves all of them as they were.
 */
export const settleMany = serviceMutation({
  args: { settles: v.array(v.object(vSettle)) },
  returns: v.array(vSettledOne),
  handler: async (ctx, { settles }) => {
    if (settles.length > LIMITS.settlesTogether) refuse('LIMIT', `At most ${LIMITS.settlesTogether} are settled at once.`)
    return await settleItems(ctx, ctx.accountId, settles)
  },
})

/** Settles without a reply. */
export const markDelivered = serviceMutation({
  args: { id: v.string(), fence: v.number() },
  returns: vSettleResult,
  handler: async (ctx, { id, fence }) => {
    const item = await getOwned(ctx, ctx.accountId, 'deliveries', id)
    return await settleItem(ctx, item, { fence, outcome: 'receipt', reply: null })
  },
})

export const fail = serviceMutation({
  args: vFail,
  returns: vFailResult,
  handler: async (ctx, { id, ...failure }) => await failItem(ctx, await getOwned(ctx, ctx.accountId, 'deliveries', id), failure),
})

/**
 * What a turn used, told after its claim was lost: settle and fail refuse a stale fence, but the tokens are spent. Counts once for
 * each attempt; changes nothing else. Answers whether it was counted.
 */
export const reportUsage = serviceMutation({
  args: { id: v.string(), fence: v.number(), run: vSettle.run },
  returns: v.boolean(),
  handler: async (ctx, { id, fence, run }) => {
    const item = await getOwned(ctx, ctx.accountId, 'deliveries', id)
    return await reportLate(ctx, item, fence, run)
  },
})

export const release = serviceMutation({
  args: { id: v.string(), fence: v.number(), ended: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { id, fence, ended }) => {
    await releaseItem(ctx, await getOwned(ctx, ctx.accountId, 'deliveries', id), fence, ended)
    return null
  },
})

export const getForDelivery = serviceQuery({
  args: { id: v.string() },
  returns: vTrace,
  handler: async (ctx, { id }) => await traceItem(ctx, await getOwned(ctx, ctx.accountId, 'deliveries', id)),
})

export const listUndeliveredForAccount = serviceQuery({
  args: vPage,
  returns: vUndeliveredPage,
  handler: async (ctx, page) => {
    checkInteger('limit', page.limit, 1, LIMITS.pageSize)
    return await listItems(ctx, ctx.accountId, page)
  },
})

export const listDead = serviceQuery({
  args: vPage,
  returns: vUndeliveredPage,
  handler: async (ctx, page) => {
    checkInteger('limit', page.limit, 1, LIMITS.pageSize)
    return await listItems(ctx, ctx.accountId, page, DEAD_STATES)
  },
})

/** Back to the tail of its lane; gives up its old place. */
export const redrive = serviceMutation({
  args: { id: v.string() },
  returns: vFailResult.pick('state'),
  handler: async (ctx, { id }) => ({
    state: await redriveItem(ctx, await getOwned(ctx, ctx.accountId, 'deliveries', id), SYSTEM),
  }),
})
