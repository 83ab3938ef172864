/**
 * The promises on real processes with the real OpenClaw gateway: each part is killed with SIGKILL in the middle of a turn, and
 * exactly one reply stands in the thread. Tests wait for what happens, never for a time.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import type { FunctionReturnType } from 'convex/server'
import { systemClock } from '@mission-control/host/clock'
import { isSameProcess } from '@mission-control/host/processes'
import { openclawEntry } from '@mission-control/openclaw/install'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAccount, fillDemo } from '../src/account.ts'
import { ROOT } from '../src/stack/entries.ts'
import type { Member } from '../src/stack/member.ts'
import { LOCAL_IDENTITY } from '../src/sign-in/person.ts'
import { createMember } from '../src/stack/member.ts'
import { readRecord } from '../src/stack/record.ts'
import type { Stack } from '../src/stack/stack.ts'
import { startStack } from '../src/stack/stack.ts'

const openclaw = openclawEntry(ROOT)
const folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-faults-'))
const data = path.join(folder, 'data')

/** What the model does with a message `hold:<name>`: it says so, then thinks until it is let go. */
interface Held {
  readonly asked: PromiseWithResolvers<void>
  readonly release: PromiseWithResolvers<void>
  calls: number
}
const held = new Map<string, Held>()
const hold = (name: string): Held => {
  const one = held.get(name) ?? { asked: Promise.withResolvers<void>(), release: Promise.withResolvers<void>(), calls: 0 }
  held.set(name, one)
  return one
}

