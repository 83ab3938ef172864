/** One history from an empty account to the end of all its work, with every check on the way. */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { api, internal } from '../../convex/_generated/api.js'
import type { Backend } from '../harness/backend.ts'
import type { Action } from './actions.ts'
import {
  checkClaims,
  checkHolds,
  checkLanes,
  checkNothingLost,
  checkReplies,
  checkStep,
  checkSums,
  isOpen,
} from './invariants.ts'
import type { QueueRows } from './rows.ts'
import { allRows, queueRows } from './rows.ts'
import { performAny } from './races.ts'
import type { Simulation } from './simulation.ts'
import { newSimulation, perform } from './simulation.ts'

/** Steps between two full countings; the lanes are checked after each. */
const SUMS_EVERY = 10
/** Rounds after which a lane that has not come to rest never will. */
const ROUNDS = 400

/** @throws what does not hold, or an error that no refusal explains */
export async function runHistory(backend: Backend, actions: readonly Action[]): Promise<void> {
  const sim = await newSimulation(backend)
  let before = await queueRows(backend)
  for (const action of actions) {
    sim.step++
    await performAny(sim, action)
    if (!action.defer) await backend.finishScheduled()
    before = await checkAfter(sim, before, action)
  }
  await backend.finishScheduled()
  await rest(sim, before)
}

async function checkAfter(sim: Simulation, before: QueueRows, { do: done, defer }: Action): Promise<QueueRows> {
  const now = await queueRows(sim.backend)
  checkLanes(now)
  checkStep(before, now, sim.ledger.redriven, done === 'takeOver' ? 2 : 1)
  checkClaims(now, sim.ledger)
  if (defer) return now
  checkHolds(now)
  if (sim.step % SUMS_EVERY === 0) await checkAll(sim)
  return now
}

async function checkAll(sim: Simulation): Promise<void> {
  await sim.backend.mutation(internal.maintenance.audit, { accountId: sim.world.accountId })
  const rows = await allRows(sim.backend)
  checkSums(rows)
  checkNothingLost(rows, sim.ledger)
  checkReplies(rows, sim.ledger)
}

/** Everything is resumed, and one runtime works it off; an item that always fails must hold up nobody else. */
async function rest(sim: Simulation, before: QueueRows): Promise<void> {
  const { world, backend } = sim
  const { accountId, ada } = world
  await ada.mutation(api.accounts.setPaused, { accountId, paused: false })
  const none = { turnsPerHour: null, tokensPerDay: null, microUsdPerDay: null }
  await ada.mutation(api.accounts.setBudgets, { accountId, budgets: none })
  for (const { _id: agentId } of before.agents) {
    await ada.mutation(api.agents.setBudgets, { accountId, agentId, budgets: none })
    await ada.mutation(api.agents.resume, { accountId, agentId })
  }
  await backend.finishScheduled()
  for (const runtime of sim.runtimes) runtime.held.length = 0
  // Beyond every lease and every deadline: what was held by anybody comes back.
  await perform(sim, { do: 'wait', ms: 5 })
  const runtime = sim.runtimes[0]
  assert.ok(runtime)
  await perform(sim, { do: 'hello', runtime: 0, restart: true })
  assert.ok(runtime.epoch !== null, 'no runtime becomes active after every lease has run out')
  const [poisoned] = (await queueRows(backend)).deliveries.filter((item) => item.state === 'ready' && item.type !== 'heartbeat')
  const poison = poisoned?._id
  let last = await queueRows(backend)
  for (let round = 0; ; round++) {
    assert.ok(round < ROUNDS, 'the queue never comes to rest')
    sim.step++
    await perform(sim, { do: 'claim', runtime: 0, mask: 255, lost: false })
    const { held } = runtime
    // With nothing else to do, the poisoned item's backoff passes; while there is, it takes nobody's turn.
    if (held.length === 0) {
      const now = await queueRows(backend)
      const open = now.deliveries.filter(isOpen)
      if (open.length === 0) {
        last = now
        break
      }
      // A claim may have skipped what it named: then others have become heads, and their claim is the next one.
      if (!isDeepStrictEqual(now, last)) {
        last = now
        continue
      }
      const due = open.filter(({ laneId, state, dueAt }) => {
        return laneId !== poisoned?.laneId && state === 'ready' && dueAt <= backend.now()
      })
      assert.deepEqual(due, [], 'an item is due, and no claim gets it')
      await backend.advance(60_000)
      await world.checkIn([], { epoch: runtime.epoch })
    }
    while (runtime.held.length > 0) {
      const poisonAt = runtime.held.findIndex(({ id }) => id === poison)
      if (poisonAt >= 0) await perform(sim, { do: 'fail', runtime: 0, item: poisonAt, kind: 0, ended: true })
      else await perform(sim, { do: 'settle', runtime: 0, item: 0, reply: true, twice: false })
    }
    await backend.finishScheduled()
    const now = await queueRows(backend)
    checkLanes(now)
    checkStep(last, now, sim.ledger.redriven)
    checkClaims(now, sim.ledger)
    last = now
  }
  if (poison) {
    const end = last.deliveries.find(({ _id }) => _id === poison)
    assert.ok(
      end?.state === 'dead' || end?.state === 'skipped',
      `the poisoned item is neither dead nor skipped: ${JSON.stringify(end)}`,
    )
  }
  await backend.finishScheduled()
  await checkAll(sim)
}
