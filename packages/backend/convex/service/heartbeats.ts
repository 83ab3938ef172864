import { v } from 'convex/values'
import { serviceMutation } from '../lib/functions.js'
import { refuse } from '../lib/errors.js'
import { beginHeartbeat } from '../model/heartbeat.js'
import { activeRuntime, getSignals } from '../model/signals.js'
import { vHeartbeatResult } from './contract.js'

/** Begins an agent's heartbeat of this slot; answers with the claimed item, or with why there is none. */
export const begin = serviceMutation({
  args: { epoch: v.number(), agentId: v.string(), slot: v.number() },
  returns: vHeartbeatResult,
  handler: async (ctx, { epoch, agentId, slot }) => {
    const signals = await getSignals(ctx, ctx.accountId)
    const runtime = await activeRuntime(ctx, signals, epoch)
    if (!runtime) return refuse('SUPERSEDED', 'This runtime is not the active one.')
    if (signals.paused) return { skip: 'account_paused' }
    if (signals.command === 'drain') return { skip: 'draining' }
    return await beginHeartbeat(ctx, runtime, agentId, slot)
  },
})
