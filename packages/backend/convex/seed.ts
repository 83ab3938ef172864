/** Filling an account with something to look at. */
import { v } from 'convex/values'
import { memberMutation } from './lib/functions.js'
import { getAccount } from './model/accounts.js'
import { seedDemo } from './model/seed.js'

/**
 * Six agents, their tasks, threads and documents. The first time only: what people make of it afterwards stays as it is. Wakes and
 * notifies nobody.
 */
export const demo = memberMutation('owner')({
  args: {},
  returns: v.object({ seeded: v.boolean() }),
  handler: async (ctx) => ({ seeded: await seedDemo(ctx, await getAccount(ctx, ctx.accountId), ctx.member) }),
})
