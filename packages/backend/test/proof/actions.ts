/**
 * What may happen in a history, as plain data: indices count into whatever is there when the action is performed, so that a history
 * can be shortened and replayed.
 */
import fc from 'fast-check'

export const MENTIONS = ['', '@engineer ', '@qa ', '@engineer @qa ', '@all ', '@cy ', '@third '] as const
export const MOVES = ['inbox', 'assigned', 'in_progress', 'review', 'done', 'blocked', 'archived'] as const
/** From within a backoff to beyond a turn's hard deadline, in ms. */
export const PAUSES = [1, 2_500, 12_000, 50_000, 200_000, 1_000_000] as const

export type Action = { readonly defer: boolean } & (Deed | Race)
type N = number
export type Deed =
  | { readonly do: 'post'; readonly who: N; readonly task: N; readonly mention: N; readonly key: boolean }
  /** Somebody writes while an agent is at work on the task. */
  | { readonly do: 'interrupt'; readonly runtime: N; readonly item: N }
  | { readonly do: 'edit'; readonly message: N; readonly mention: N }
  | { readonly do: 'delete'; readonly message: N }
  | { readonly do: 'assign'; readonly task: N; readonly agent: N; readonly person: boolean }
  | { readonly do: 'unassign'; readonly task: N; readonly agent: N }
  | { readonly do: 'move'; readonly task: N; readonly to: N }
  | { readonly do: 'label'; readonly task: N; readonly labels: readonly string[] }
  | { readonly do: 'newTask'; readonly agent: N }
  | { readonly do: 'stop'; readonly task: N; readonly button: boolean }
  | { readonly do: 'pause' | 'resume' | 'deleteAgent' | 'newSlug'; readonly agent: N }
  | { readonly do: 'newAgent' }
  | { readonly do: 'pauseAll' | 'resumeAll' }
  | { readonly do: 'cap'; readonly turns: N | null; readonly agent: N | null }
  | { readonly do: 'redrive'; readonly item: N }
  | { readonly do: 'hello'; readonly runtime: N; readonly restart: boolean }
  | { readonly do: 'claim'; readonly runtime: N; readonly mask: N; readonly lost: boolean }
  | { readonly do: 'settle'; readonly runtime: N; readonly item: N; readonly reply: boolean; readonly twice: boolean }
  | { readonly do: 'fail'; readonly runtime: N; readonly item: N; readonly kind: N; readonly ended: boolean }
  | { readonly do: 'release'; readonly runtime: N; readonly item: N; readonly ended: boolean }
  | { readonly do: 'stale'; readonly past: N; readonly call: N }
  | { readonly do: 'checkIn'; readonly runtime: N; readonly forget: N }
  | { readonly do: 'goOffline'; readonly runtime: N }
  | { readonly do: 'heartbeat'; readonly runtime: N; readonly agent: N }
  | { readonly do: 'tool'; readonly runtime: N; readonly item: N; readonly tool: N; readonly task: N }
  | { readonly do: 'read'; readonly who: N; readonly all: boolean }
  | { readonly do: 'wait'; readonly ms: N }

/** Deeds that meet too seldom by chance: in forty histories one update was at work when somebody wrote. */
export type Race =
  /** Somebody stops the task that an agent is at work on. Its answer comes all the same, now or later. */
  | { readonly do: 'stopAtWork'; readonly item: N; readonly button: boolean; readonly settle: boolean }
  /** A claim is lost and its item claimed again; then the first owner calls. */
  | { readonly do: 'takeOver'; readonly item: N; readonly how: 'orphan' | 'lapse'; readonly call: N }
  /** Somebody writes while an agent reads what was written before, or just after it gave that back. */
  | { readonly do: 'writeOn'; readonly task: N; readonly settle: boolean; readonly giveBack: boolean }

