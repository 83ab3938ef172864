/** What must hold after each step, and what at the end. The rules of the queue are those of packages/backend/test/proof/invariants.ts. */
import assert from 'node:assert/strict'
import { LIMITS } from '@mission-control/shared/limits'
import {
  checkClaims,
  checkHolds,
  checkLanes,
  checkNothingLost,
  checkReplies,
  checkStep,
  checkSums,
  isOpen,
} from '@mission-control/backend/proof/invariants'
import type { QueueRows } from '@mission-control/backend/proof/rows'
import { allRows, queueRows } from '@mission-control/backend/proof/rows'
import type { Simulation } from '@mission-control/backend/proof/simulation'
import { internal } from '@mission-control/backend/convex/_generated/api'
import type { Doc } from '@mission-control/backend/convex/_generated/dataModel'
import { timesMeant } from './model.ts'

/** After a step that may have committed. @throws AssertionError */
export async function checkQueue(history: Simulation, before: QueueRows): Promise<QueueRows> {
  const now = await queueRows(history.backend)
  checkLanes(now)
  checkStep(before, now, history.ledger.redriven)
  checkClaims(now, history.ledger)
  for (const item of now.deliveries) {
    if (item.depth > LIMITS.depth) assert.fail(`a chain is too deep: ${JSON.stringify(item)}`)
    if (item.type === 'heartbeat' && item.fence > 1) assert.fail(`a heartbeat was tried again: ${JSON.stringify(item)}`)
  }
  return now
}

/** Everything counted again, when nothing that was scheduled is pending. @throws AssertionError */
export async function checkAll(history: Simulation): Promise<void> {
  const { backend, world, ledger } = history
  await backend.finishScheduled()
  await backend.mutation(internal.maintenance.audit, { accountId: world.accountId })
  checkHolds(await queueRows(backend))
  const rows = await allRows(backend)
  checkSums(rows)
  checkNothingLost(rows, ledger)
  checkReplies(rows, ledger)
  // What a turn creates through tools is there as often as it meant it to be, however often the model was run.
  const titles = (backend.rows?.('documents') ?? []).map((row) => (row as Doc<'documents'>).title)
  for (const [text, same] of Map.groupBy([...rows.messages.map(({ content }) => content), ...titles], (one) => one))
    assert.ok(
      same.length <= (timesMeant(text) ?? same.length),
      `a turn created it twice: "${text}" is there ${same.length} times`,
    )
}

/** Nobody waits for anything any more. */
export const isAtRest = ({ deliveries }: QueueRows): boolean => !deliveries.some(isOpen)
