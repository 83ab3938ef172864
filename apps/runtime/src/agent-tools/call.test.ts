/** A tool call over a brain that answers as told: attribution, retries, ends, and what a model gets to read. */
import { systemRandom } from '@mission-control/host/clock'
import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../test/doubles/manual-clock.ts'
import { BrainError } from '../brain/errors.ts'
import { Interrupt } from '../delivery/verdict.ts'
import { silentLog } from '../log.ts'
import { service } from '../service.ts'
import type { CallDeps } from './call.ts'
import { CALL_MS, callTool } from './call.ts'
import { createMcpSessions } from './sessions.ts'
import { heldTurn } from '../../test/doubles/held-turn.ts'
import { createTurnsInFlight } from './turns-in-flight.ts'

type Args = Record<string, string | number>

function setUp() {
  const clock = createManualClock()
  const turns = createTurnsInFlight()
  const sessions = createMcpSessions(systemRandom)
  const asked: Args[] = []
  const world = {
    clock,
    turns,
    sessions,
    asked,
    /** What the backend does with a call; the default is to answer. */
    backend: (_args: Args, _signal?: AbortSignal): Promise<string> => Promise.resolve('{"ok":true}'),
    boot: (_signal: AbortSignal): Promise<string> => Promise.resolve('boot1'),
    enter: (code: string, options: Parameters<typeof heldTurn>[1] = {}) => {
      const turn = heldTurn(code, options)
      return { ...turn, leave: turns.enter(turn.item, turn.interrupt) }
    },
    call: (tool: string, args: object, sessionId: string | null = null, signal = new AbortController().signal) =>
      callTool(deps, { agentId: 'agent1', sessionId, tool, args: args as never }, signal),
  }
  const answer = async (args: unknown, signal?: AbortSignal) => {
    asked.push(args as Args)
    return { result: await world.backend(args as Args, signal), replayed: false }
  }
  const deps: CallDeps = {
    brain: {
      query: (fn: unknown, args: unknown, signal?: AbortSignal) => {
        expect(fn).toBe(service.readTool)
        return answer(args, signal)
      },
      mutate: (fn: unknown, args: unknown, signal?: AbortSignal) => {
        expect(fn).toBe(service.callTool)
        return answer(args, signal)
      },
      onAnsweringAgain: () => () => undefined,
    } as never,
    clock,
    random: systemRandom,
    log: silentLog,
    turns,
    sessions,
    bootId: (signal) => world.boot(signal),
  }
  return world
}

const unreachable = () => new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'The backend did not answer: secret-host:3210')