const n = fc.nat({ max: 7 })
/** Mostly the first, so that things meet in one lane. */
const first = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 4, arbitrary: n })
const mention = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 6, arbitrary: fc.nat({ max: 6 }) })
const yes = fc.boolean()
/** True once in five. */
const rarely = fc.nat({ max: 4 }).map((k) => k === 4)
const runtime = fc.nat({ max: 3 }).map((k) => (k === 3 ? 1 : 0))
const deed = <T extends (Deed | Race)['do']>(name: T, fields: object) =>
  fc.record({ do: fc.constant(name), ...fields }) as fc.Arbitrary<Deed | Race>

const deeds = fc.oneof(
  { weight: 16, arbitrary: deed('post', { who: n, task: first, mention, key: rarely }) },
  { weight: 14, arbitrary: deed('claim', { runtime, mask: fc.nat({ max: 255 }), lost: rarely }) },
  { weight: 18, arbitrary: deed('settle', { runtime, item: n, reply: fc.nat({ max: 3 }).map((k) => k > 0), twice: rarely }) },
  { weight: 7, arbitrary: deed('fail', { runtime, item: n, kind: n, ended: yes }) },
  { weight: 3, arbitrary: deed('release', { runtime, item: n, ended: yes }) },
  { weight: 6, arbitrary: deed('interrupt', { runtime, item: n }) },
  { weight: 3, arbitrary: deed('stopAtWork', { item: n, button: yes, settle: yes }) },
  { weight: 3, arbitrary: deed('takeOver', { item: n, how: fc.constantFrom('orphan', 'orphan', 'lapse'), call: n }) },
  { weight: 3, arbitrary: deed('writeOn', { task: first, settle: yes, giveBack: yes }) },
  { weight: 6, arbitrary: deed('stale', { past: fc.nat({ max: 20 }), call: n }) },
  { weight: 7, arbitrary: deed('wait', { ms: fc.nat({ max: 5 }) }) },
  { weight: 4, arbitrary: deed('checkIn', { runtime, forget: fc.nat({ max: 3 }) }) },
  { weight: 3, arbitrary: deed('hello', { runtime, restart: rarely }) },
  { weight: 1, arbitrary: deed('goOffline', { runtime }) },
  { weight: 3, arbitrary: deed('heartbeat', { runtime, agent: n }) },
  { weight: 4, arbitrary: deed('tool', { runtime, item: n, tool: n, task: n }) },
  { weight: 5, arbitrary: deed('assign', { task: first, agent: first, person: rarely }) },
  { weight: 2, arbitrary: deed('unassign', { task: n, agent: n }) },
  { weight: 3, arbitrary: deed('move', { task: first, to: fc.nat({ max: 6 }) }) },
  { weight: 1, arbitrary: deed('label', { task: n, labels: fc.subarray(['bug', 'ui', 'api']) }) },
  { weight: 1, arbitrary: deed('newTask', { agent: n }) },
  { weight: 3, arbitrary: deed('edit', { message: n, mention: fc.nat({ max: 6 }) }) },
  { weight: 2, arbitrary: deed('delete', { message: n }) },
  { weight: 2, arbitrary: deed('stop', { task: first, button: yes }) },
  { weight: 2, arbitrary: deed('pause', { agent: n }) },
  { weight: 3, arbitrary: deed('resume', { agent: n }) },
  { weight: 1, arbitrary: deed('deleteAgent', { agent: n }) },
  { weight: 1, arbitrary: deed('newSlug', { agent: n }) },
  { weight: 1, arbitrary: deed('newAgent', {}) },
  { weight: 1, arbitrary: deed('pauseAll', {}) },
  { weight: 2, arbitrary: deed('resumeAll', {}) },
  { weight: 2, arbitrary: deed('cap', { turns: fc.option(fc.nat({ max: 4 }), { freq: 2 }), agent: fc.option(n, { freq: 1 }) }) },
  { weight: 3, arbitrary: deed('redrive', { item: n }) },
  { weight: 1, arbitrary: deed('read', { who: n, all: yes }) },
)

const action = fc.tuple(deeds, rarely).map(([one, defer]): Action => ({ ...one, defer }))

/** @param length of each history, give or take a half */
export const histories = (length: number): fc.Arbitrary<Action[]> =>
  fc.array(action, { minLength: Math.floor(length / 2), maxLength: Math.ceil(length * 1.5), size: 'max' })
