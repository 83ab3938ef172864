/** What a turn creates is created once for each time one run of the model asked for it, however often it runs. */
import { errorCode } from '@mission-control/shared/errors'
import { LEASE_IDLE_MS } from '@mission-control/shared/lanes/policy'
import { LIMITS } from '@mission-control/shared/limits'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import { effectKey } from '../convex/model/effects.js'
import { openConvexTest } from './harness/convex-test.ts'
import { onEachEngine } from './harness/engines.ts'
import { toolsOf, turnOf } from './harness/tools.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const texts = async (world: World) => (await world.thread()).filter(({ author }) => author.type === 'agent').map((m) => m.content)
const rowsOf = (world: World) =>
  world.backend.run(async (ctx) =>
    (await ctx.db.query('effects').collect()).map(({ n, pass, callId, tool }) => [n, pass, callId, tool]),
  )

onEachEngine('a create', (open) => {
  it('repeated with the same callId answers the same, and is done once', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const args = { task: world.taskId, content: 'Hello.' }
    const first = await call(item, 'message_post', args, { callId: 'c1' })
    const again = await call(item, 'message_post', args, { callId: 'c1' })
    expect(first.replayed).toBe(false)
    expect(again).toEqual({ ...first, replayed: true })
    expect(await texts(world)).toEqual(['Hello.'])
  })

  it('made twice in one pass is meant twice', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const args = { task: world.taskId, content: 'Tick.' }
    const [one, two] = [await call(item, 'message_post', args), await call(item, 'message_post', args)]
    expect(one).not.toEqual(two)
    expect(await texts(world)).toEqual(['Tick.', 'Tick.'])
    expect(await rowsOf(world)).toEqual([
      [1, '1.gateway-1', 'call-1', 'message_post'],
      [2, '1.gateway-1', 'call-2', 'message_post'],
    ])
  })

  it('made again by a retried turn is taken over in the order it was made, and only what is new is done', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const args = { task: world.taskId, content: 'Tick.' }
    const first = [await call(item, 'message_post', args), await call(item, 'message_post', args)]
    await world.fail(item, { ended: false })
    await world.backend.advance(60_000)
    const retried = await world.claimOne()
    expect(retried.fence).toBe(item.fence + 1)
    const second = []
    for (let n = 0; n < 3; n++) second.push(await call(retried, 'message_post', args))
    expect(second.map(({ replayed }) => replayed)).toEqual([true, true, false])
    expect(second.slice(0, 2).map(({ message }) => message)).toEqual(first.map(({ message }) => message))
    expect(await texts(world)).toHaveLength(3)
    // Taken over: the repeated HTTP call of the new pass finds its answer too.
    expect(await call(retried, 'message_post', args, { callId: 'call-3' })).toEqual({ ...second[0], replayed: true })
    expect(await texts(world)).toHaveLength(3)
  })

  it('made again after the gateway restarted within one claim is taken over too', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const args = { task: world.taskId, content: 'Once.' }
    const first = await call(item, 'message_post', args, { pass: 'gateway-1' })
    const second = await call(item, 'message_post', args, { pass: 'gateway-2' })
    expect(second).toEqual({ ...first, replayed: true })
    expect(await texts(world)).toEqual(['Once.'])
  })

  it('is the same in any order of its arguments, with any whitespace, turn or null', async () => {
    const world = await createWorld(await open())
    const item = await turnOf(world, world.engineer)
    const call = async (args: string, pass: string) =>
      world.backend.mutation(api.service.tools.call, {
        ...{ ...world.service, id: item.id, fence: item.fence, tool: 'message_post', args, pass, callId: pass },
      })
    const id = world.taskId
    const forms = [
      `{"task":"${id}","content":"Once."}`,
      ` { "content" : "Once.",\n "task" : "${id}" } `,
      `{"turn":"abc234","content":"Once.","task":"${id}"}`,
      `{"turn":null,"content":"\\u004fnce.","task":"${id}"}`,
    ]
    for (const [n, args] of forms.entries()) await call(args, `pass-${n}`)
    expect(await texts(world)).toEqual(['Once.'])
    await call(`{"task":"${id}","content":"Once. "}`, 'pass-9')
    expect(await texts(world)).toEqual(['Once.', 'Once. '])
  })

  it('belongs to its item: another turn does the same anew', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const args = { task: world.taskId, content: 'Report.' }
    const item = await turnOf(world, world.engineer)
    await call(item, 'message_post', args, { callId: 'c1' })
    await world.settle(item, null)
    await call(await turnOf(world, world.engineer), 'message_post', args, { callId: 'c1' })
    expect(await texts(world)).toEqual(['Report.', 'Report.'])
  })

  it('survives a crash between the tool and the settle: the next runtime tells its agent what is done', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    expect(item.context.effectsDone).toEqual([])
    const args = { task: world.taskId, content: 'Half of the\nwork.' }
    await call(item, 'message_post', args)
    await world.backend.advance(LEASE_IDLE_MS + 60_000)
    const next = await world.hello('box-1', 'boot-2')
    if (next.role !== 'active') throw new Error('The new process must take over.')
    const again = await world.claimOne(next.epoch)
    expect(again).toMatchObject({ id: item.id, reconcile: true })
    expect(again.context.effectsDone).toEqual(['posted to the thread of "Ship it": "Half of the work."'])
    // The old process is still alive somewhere, and its gateway calls once more.
    await expect(call(item, 'message_post', args).catch(errorCode)).resolves.toBe('STALE_FENCE')
    await call(again, 'message_post', args)
    await world.settle(again, 'Done.')
    expect(await texts(world)).toEqual(['Half of the\nwork.', 'Done.'])
  })

  it('that is refused leaves nothing: neither a row nor a claim on the call', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const args = { task: world.taskId, recipients: ['qa', 'nobody'], message: 'Well?' }
    await expect(call(item, 'response_request', args, { callId: 'c1' }).catch(errorCode)).resolves.toBe('NOT_FOUND')
    expect([await rowsOf(world), await texts(world)]).toEqual([[], []])
    await world.ada.mutation(api.agents.create, { accountId: world.accountId, slug: 'nobody', name: 'Nobody' })
    expect(await call(item, 'response_request', args, { callId: 'c1' })).toMatchObject({ asked: ['@qa', '@nobody'] })
  })

  it('ends when the model goes round in circles', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    const post = () => call(item, 'message_post', { task: world.taskId, content: 'Again.' }).catch(errorCode)
    for (let n = 0; n < LIMITS.sameCreatesPerItem; n++) await post()
    expect(await post()).toBe('LIMIT')
    expect(await texts(world)).toHaveLength(LIMITS.sameCreatesPerItem)
  })

  it('names no more effects than a prompt has room for', async () => {
    const world = await createWorld(await open())
    const { call } = toolsOf(world)
    const item = await turnOf(world, world.engineer)
    for (let n = 0; n < 25; n++)
      await call(item, 'message_post', { task: world.taskId, content: `Line ${n} ${'x'.repeat(2_000)}` })
    await world.fail(item)
    await world.backend.advance(60_000)
    const { effectsDone } = (await world.claimOne()).context
    expect(effectsDone).toHaveLength(21)
    expect(effectsDone.at(-1)).toBe('and more of the same kind')
    for (const line of effectsDone) expect(line.length).toBeLessThan(400)
  })
})