describe('a call in a turn', () => {
  it('goes to the claim its code names, with the boot of the gateway and without the code', async () => {
    const world = setUp()
    world.enter('aaaaaa')
    world.enter('bbbbbb', { lane: 'other' })
    expect(await world.call('task_create', { title: 'T', turn: 'BBBBBB' })).toEqual({ text: '{"ok":true}', isError: false })
    expect(world.asked).toEqual([
      {
        id: 'item-bbbbbb',
        fence: 7,
        tool: 'task_create',
        args: '{"title":"T"}',
        pass: 'boot1',
        callId: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ])
    expect(await world.call('task_get', { task: 'x', turn: 'aaaaaa' })).toMatchObject({ isError: false })
    expect(world.asked[1]).toEqual({ id: 'item-aaaaaa', fence: 7, tool: 'task_get', args: '{"task":"x"}' })
  })

  it('binds its MCP session to the lane with the first valid code, also across turns', async () => {
    const world = setUp()
    const first = world.enter('aaaaaa', { lane: 'lane-a' })
    world.enter('bbbbbb', { lane: 'lane-b' })
    await world.call('agent_list', { turn: 'aaaaaa' }, 'unheard-of-session')
    await world.call('agent_list', {}, 'unheard-of-session')
    first.leave()
    const between = await world.call('agent_list', {}, 'unheard-of-session')
    expect(between).toEqual({ text: expect.stringContaining('has ended'), isError: true })
    world.enter('cccccc', { lane: 'lane-a' })
    await world.call('agent_list', { turn: 'aaaaaa' }, 'unheard-of-session') // the code of the turn before
    expect(world.asked.map(({ id }) => id)).toEqual(['item-aaaaaa', 'item-aaaaaa', 'item-cccccc'])
  })

  it('another agent cannot use the code, nor the session', async () => {
    const world = setUp()
    world.enter('aaaaaa', { agentId: 'agent2' })
    const answer = world.call('agent_list', { turn: 'aaaaaa' })
    await world.clock.advance(3_000)
    expect(await answer).toMatchObject({ isError: true, text: expect.stringContaining('No turn of yours') })
    expect(world.asked).toEqual([])
  })

  it('waits for a turn whose code is not known yet: it is being claimed again', async () => {
    const world = setUp()
    world.enter('bbbbbb', { lane: 'other' })
    const answer = world.call('agent_list', { turn: 'aaaaaa' })
    await world.clock.settle()
    expect(world.asked).toEqual([])
    world.enter('aaaaaa')
    expect(await answer).toMatchObject({ isError: false })
    expect(world.asked[0]).toMatchObject({ id: 'item-aaaaaa' })
  })

  it('does nothing for a code of no turn here, though there is only one turn: its own may be claimed a little later', async () => {
    const world = setUp()
    world.enter('bbbbbb')
    const answer = world.call('agent_list', { turn: 'zzzzzz' })
    await world.clock.advance(3_000)
    expect(await answer).toMatchObject({ isError: true, text: expect.stringContaining('call again in a few seconds') })
    expect(world.asked).toEqual([])
    world.enter('zzzzzz', { lane: 'other' })
    expect(await world.call('agent_list', { turn: 'zzzzzz' })).toMatchObject({ isError: false })
    expect(world.asked[0]).toMatchObject({ id: 'item-zzzzzz' })
  })

  it('says what is wrong with arguments without asking anybody', async () => {
    const world = setUp()
    world.enter('aaaaaa')
    expect((await world.call('task_get', { turn: 'aaaaaa' })).text).toBe('task_get needs the argument "task".')
    expect((await world.call('task_fly', {})).text).toMatch(/^There is no tool "task_fly"; there are task_get, /)
    expect(world.asked).toEqual([])
  })
})

describe('a backend that does not answer', () => {
  it('is asked again with the same callId', async () => {
    const world = setUp()
    world.enter('aaaaaa')
    let tries = 0
    world.backend = async () => {
      tries += 1
      if (tries < 3) throw unreachable()
      return '{}'
    }
    const answer = world.call('message_post', { task: 'x', content: 'y' })
    await world.clock.advance(2_000)
    expect(await answer).toEqual({ text: '{}', isError: false })
    expect(new Set(world.asked.map(({ callId }) => callId)).size).toBe(1)
    expect(world.asked).toHaveLength(3)
    await world.call('message_post', { task: 'x', content: 'y' })
    expect(new Set(world.asked.map(({ callId }) => callId)).size).toBe(2)
  })

  it('is given up in time, and the model is told to look before it repeats', async () => {
    const world = setUp()
    world.enter('aaaaaa')
    world.backend = () => Promise.reject(unreachable())
    const answer = world.call('task_create', { title: 'x' })
    const reading = world.call('agent_list', {})
    await world.clock.advance(CALL_MS)
    const { text, isError } = await answer
    expect(isError).toBe(true)
    expect(text).toMatch(/may or may not have been done.*Look first/)
    expect(text + (await reading).text).not.toMatch(/secret-host|CONVEX/)
  })

  it('a lost connection to the gateway is waited out: an old boot id would hide that the model runs again', async () => {
    const world = setUp()
    world.enter('aaaaaa')
    const boot = Promise.withResolvers<string>()
    world.boot = () => boot.promise
    const answer = world.call('task_create', { title: 'x' })
    await world.clock.settle()
    expect(world.asked).toEqual([])
    boot.resolve('boot2')
    await answer
    expect(world.asked[0]).toMatchObject({ pass: 'boot2' })
  })
})

describe('the end of a turn', () => {
  it('a stop cuts a call that is under way', async () => {
    const world = setUp()
    const turn = world.enter('aaaaaa')
    world.backend = (_args, signal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
    const answer = world.call('task_create', { title: 'x' })
    await world.clock.settle()
    turn.end.abort(new Interrupt('stopped'))
    expect(await answer).toEqual({ text: 'This turn was stopped. Do nothing more in it.', isError: true })
  })

  it('refusals of the backend are passed on, what else goes wrong is not', async () => {
    const world = setUp()
    world.enter('aaaaaa')
    const texts: string[] = []
    for (const error of [
      new BrainError('refused', 'STALE_FENCE', 'The turn is not current: its item is ready. Do nothing more in it.'),
      new BrainError('invalid', 'INVALID', 'ArgumentValidationError: {"serviceToken":"mcs_1_x"}'),
      Object.assign(new Error('boom at /srv/app.ts:1'), { data: { code: 'LIMIT', message: 'Stay below 10.' } }),
    ]) {
      world.backend = () => Promise.reject(error)
      texts.push((await world.call('task_create', { title: 'x' })).text)
    }
    expect(texts).toEqual([
      'The turn is not current: its item is ready. Do nothing more in it.',
      'The arguments of task_create were not taken: send less text, or other characters.',
      'Stay below 10.',
    ])
  })
})
