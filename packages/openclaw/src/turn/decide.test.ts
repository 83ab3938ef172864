import { describe, expect, it } from 'vitest'
import type { HistoryRow, HistorySnapshot } from '../gateway.ts'
import type { Action } from './decide.ts'
import { decide, isIdle, turnUsage } from './decide.ts'

const KEY = 'd1.1'
const row = (role: string, rest: Partial<HistoryRow>): HistoryRow => ({
  role,
  inputKey: null,
  runId: null,
  text: '',
  stopReason: null,
  usage: null,
  ...rest,
})
const user = (inputKey = KEY, text = 'do it') => row('user', { inputKey, text })
const recovery = (inputKey: string) => user(inputKey, '[System] Your previous turn was interrupted by a gateway restart')
const answer = (text = 'done', runId = KEY, stopReason = 'stop') => row('assistant', { runId, text, stopReason })
const step = (runId = KEY) => row('assistant', { runId, stopReason: 'toolUse' })
const spoiled = () => row('assistant', { runId: KEY, text: 'failed before producing', stopReason: 'error' })
const snapshot = (rows: readonly HistoryRow[], rest: Partial<HistorySnapshot> = {}): HistorySnapshot => ({
  rows,
  complete: true,
  pending: [],
  receipts: [],
  status: 'done',
  hasActiveRun: false,
  liveRunId: null,
  bootId: 'b',
  ...rest,
})
const live = (liveRunId: string | null) => ({ hasActiveRun: true, liveRunId, status: 'running' })
const pendingRecovery = { status: 'running', hasActiveRun: false }

const settle = (text: string) => ({ kind: 'settle', text }) as const

interface Case {
  readonly name: string
  readonly seen: HistorySnapshot
  readonly probed?: boolean
  readonly expected: Partial<Action>
}

