/**
 * Whether work becomes dearer with age: the claim and the ready query of an account with 1,000 old messages, deliveries, activities and
 * notifications each, and of one with 100,000. Both backends are in this process and in memory: a call over HTTP and the sync of a disk cost
 * the same at any size and would only hide a difference. The two take turns.
 */
import { api } from '@mission-control/backend/convex/_generated/api'
import { BATCH, insertHistory } from '@mission-control/backend/proof/old-rows'
import { createEmbeddedConvex, loadFunctions } from '@mission-control/embedded'
import { loadOfMachine, median } from '@mission-control/host/numbers'
import type { BenchContext } from '../context.ts'
import type { BenchReport } from '../report.ts'
import { createAccount, OWNER } from '../stage/account.ts'

const SMALL = 1_000
const LARGE = { full: 100_000, quick: 4_000 }
const ROUNDS = { full: 500, quick: 100 }
const WARM_UP = 30
const MACHINE = {
  versions: { runtime: 'bench', openclaw: null },
  infrastructure: { dropletId: null, ip: null, region: null },
  announcedIntervalMs: 60_000,
}
const RUN = { sentAfterMs: 1, acceptedAfterMs: 2, repliedAfterMs: 3, usage: null }

interface Times {
  readonly claim: number[]
  readonly ready: number[]
}

export async function measureHistory(context: BenchContext): Promise<NonNullable<BenchReport['history']>> {
  const { clock, note, signal, quick } = context
  const sizes = [SMALL, quick ? LARGE.quick : LARGE.full] as const
  if (quick) note(`the large history has ${sizes[1]} items, not ${LARGE.full}`)
  const from = clock.monotonic()
  await using small = await openOld(context, sizes[0])
  await using large = await openOld(context, sizes[1])
  note(
    `${sizes.join(' and ')} items of each kind, made in ${((clock.monotonic() - from) / 1_000).toFixed(1)} s; ${loadOfMachine()}`,
  )
  const rounds = quick ? ROUNDS.quick : ROUNDS.full
  for (let round = -WARM_UP; round < rounds; round += 1) {
    signal.throwIfAborted()
    // Who comes first changes: the second may find the machine warmer.
    for (const old of round % 2 === 0 ? [small, large] : [large, small]) await old.deliver(round >= 0)
  }
  const of = (pick: (times: Times) => number[]) => ({ small: median(pick(small.times)), large: median(pick(large.times)) })
  const [claim, ready] = [of(({ claim }) => claim), of(({ ready }) => ready)]
  note(
    `medians of ${rounds}: claim ${claim.small.toFixed(3)} and ${claim.large.toFixed(3)} ms, ` +
      `ready query ${ready.small.toFixed(3)} and ${ready.large.toFixed(3)} ms; ${loadOfMachine()}`,
  )
  return { claimRatio100kTo1k: claim.large / claim.small, readyRatio100kTo1k: ready.large / ready.small }
}

/** An account with this much behind it. `deliver` does one delivery, and times two of its calls when told to. */
async function openOld({ clock, functions, signal }: BenchContext, items: number) {
  const backend = await createEmbeddedConvex({ functions: await loadFunctions(functions), memory: true })
  await using opened = new AsyncDisposableStack()
  opened.defer(() => backend.close())
  const account = await createAccount(backend, { agents: 1, tasks: 1 })
  const { accountId, token, slugs } = account
  const [taskId] = account.taskIds
  if (taskId === undefined) throw new Error('The account has no task.')
  const caller = { accountId, serviceToken: token }
  const hello = await backend.mutation(api.service.runtime.hello, { ...caller, ...MACHINE, instanceId: 'bench', boot: 'bench' })
  if (hello.role !== 'active') throw new Error('The account is new and has an active runtime.')
  const { epoch } = hello
  const owner = backend.withIdentity(OWNER)
  const times: Times = { claim: [], ready: [] }

  async function timed<T>(into: number[] | null, call: () => Promise<T>): Promise<T> {
    const from = clock.monotonic()
    const result = await call()
    into?.push(clock.monotonic() - from)
    return result
  }

  async function deliver(measured: boolean): Promise<void> {
    await owner.mutation(api.messages.post, { accountId, taskId: taskId as never, content: `@${slugs[0] ?? ''} please` })
    const heads = await timed(measured ? times.ready : null, () => backend.query(api.service.notifications.ready, caller))
    const ids = heads.map(({ id }) => id)
    const { items: claimed } = await timed(measured ? times.claim : null, () =>
      backend.mutation(api.service.notifications.claim, { ...caller, epoch, ids }),
    )
    const [item] = claimed
    if (item === undefined || claimed.length !== 1) throw new Error(`One message led to ${claimed.length} claims.`)
    const { id, fence } = item
    const answer = { outcome: 'reply' as const, reply: '@Ada done', run: RUN }
    await backend.mutation(api.service.notifications.settle, { ...caller, id, fence, ...answer })
  }

  await deliver(false)
  for (let have = 0; have < items; have += BATCH) {
    signal.throwIfAborted()
    await insertHistory(backend, { accountId, taskId, userId: OWNER.tokenIdentifier }, Math.min(BATCH, items - have), have)
  }
  const kept = opened.move()
  return { times, deliver, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}
