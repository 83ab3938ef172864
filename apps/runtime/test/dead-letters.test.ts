/** `dead-letters` and `trace` against a real backend. */
import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Functions } from '@mission-control/embedded'
import type { CommandIo } from '../src/commands/context.ts'
import { listDeadLetters, redriveDeadLetters, showDeadLetter } from '../src/commands/dead-letters.ts'
import { trace } from '../src/commands/trace.ts'
import type { World } from './stack/world.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
}, 120_000)

/** Runs a command the way the program does. */
async function run(world: World, command: (io: CommandIo) => Promise<number>, env: Record<string, string> = {}) {
  const lines: string[] = []
  const errors: string[] = []
  const code = await command({
    env: { NODE_ENV: 'production', ...(await world.environment()), ...env },
    stop: new AbortController().signal,
    out: (line) => lines.push(line),
    error: (line) => errors.push(line),
    isTerminal: false,
    version: '0.0.0',
    packageRoot: '/nonexistent',
  })
  return { code, out: lines.join('\n'), errors: errors.join('\n') }
}

/** Claims what is ready and has it die. */
async function die(world: World, reason: string): Promise<string[]> {
  const service = { accountId: world.accountId, serviceToken: world.token }
  const { backend } = world
  const hello = await backend.mutation(api.service.runtime.hello, {
    ...{ ...service, instanceId: 'here', boot: 'b', announcedIntervalMs: 60_000 },
    versions: { runtime: '0', openclaw: null },
    infrastructure: { dropletId: null, ip: null, region: null },
  })
  if (hello.role !== 'active') throw new Error('not active')
  const heads = await backend.query(api.service.notifications.ready, service)
  const { items } = await backend.mutation(api.service.notifications.claim, {
    ...service,
    epoch: hello.epoch,
    ids: heads.map(({ id }) => id),
  })
  for (const { id, fence } of items) {
    await backend.mutation(api.service.notifications.fail, {
      ...{ ...service, id, fence, class: 'terminal' as const, code: 'TURN_FAILED', reason, ended: true, retryAfterMs: null },
      run: {
        ...{ sentAfterMs: 5, acceptedAfterMs: 12, repliedAfterMs: 90_012 },
        usage: { model: 'm-1', inputTokens: 100, outputTokens: 20, costUsd: 0.0125 },
      },
    })
  }
  return items.map(({ id }) => id)
}

describe('dead-letters and trace', () => {
  it('list, show and put back; each id that is none gets one sentence', async () => {
    await using world = await createWorld(functions, { agents: ['writer', 'editor'] })
    expect(await run(world, (io) => listDeadLetters({}, io))).toMatchObject({ code: 0, out: 'There are no dead letters.' })
    await world.post('@writer a secret question')
    await world.post('@editor another')
    const ids = await die(world, 'the model is confused')
    expect(ids).toHaveLength(2)

    const list = await run(world, (io) => listDeadLetters({}, io))
    expect(list.code).toBe(0)
    for (const id of ids) expect(list.out).toContain(id)
    expect(list.out).toMatch(/mention to @writer in "The task"\n {4}after 1 attempt: TURN_FAILED: the model is confused/)
    expect(list.out).not.toContain('secret')

    // One at a time, with the cursor that the list prints.
    const first = JSON.parse((await run(world, (io) => listDeadLetters({ json: true, limit: 1 }, io))).out)
    expect(first).toMatchObject({ items: [{ state: 'dead' }], cursor: expect.stringContaining('dead|') })
    const second = await run(world, (io) => listDeadLetters({ json: true, cursor: first.cursor }, io))
    const items = [...first.items, ...JSON.parse(second.out).items] as { id: string }[]
    expect(items.map(({ id }) => id).sort()).toEqual([...ids].sort())

    const [id = ''] = ids
    const shown = await run(world, (io) => showDeadLetter(id, {}, io))
    expect(shown.out).toMatch(/state {6}dead: TURN_FAILED: the model is confused\n {11}-> Read the reason in the trace/)
    expect(shown.out).toMatch(/ {2}sent {10,}\+5 ms/)
    expect(shown.out).toMatch(/ {2}accepted {6,}\+7 ms/)
    expect(shown.out).toMatch(/ {2}replied +\+1 min 30 s/)
    expect(shown.out).toContain('failed (TURN_FAILED: the model is confused)')
    expect(shown.out).toContain('m-1: 100 tokens in, 20 out, $0.0125')
    const json = await run(world, (io) => trace(id, { json: true }, io))
    expect(JSON.parse(json.out)).toMatchObject({ id, state: 'dead', runs: [{ outcome: 'failed' }] })

    const put = await run(world, (io) => redriveDeadLetters([id], {}, io))
    expect(put).toMatchObject({ code: 0, out: `${id}  ready` })
    const twice = await run(world, (io) => redriveDeadLetters([id, ids[1] ?? ''], { json: true }, io))
    expect(twice.code).toBe(1)
    expect(twice.errors).toBe(`${id}: nothing was put back. It is ready, not dead.`)
    expect(JSON.parse(twice.out)).toEqual({
      redriven: [
        { id, state: null, refused: 'CONFLICT' },
        { id: ids[1], state: 'ready', refused: null },
      ],
    })

    for (const bad of ['nonsense', world.taskId, '', 'x'.repeat(10_000)]) {
      for (const command of [
        trace,
        showDeadLetter,
        (given: string, options: object, io: CommandIo) => redriveDeadLetters([given], options, io),
      ]) {
        const { code, out, errors } = await run(world, (io) => command(bad, {}, io))
        expect([code, out]).toEqual([1, ''])
        expect(errors).toMatch(/^There is no delivery ".{0,64}" in this account: take an id from dead-letters list[^\n]*$/)
      }
    }
    const cursor = await run(world, (io) => listDeadLetters({ cursor: 'nonsense' }, io))
    expect(cursor).toMatchObject({ code: 1, errors: expect.stringMatching(/^The cursor is not one of this list\.[^\n]*$/) })
  })

  it('exit with the class of the trouble', async () => {
    await using world = await createWorld(functions)
    const codeOf = async (env: Record<string, string>) => (await run(world, (io) => trace('x', {}, io), env)).code
    expect(await codeOf({ CONVEX_URL: '' })).toBe(3)
    expect(await codeOf({ SERVICE_TOKEN: `${world.token.slice(0, -4)}AAAA` })).toBe(4)
    expect(await codeOf({ CONVEX_URL: 'http://127.0.0.1:9' })).toBe(5)
  })
})
