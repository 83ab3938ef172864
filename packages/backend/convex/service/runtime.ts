/** The runtime's presence: taking the active role, checking in, leaving. */
import { v } from 'convex/values'
import { serviceMutation, serviceQuery } from '../lib/functions.js'
import { checkInRuntime } from '../model/checkIn.js'
import { goOffline as leave, hello as introduce } from '../model/runtimes.js'
import { activeRuntime, getSignals } from '../model/signals.js'
import { vCheckIn, vCheckInResult, vHello, vHelloResult, vSignals, vTokenInfo } from './contract.js'

export const hello = serviceMutation({
  args: vHello,
  returns: vHelloResult,
  handler: async (ctx, args) => await introduce(ctx, ctx.accountId, args),
})

export const checkIn = serviceMutation({
  args: vCheckIn,
  returns: vCheckInResult,
  handler: async (ctx, args) => await checkInRuntime(ctx, ctx, args),
})

export const goOffline = serviceMutation({
  args: { epoch: v.number() },
  returns: v.null(),
  handler: async (ctx, { epoch }) => {
    const runtime = await activeRuntime(ctx, await getSignals(ctx, ctx.accountId), epoch)
    // A runtime that is no longer active has nothing left to give back.
    if (runtime) await leave(ctx, runtime)
    return null
  },
})

/** What the caller's own token is: its name and when it ends by itself. For `check`; tells nothing about other tokens. */
export const tokenInfo = serviceQuery({
  args: {},
  returns: vTokenInfo,
  handler: async ({ token: { name, expiresAt } }) => ({ name, expiresAt }),
})

export const signals = serviceQuery({
  args: {},
  returns: vSignals,
  handler: async (ctx) => {
    const { rosterVersion, stopSeq, controlSeq, command, commandSeq, paused } = await getSignals(ctx, ctx.accountId)
    return { rosterVersion, stopSeq, controlSeq, command, commandSeq, paused }
  },
})
