/** Deeds of several steps that bring about what seldom meets by chance: a claim and what happens to it meanwhile. */
import assert from 'node:assert/strict'
import { internal } from '../../convex/_generated/api.js'
import type { Action, Race } from './actions.ts'
import { PAUSES } from './actions.ts'
import { queueRows } from './rows.ts'
import type { QueueRows } from './rows.ts'
import type { Held, Simulation } from './simulation.ts'
import { callAsOwner, perform, pick, tasksOf } from './simulation.ts'

type Item = QueueRows['deliveries'][number]

/** Longer than ORPHAN_MS, shorter than the lease of a busy runtime. */
const ORPHANED_MS = 12_000
const PLAIN = 0
const EVERYBODY = 4

export async function performAny(sim: Simulation, deed: Action): Promise<void> {
  switch (deed.do) {
    case 'stopAtWork':
      return await stopAtWork(sim, deed)
    case 'takeOver':
      return await takeOver(sim, deed)
    case 'writeOn':
      return await writeOn(sim, deed)
    default:
      return await perform(sim, deed)
  }
}

async function stopAtWork(sim: Simulation, deed: Extract<Race, { do: 'stopAtWork' }>): Promise<void> {
  const work = await atWork(sim, deed.item, ({ taskId, stopAt }) => taskId !== null && stopAt === null)
  if (!work) return
  const task = (await tasksOf(sim.backend)).findIndex(({ _id }) => _id === work.row.taskId)
  if (task < 0) return
  await perform(sim, { do: 'stop', task, button: deed.button })
  if (deed.settle) await answer(sim, work)
}

async function takeOver(sim: Simulation, deed: Extract<Race, { do: 'takeOver' }>): Promise<void> {
  const work = await atWork(sim, deed.item, ({ stopAt, type }) => stopAt === null && type !== 'heartbeat')
  if (!work) return
  const { held, runtime } = work
  const of = sim.runtimes[runtime]
  if (!of) return
  of.held = of.held.filter((other) => other !== held)
  sim.past.push(held)
  if (deed.how === 'orphan') {
    await sim.backend.advance(ORPHANED_MS)
    await perform(sim, { do: 'checkIn', runtime, forget: 0 })
  } else {
    await sim.backend.advance(PAUSES[5])
    await sim.backend.mutation(internal.maintenance.lapse, {})
  }
  await sim.backend.finishScheduled()
  const freed = await itemOf(sim, held.id)
  if (freed?.state === 'ready') await sim.backend.advance(Math.max(0, freed.dueAt - sim.backend.now()))
  const again = await atWork(sim, 0, ({ _id, fence }) => _id === held.id && fence > held.fence)
  if (again) await callAsOwner(sim, held, deed.call)
}

async function writeOn(sim: Simulation, deed: Extract<Race, { do: 'writeOn' }>): Promise<void> {
  const isUpdate = ({ type, stopAt }: Item) => type === 'thread_update' && stopAt === null
  let work = await atWork(sim, 0, isUpdate)
  for (const mention of work ? [] : [PLAIN, EVERYBODY, PLAIN]) {
    await perform(sim, { do: 'post', who: 1, task: deed.task, mention, key: false })
    await sim.backend.finishScheduled()
    work = await atWork(sim, 0, isUpdate)
    if (work) break
    // Now that everybody follows the thread, what they hold makes room for the update.
    for (const [runtime, { held }] of sim.runtimes.entries()) {
      for (const _each of mention === EVERYBODY ? [...held] : [])
        await perform(sim, { do: 'settle', runtime, item: 0, reply: true, twice: false })
    }
  }
  if (!work) return
  const item = sim.runtimes[work.runtime]?.held.indexOf(work.held) ?? -1
  if (item < 0) return
  await sim.backend.advance(1)
  if (deed.giveBack) {
    const task = (await tasksOf(sim.backend)).findIndex(({ _id }) => _id === work.row.taskId)
    await perform(sim, { do: 'release', runtime: work.runtime, item, ended: false })
    if (task >= 0) await perform(sim, { do: 'post', who: 1, task, mention: PLAIN, key: false })
  } else await perform(sim, { do: 'interrupt', runtime: work.runtime, item })
  await sim.backend.finishScheduled()
  const now = await itemOf(sim, work.held.id)
  assert.equal(now?.committedAt, work.row.committedAt, 'an update that was claimed before took over a message')
  if (deed.settle) await answer(sim, work)
}

interface Work {
  readonly runtime: number
  readonly held: Held
  readonly row: Item
}

/** An item that the active runtime holds and that fits. If there is none, everything is claimed that is due. */
async function atWork(sim: Simulation, at: number, fits: (item: Item) => boolean): Promise<Work | undefined> {
  const runtime = Math.max(
    0,
    sim.runtimes.findIndex(({ epoch }) => epoch !== null),
  )
  await perform(sim, { do: 'hello', runtime, restart: false })
  const find = async (): Promise<Work | undefined> => {
    const { deliveries } = await queueRows(sim.backend)
    const all = (sim.runtimes[runtime]?.held ?? []).flatMap((held) => {
      const row = deliveries.find(({ _id, state, fence }) => _id === held.id && state === 'claimed' && fence === held.fence)
      return row && fits(row) ? [{ runtime, held, row }] : []
    })
    return pick(all, at)
  }
  const found = await find()
  if (found) return found
  await perform(sim, { do: 'claim', runtime, mask: 255, lost: false })
  return await find()
}

async function answer(sim: Simulation, { runtime, held }: Work): Promise<void> {
  const item = sim.runtimes[runtime]?.held.indexOf(held) ?? -1
  if (item >= 0) await perform(sim, { do: 'settle', runtime, item, reply: true, twice: false })
}

async function itemOf({ backend }: Simulation, id: string): Promise<Item | undefined> {
  return (await queueRows(backend)).deliveries.find(({ _id }) => _id === id)
}