it('the key of a call depends on the tool and on every argument', () => {
  const key = (tool: 'message_post' | 'task_create', args: object) => effectKey({ tool, args })
  expect(key('message_post', { task: 'a', content: 'b' })).toBe(key('message_post', { content: 'b', task: 'a' }))
  const others = [key('task_create', { task: 'a', content: 'b' }), key('message_post', { task: 'b', content: 'a' })]
  for (const other of others) expect(other).not.toBe(key('message_post', { task: 'a', content: 'b' }))
})

describe('a turn that is run again and again', () => {
  /** Each attempt: which of three texts it posts, in order; each call may be brought twice; the gateway may restart in between. */
  const attempt = fc.record({
    calls: fc.array(fc.record({ text: fc.integer({ min: 0, max: 2 }), twice: fc.boolean(), restart: fc.boolean() }), {
      maxLength: 6,
    }),
    end: fc.constantFrom('fail', 'release', 'lapse'),
  })

  it('never creates more of the same than its greediest pass asked for, and never less', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(attempt, { minLength: 1, maxLength: 4 }), async (attempts) => {
        const backend = await openConvexTest()
        try {
          const world = await createWorld(backend)
          const { call } = toolsOf(world)
          const wanted = [0, 0, 0]
          let item = await turnOf(world, world.engineer)
          let calls = 0
          for (const { calls: made, end } of attempts) {
            let boot = 1
            let pass = [0, 0, 0]
            for (const { text, twice, restart } of made) {
              if (restart) {
                boot++
                pass = [0, 0, 0]
              }
              const args = { task: world.taskId, content: `text ${text}` }
              const options = { pass: `gateway-${boot}`, callId: `c${++calls}` }
              const first = await call(item, 'message_post', args, options)
              if (twice) expect(await call(item, 'message_post', args, options)).toEqual({ ...first, replayed: true })
              pass[text] = (pass[text] ?? 0) + 1
              wanted[text] = Math.max(wanted[text] ?? 0, pass[text] ?? 0)
            }
            const old = item
            if (end === 'fail') await world.fail(item, { ended: false })
            if (end === 'release') await world.release(item)
            if (end === 'lapse') await backend.advance(16 * 60_000)
            if (end === 'lapse') await world.checkIn([])
            await backend.advance(10 * 60_000)
            await world.checkIn([])
            item = await world.claimOne()
            const late = call(old, 'message_post', { task: world.taskId, content: 'text 0' })
            await expect(late.catch(errorCode)).resolves.toBe('STALE_FENCE')
          }
          const posted = await texts(world)
          expect([0, 1, 2].map((n) => posted.filter((content) => content === `text ${n}`).length)).toEqual(wanted)
        } finally {
          await backend.close()
        }
      }),
      { numRuns: 25 },
    )
  })
})
