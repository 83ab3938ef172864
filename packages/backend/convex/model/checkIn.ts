/** One call that is presence, lease renewal, safety poll and heartbeat schedule. */
import type { CheckInArgs, CheckInResult } from '@mission-control/shared/service-contract'
import { LIMITS } from '@mission-control/shared/limits'
import type { MutationCtx } from '../_generated/server.js'
import type { ServiceScope } from '../lib/functions.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { dueWork } from './heartbeat.js'
import { readyHeads } from './queue.js'
import { renew } from './runtimes.js'
import { activeRuntime, getSignals } from './signals.js'
import { noteTokenUse } from './tokens.js'

type Args = Omit<CheckInArgs, 'accountId' | 'serviceToken'>

/** @throws LIMIT for too many due agents or held items */
export async function checkInRuntime(ctx: MutationCtx, scope: ServiceScope, args: Args): Promise<CheckInResult> {
  if (args.dueAgents.length > LIMITS.dueAgents) refuse('LIMIT', `A check-in names at most ${LIMITS.dueAgents} due agents.`)
  if (args.held.length > LIMITS.heldItems) refuse('LIMIT', `A check-in names at most ${LIMITS.heldItems} held items.`)
  const runtime = await activeRuntime(ctx, await getSignals(ctx, scope.accountId), args.epoch)
  if (!runtime) return { superseded: true }
  const stop = await renew(ctx, runtime, args)
  const work = await dueWork(ctx, scope.accountId, args.dueAgents)
  await noteTokenUse(ctx, scope.token)
  const [oldest] = await readyHeads(ctx, scope.accountId, 1)
  const { rosterVersion, controlSeq } = await getSignals(ctx, scope.accountId)
  return {
    superseded: false,
    now: now(),
    rosterVersion,
    controlSeq,
    oldestDueInMs: oldest ? oldest.dueAt - now() : null,
    stop,
    work,
  }
}