const CASES: readonly Case[] = [
  { name: 'no trace at all', seen: snapshot([]), expected: { kind: 'send' } },
  { name: 'no trace of ours behind another turn', seen: snapshot([user('x'), answer('other', 'x')]), expected: { kind: 'send' } },
  { name: 'no trace of ours while another run is live', seen: snapshot([user('x')], live('x')), expected: { kind: 'send' } },
  {
    name: 'a recovery is live whose turn began before the rows read',
    seen: snapshot([step('r1'), step('r1')], { ...live('r1'), complete: false }),
    expected: { kind: 'wait', runId: 'r1' },
  },
  {
    name: 'the same, the wait having been asked',
    seen: snapshot([step('r1'), step('r1')], { ...live('r1'), complete: false }),
    probed: true,
    expected: { kind: 'wait', runId: 'r1' },
  },
  {
    name: 'our own run is live and its turn began before the rows read',
    seen: snapshot([step()], { ...live(KEY), complete: false }),
    expected: { kind: 'wait', runId: KEY },
  },
  {
    name: 'answered, its turn having begun before the rows read, another turn live',
    seen: snapshot([answer(), user('x')], { ...live('x'), complete: false }),
    expected: settle('done'),
  },
  {
    name: 'interrupted input behind a long turn',
    seen: snapshot([step('x')], { ...live('x'), complete: false, pending: [{ runId: KEY, state: 'interrupted' }] }),
    expected: { kind: 'spent' },
  },
  {
    name: 'no trace in the rows read, nothing live',
    seen: snapshot([step('x'), answer('other', 'x')], { complete: false }),
    expected: { kind: 'send' },
  },
  { name: 'queued', seen: snapshot([], { pending: [{ runId: KEY, state: 'queued' }] }), expected: { kind: 'wait', runId: KEY } },
  { name: 'interrupted', seen: snapshot([], { pending: [{ runId: KEY, state: 'interrupted' }] }), expected: { kind: 'spent' } },
  { name: 'cancelled', seen: snapshot([], { pending: [{ runId: KEY, state: 'cancelled' }] }), expected: { kind: 'spent' } },
  {
    name: 'interrupted input of somebody else',
    seen: snapshot([], { pending: [{ runId: 'x', state: 'interrupted' }] }),
    expected: { kind: 'send' },
  },
  { name: 'begun, its row not written yet', seen: snapshot([], live(KEY)), expected: { kind: 'wait', runId: KEY } },
  { name: 'answered', seen: snapshot([user(), answer()]), expected: settle('done') },
  { name: 'answered up to the length limit', seen: snapshot([user(), answer('long', KEY, 'length')]), expected: settle('long') },
  { name: 'answered with nothing', seen: snapshot([user(), answer('')]), expected: settle('') },
  { name: 'answered after tool calls', seen: snapshot([user(), step(), answer()]), expected: settle('done') },
  { name: 'answered, then spoiled by a second send', seen: snapshot([user(), answer(), spoiled()]), expected: settle('done') },
  {
    name: 'answered, a later turn follows',
    seen: snapshot([user(), answer(), user('x'), answer('other', 'x')]),
    expected: settle('done'),
  },
  { name: 'answer whose user row is out of sight', seen: snapshot([answer()]), expected: settle('done') },
  { name: 'unanswered, not asked yet', seen: snapshot([user()]), expected: { kind: 'probe' } },
  { name: 'ours is live, not asked yet', seen: snapshot([user()], live(KEY)), expected: { kind: 'probe' } },
  { name: 'ours is live', seen: snapshot([user()], live(KEY)), probed: true, expected: { kind: 'wait', runId: KEY } },
  {
    name: 'a run without a name is live',
    seen: snapshot([user()], live(null)),
    probed: true,
    expected: { kind: 'wait', runId: KEY },
  },
  { name: 'a recovery is live', seen: snapshot([user()], live('r1')), expected: { kind: 'wait', runId: 'r1' } },
  {
    name: 'a recovery is live with its row',
    seen: snapshot([user(), recovery('r1')], live('r1')),
    expected: { kind: 'wait', runId: 'r1' },
  },
  { name: 'recovered', seen: snapshot([user(), recovery('r1'), answer('late', 'r1')]), expected: settle('late') },
  {
    name: 'recovered at the second try',
    seen: snapshot([user(), recovery('r1'), recovery('r2'), answer('late', 'r2')]),
    expected: settle('late'),
  },
  {
    name: 'recovered, then sent again after all',
    seen: snapshot([user(), recovery('r1'), answer('late', 'r1'), spoiled()]),
    expected: settle('late'),
  },
  {
    name: 'recovered with an empty answer',
    seen: snapshot([user(), recovery('r1'), answer('', 'r1')]),
    probed: true,
    expected: { kind: 'failed' },
  },
  {
    name: 'recovery ended without an answer',
    seen: snapshot([user(), recovery('r1')]),
    probed: true,
    expected: { kind: 'failed' },
  },
  {
    name: 'the recovery was interrupted too and will start again',
    seen: snapshot([user(), recovery('r1')], pendingRecovery),
    probed: true,
    expected: { kind: 'pause' },
  },
  { name: 'interrupted, recovery pending', seen: snapshot([user()], pendingRecovery), probed: true, expected: { kind: 'send' } },
  {
    name: 'interrupted after a tool result, recovery pending',
    seen: snapshot([user(), step()], pendingRecovery),
    probed: true,
    expected: { kind: 'send' },
  },
  { name: 'unanswered and idle', seen: snapshot([user()], { status: 'killed' }), probed: true, expected: { kind: 'send' } },
  {
    name: 'ended with an error row',
    seen: snapshot([user(), spoiled()], { status: 'failed' }),
    probed: true,
    expected: { kind: 'failed' },
  },
  {
    name: 'an error row while a recovery is pending',
    seen: snapshot([user(), spoiled()], pendingRecovery),
    probed: true,
    expected: { kind: 'send' },
  },
  {
    name: 'superseded by a later turn',
    seen: snapshot([user(), step(), user('x'), answer('other', 'x')]),
    probed: true,
    expected: { kind: 'failed' },
  },
  {
    name: 'the answer of a later turn is not ours',
    seen: snapshot([user(), step(), user('x'), recovery('r1'), answer('other', 'r1')]),
    probed: true,
    expected: { kind: 'failed' },
  },
]

describe('decide', () => {
  it.each(CASES)('$name -> $expected.kind', ({ seen, probed, expected }) => {
    expect(decide(seen, KEY, probed ?? false)).toMatchObject(expected)
  })

  it('never sends a key that has an answer, whatever else the gateway says', () => {
    const states = [
      {},
      pendingRecovery,
      live('r9'),
      live(KEY),
      { status: 'failed' },
      { pending: [{ runId: KEY, state: 'cancelled' }] },
    ]
    for (const state of states) {
      for (const probed of [true, false])
        expect(decide(snapshot([user(), answer(), spoiled()], state), KEY, probed).kind).toBe('settle')
    }
  })

  it('sums the usage of the turn and of nothing else', () => {
    const usage = { inputTokens: 10, outputTokens: 2, cacheReadTokens: 1, cacheWriteTokens: 0, costUsd: 0.5, model: 'p/m' }
    const rows = [user('x'), { ...answer('other', 'x'), usage }, user(), { ...step(), usage }, { ...answer(), usage }]
    expect(turnUsage(snapshot(rows), KEY)).toEqual({ ...usage, inputTokens: 20, outputTokens: 4, cacheReadTokens: 2, costUsd: 1 })
    expect(turnUsage(snapshot([]), KEY)).toBeNull()
  })

  it('is idle only without a run and without one to come', () => {
    expect(isIdle(snapshot([]))).toBe(true)
    expect(isIdle(snapshot([], pendingRecovery))).toBe(false)
    expect(isIdle(snapshot([], live('x')))).toBe(false)
  })
})
