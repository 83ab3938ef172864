/** How far back the transcript is read, over a client that answers like the gateway: newest rows first, `nextOffset` for older ones. */
import { describe, expect, it } from 'vitest'
import type { Client } from '../src/client.ts'
import { createGateway } from '../src/official-gateway.ts'
import { decide } from '../src/turn/decide.ts'

interface Asked {
  readonly limit: number
  readonly offset?: number
  readonly inputRunIds?: readonly string[]
}
type Row = Readonly<Record<string, unknown>>

const KEY = 'd1.1'
const user = (key: string, text = 'do it'): Row => ({ role: 'user', content: text, idempotencyKey: `${key}:user` })
const step = (runId: string): Row => ({ role: 'assistant', content: [], stopReason: 'toolUse', __openclaw: { runId } })
const answer = (runId: string, text: string): Row => ({
  role: 'assistant',
  content: text,
  stopReason: 'stop',
  __openclaw: { runId },
})
const steps = (count: number, runId: string) => Array.from({ length: count }, () => step(runId))

interface Script {
  readonly rows: readonly Row[]
  /** Rows written between one request and the next. */
  readonly growth?: readonly Row[]
  readonly live?: string
  /** An answer holds at most this many rows, whatever was asked: the limit in bytes. */
  readonly mostRows?: number
  readonly boots?: readonly string[]
}

function scripted({ rows: initial, growth = [], live, mostRows = Infinity, boots = ['b'] }: Script) {
  const rows = [...initial]
  const asked: Asked[] = []
  const request = (method: string, params: Asked) => {
    expect(method).toBe('chat.history')
    if (asked.length > 0) rows.push(...growth)
    asked.push(params)
    const numbered = rows.map((row, index) => ({
      ...row,
      __openclaw: { ...(row.__openclaw as Row | undefined), id: `m${index}` },
    }))
    const end = rows.length - (params.offset ?? 0)
    const begin = Math.max(0, end - Math.min(params.limit, mostRows))
    const hasMore = begin > 0
    return Promise.resolve({
      payload: {
        messages: numbered.slice(begin, end),
        sessionInfo: { status: 'running', hasActiveRun: live !== undefined },
        ...(live === undefined ? {} : { inFlightRun: { runId: live } }),
        hasMore,
        ...(hasMore ? { nextOffset: rows.length - begin } : {}),
      },
      bootId: boots[Math.min(asked.length, boots.length) - 1] ?? 'b',
    })
  }
  const gateway = createGateway({ request } as unknown as Client)
  return { asked, look: (keys: readonly string[] = [KEY]) => gateway.history('agent:a:s', keys, AbortSignal.timeout(5000)) }
}

describe('reading back', () => {
  it('reads once when the key is among the newest rows', async () => {
    const { asked, look } = scripted({ rows: [...steps(500, 'x'), user(KEY), step(KEY)] })
    expect(await look()).toMatchObject({ complete: false })
    expect(asked).toMatchObject([{ limit: 100, inputRunIds: [KEY] }])
  })

  it('reads once without a key', async () => {
    const { asked, look } = scripted({ rows: steps(500, 'x') })
    await look([])
    expect(asked).toHaveLength(1)
  })

  it('a long turn that is being recovered is found behind its rows and waited for', async () => {
    const recovery = user('r1', '[System] Your previous turn was interrupted by a gateway restart')
    const { look } = scripted({
      rows: [user('x'), answer('x', 'other'), user(KEY), ...steps(80, KEY), recovery, ...steps(150, 'r1')],
      live: 'r1',
    })
    const seen = await look()
    expect(seen.rows.some((row) => row.inputKey === KEY)).toBe(true)
    expect(decide(seen, KEY, true)).toEqual({ kind: 'wait', runId: 'r1' })
  })

  it('its answer is settled, with the usage of all its rows', async () => {
    const usage = { input: 1, output: 1 }
    const recovery = user('r1', '[System] Your previous turn was interrupted by a gateway restart')
    const own = steps(150, 'r1').map((row) => ({ ...row, usage }))
    const { look } = scripted({ rows: [user(KEY), recovery, ...own, answer('r1', 'late')] })
    expect(decide(await look(), KEY, true)).toMatchObject({ kind: 'settle', text: 'late', usage: { outputTokens: 150 } })
  })

  it('reads to the beginning before it says that nothing is known', async () => {
    const { asked, look } = scripted({ rows: [...steps(2500, 'x'), user('x')] })
    const seen = await look()
    expect(seen).toMatchObject({ complete: true })
    expect(seen.rows).toHaveLength(2501)
    expect(asked.map(({ limit, offset }) => [limit, offset])).toEqual([
      [100, undefined],
      [1000, 100],
      [1000, 1100],
      [1000, 2100],
    ])
  })

  it('short answers (a limit in bytes) lose no rows', async () => {
    const { look } = scripted({ rows: [user(KEY), ...steps(200, KEY)], mostRows: 30 })
    expect((await look()).rows).toHaveLength(201)
  })

  it('rows written in between are not counted twice', async () => {
    const { look } = scripted({ rows: [user(KEY), ...steps(1500, KEY)], growth: steps(7, KEY) })
    expect((await look()).rows).toHaveLength(1501)
  })

  it('stops at its limit and says that there is more', async () => {
    const { asked, look } = scripted({ rows: steps(20_000, 'x'), live: 'x' })
    const seen = await look()
    expect(seen.complete).toBe(false)
    expect(asked.length).toBeLessThan(15)
    expect(decide(seen, KEY, true)).toEqual({ kind: 'wait', runId: 'x' })
  })

  it('does not mix the rows of two gateway processes', async () => {
    const { look } = scripted({ rows: [user(KEY), ...steps(1500, KEY)], boots: ['b1', 'b2'] })
    await expect(look()).rejects.toMatchObject({ code: 'GATEWAY_DISCONNECTED', class: 'retryable', ended: false })
  })

  it('pages that do not advance are an error, not a loop', async () => {
    const stuck = { messages: [], hasMore: true, nextOffset: 5 }
    const client = { request: () => Promise.resolve({ payload: stuck, bootId: 'b' }) } as unknown as Client
    await expect(createGateway(client).history('agent:a:s', [KEY], AbortSignal.timeout(5000))).rejects.toMatchObject({
      code: 'GATEWAY_PROTOCOL',
      ended: false,
    })
  })
})