describe.skipIf(!existsSync(openclaw))('with the real gateway, killed in mid-turn', () => {
  let stack: Stack
  let member: Member
  let where: { accountId: Id<'accounts'>; taskId: Id<'tasks'> }

  beforeAll(async () => {
    stack = await startStack(
      {
        kind: 'demo',
        dataDir: data,
        ports: { backend: 0, site: 0, health: 0, tools: 0, gateway: 0 },
        fakeGateway: false,
        openclawBin: openclaw,
        model: null,
        clock: systemClock,
        onProgress: () => undefined,
        respond: async ({ prompt, signal }) => {
          // Only the newest message counts: the prompt also shows the thread before it.
          const asked = prompt.slice(prompt.lastIndexOf('## To you'))
          const name = /hold:(\w+)/.exec(asked)?.[1]
          // After a crash the gateway asks again in its own words, which name nothing.
          if (name === undefined) return { kind: 'text', text: `plain answer to ${/say:(\w+)/.exec(asked)?.[1] ?? 'you'}` }
          const one = hold(name)
          one.calls += 1
          one.asked.resolve()
          await Promise.race([
            one.release.promise,
            new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
          ])
          return { kind: 'text', text: `answer to ${name}` }
        },
        prepare: async ({ url, adminKeyFile }) => {
          await using caller = createMember({ url, adminKeyFile, identity: LOCAL_IDENTITY })
          const account = await createAccount(caller, 'Faults')
          return { ...account, taskId: await fillDemo(caller, account.accountId) }
        },
      },
      new AbortController().signal,
    )
    member = createMember({ url: stack.backendUrl, adminKeyFile: stack.adminKeyFile, identity: LOCAL_IDENTITY })
    where = { accountId: stack.account.accountId as Id<'accounts'>, taskId: stack.account.taskId as Id<'tasks'> }
  })
  afterAll(async () => {
    await member?.[Symbol.asyncDispose]()
    await stack?.stop()
    if (process.env['KEEP_TEST_DATA'] === undefined) rmSync(folder, { recursive: true, force: true })
    else console.log(`kept ${folder}`)
  })

  const post = (content: string) => member.http.mutation(api.messages.post, { ...where, content })
  const thread = async () =>
    (await member.http.query(api.messages.list, { ...where, paginationOpts: { numItems: 100, cursor: null } })).page
  const pidOf = (part: string) => readRecord(data)?.parts.find(({ name }) => name === part)?.process
  const gatewayPid = () => {
    const file = path.join(data, 'runtime', 'openclaw', 'gateway.process.json')
    return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid
  }

  type Ended = FunctionReturnType<typeof api.deliveries.forTask>[number]
  /** Resolves with the delivery that the message caused, once it has ended. */
  function ended(messageId: string): Promise<Ended> {
    const done = Promise.withResolvers<Ended>()
    const stop = member.live().onUpdate(
      api.deliveries.forTask,
      where,
      (deliveries) => {
        const mine = deliveries.find((delivery) => delivery.messageId === messageId)
        if (mine && ['delivered', 'skipped', 'dead'].includes(mine.state)) done.resolve(mine)
      },
      () => undefined, // the backend may be down for a moment; the subscription comes back by itself
    )
    return done.promise.finally(() => stop())
  }

  async function killAndStartedAgain(part: string): Promise<void> {
    const before = pidOf(part)
    if (!before) throw new Error(`no ${part}`)
    process.kill(before.pid, 'SIGKILL')
    while (isSameProcess(before) || pidOf(part)?.pid === before.pid) await systemClock.sleep(20)
  }

  /** What the thread holds of the delivery, oldest first. */
  const replies = async ({ id }: Ended) =>
    (await thread())
      .filter((message) => message.deliveryId === id && message.author.type === 'agent')
      .map(({ content }) => content)

  it('runtime: its gateway goes on, the next runtime adopts it and settles the one reply', async () => {
    const id = await post('@writer hold:runtime')
    await hold('runtime').asked.promise
    const gateway = gatewayPid()
    await killAndStartedAgain('runtime')
    const finished = ended(id)
    hold('runtime').release.resolve()
    const turnEnded = systemClock.monotonic()
    const delivery = await finished
    expect(delivery).toMatchObject({ state: 'delivered' })
    const took = systemClock.monotonic() - turnEnded
    console.log(`runtime killed in mid-turn: reply in the thread ${Math.round(took)} ms after the turn's end`)
    expect(took).toBeLessThan(10_000)
    expect(await replies(delivery)).toEqual(['answer to runtime'])
    expect(hold('runtime').calls).toBe(1)
    expect(gatewayPid()).toBe(gateway)
  })

  it('backend: every acknowledged message is there, and the reply is settled when it is back', async () => {
    const acknowledged: string[] = []
    for (let n = 0; n < 20; n += 1) acknowledged.push(await post(`acknowledged ${n}`))
    const id = await post('@lead hold:backend')
    await hold('backend').asked.promise
    const finished = ended(id)
    await killAndStartedAgain('backend')
    hold('backend').release.resolve()
    const delivery = await finished
    expect(delivery).toMatchObject({ state: 'delivered', attempts: 1 })
    const ids = new Set((await thread()).map((message) => message.id))
    expect(acknowledged.filter((one) => !ids.has(one as Id<'messages'>))).toEqual([])
    expect(await replies(delivery)).toEqual(['answer to backend'])
  })

  it('gateway: it is started again and the turn ends in exactly one reply', async () => {
    const id = await post('@writer hold:gateway')
    await hold('gateway').asked.promise
    const before = gatewayPid()
    const finished = ended(id)
    const killed = systemClock.monotonic()
    process.kill(before, 'SIGKILL')
    hold('gateway').release.resolve()
    const delivery = await finished
    expect(delivery).toMatchObject({ state: 'delivered' })
    console.log(
      `gateway killed in mid-turn: reply in the thread ${Math.round(systemClock.monotonic() - killed)} ms after the kill`,
    )
    expect(gatewayPid()).not.toBe(before)
    expect(await replies(delivery)).toHaveLength(1)
  })

  it('an agent created meanwhile answers without any restart', async () => {
    const runtime = pidOf('runtime')?.pid
    const gateway = gatewayPid()
    await member.http.mutation(api.agents.create, { accountId: where.accountId, slug: 'scout', name: 'Scout' })
    const id = await post('@scout say:hello')
    const delivery = await ended(id)
    expect(delivery).toMatchObject({ state: 'delivered' })
    expect(await replies(delivery)).toEqual(['plain answer to hello'])
    expect([pidOf('runtime')?.pid, gatewayPid()]).toEqual([runtime, gateway])
  })
})
