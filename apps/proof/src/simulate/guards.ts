/**
 * The test of the test: guards of the product, each broken by one replacement in its source. The simulation must find every one of them.
 * A replacement that does not fit its file exactly once is an error, so that the list cannot rot.
 */
export interface Guard {
  /** What is broken, as `--guard` takes it. */
  readonly name: string
  /** From the root of the repository. */
  readonly file: string
  readonly find: string
  readonly replace: string
  /** A seed known to find it in `GUARD_STEPS` steps; the test tries it first. */
  readonly seed: number
}

/** Steps of each seed, and seeds of a full search. */
export const GUARD_STEPS = 300
export const GUARD_SEEDS = 300

const RULES = 'packages/shared/src/lanes/guards.ts'
const TRANSITION = 'packages/shared/src/lanes/transition.ts'
const RUNTIMES = 'packages/backend/convex/model/runtimes.ts'

export const GUARDS: readonly Guard[] = [
  {
    name: 'fence-check',
    file: RULES,
    find: "item.state === 'claimed' && item.fence === fence",
    replace: "item.state === 'claimed'",
    seed: 2,
  },
  {
    name: 'settle-replay',
    file: RULES,
    find: 'isTerminal(item) && item.fence === fence',
    replace: 'isTerminal(item) && item.fence === fence + 0.5',
    seed: 3,
  },
  {
    name: 'take-over-at-once',
    file: RUNTIMES,
    find: 'if (active && active.instanceId !== who.instanceId && active.leaseUntil > now())',
    replace: 'if (active && active.leaseUntil > now())',
    seed: 1,
  },
  {
    name: 'living-lease',
    file: RUNTIMES,
    find: 'if (active && active.instanceId !== who.instanceId && active.leaseUntil > now())',
    replace: 'if (active && active.instanceId !== who.instanceId && active.leaseUntil > now() + 1e9)',
    seed: 8,
  },
  {
    name: 'take-over-lapses-claims',
    file: RUNTIMES,
    find: 'if (item.claimedBy === runtime.epoch) await applyEvent(ctx, item, lapseOf(why))',
    replace: '',
    seed: 1,
  },
  {
    name: 'active-runtime-only',
    file: 'packages/backend/convex/model/signals.ts',
    find: "runtime?.role === 'active' && runtime.epoch === epoch ? runtime : null",
    replace: "runtime?.role === 'active' ? runtime : null",
    seed: 10,
  },
  {
    name: 'goodbye',
    file: RUNTIMES,
    find: "await applyEvent(ctx, item, { type: 'release', fence: item.fence, ended: false })",
    replace: '',
    seed: 34,
  },
  {
    name: 'lapse-cron',
    file: 'packages/backend/convex/model/lapse.ts',
    find: "lt('leaseUntil', now())",
    replace: "lt('leaseUntil', 0)",
    seed: 1,
  },
  {
    name: 'orphan-return',
    file: RULES,
    find: "item.state === 'claimed' && item.claimedBy === epoch",
    replace: 'item.claimedBy === epoch + 0.5',
    seed: 2,
  },
  {
    name: 'orphan-age',
    file: RULES,
    find: 'item.claimedAt < now - ORPHAN_MS',
    replace: 'item.claimedAt < now',
    seed: 1,
  },
  {
    name: 'orphan-costs-nothing',
    file: TRANSITION,
    find: 'retry({ ...item, ...giveBack(item) }, now, now',
    replace: 'retry({ ...item }, now, now',
    seed: 2,
  },
  {
    name: 'release-costs-nothing',
    file: TRANSITION,
    find: '{ ...item, ...giveBack(item), ...ended(item, event.ended) }',
    replace: '{ ...item, ...ended(item, event.ended) }',
    seed: 1,
  },
  {
    name: 'promote-next',
    file: TRANSITION,
    find: "why: 'dead' }] as const) : []),\n    { type: 'followUp' },\n    { type: 'promoteNext' },",
    replace: "why: 'dead' }] as const) : []),\n    { type: 'followUp' },",
    seed: 2,
  },
  {
    name: 'first-in-first-out',
    file: 'packages/backend/convex/model/enqueue.ts',
    find: ".eq('state', 'queued'))\n    .first()",
    replace: ".eq('state', 'queued'))\n    .order('desc').first()",
    seed: 1,
  },
  {
    name: 'effects-order',
    file: TRANSITION,
    find: "    { type: 'vacate' },\n    { type: 'followUp' },\n    { type: 'promoteNext' },",
    replace: "    { type: 'vacate' },\n    { type: 'promoteNext' },\n    { type: 'followUp' },",
    seed: 1,
  },
  {
    name: 'journal',
    file: TRANSITION,
    find: 'claimedAt: null, turn, turnOpen, attempts, reason }, [run])',
    replace: 'claimedAt: null, turn, turnOpen, attempts, reason }, [])',
    seed: 1,
  },
  {
    name: 'new-key-after-the-end',
    file: TRANSITION,
    find: '(done ? { turn: item.turn + 1, turnOpen: false } : {})',
    replace: '(done ? { turnOpen: false } : {})',
    seed: 1,
  },
  {
    name: 'open-key-is-kept',
    file: TRANSITION,
    find: '(done ? { turn: item.turn + 1, turnOpen: false } : {})',
    replace: '({ turn: item.turn + 1, turnOpen: false || !done })',
    seed: 1,
  },
  {
    name: 'backoff',
    file: TRANSITION,
    find: 'Math.max(backoffMs(item.attempts, event.random, policy), event.retryAfterMs)',
    replace: '0',
    seed: 2,
  },
  {
    name: 'look-before-resend',
    file: 'packages/openclaw/src/turn/run.ts',
    find: "request.reconcile === true ? await lookOrAnswer(deps, request, false, signal) : { kind: 'send' }",
    replace: "{ kind: 'send' }",
    seed: 1,
  },
  {
    name: 'answer-counts',
    file: 'packages/openclaw/src/turn/decide.ts',
    find: "if (answer !== undefined) return { kind: 'settle', text: answer.text, usage: sumUsage(rows) }",
    replace: '',
    seed: 1,
  },
  {
    name: 'coalescing',
    file: RULES,
    find: "(tail.state === 'queued' || tail.state === 'ready') && tail.fence === 0",
    replace: "(tail.state === 'queued' || tail.state === 'ready')",
    seed: 44,
  },
  { name: 'stop', file: RULES, find: 'item.stopAt !== null || lane.closed !== null', replace: 'lane.closed !== null', seed: 2 },
  {
    name: 'stopped-tools',
    file: 'packages/backend/convex/model/turnScope.ts',
    find: "if (item.stopAt !== null) refuse('STALE_FENCE', 'The turn was stopped. Do nothing more in it.')",
    replace: '',
    seed: 6,
  },
  {
    name: 'depth-cap',
    file: 'packages/backend/convex/model/enqueue.ts',
    find: 'delivery.depth > LIMITS.depth',
    replace: 'delivery.depth > LIMITS.depth + 100',
    seed: 18,
  },
  {
    name: 'attempts-cap',
    file: RULES,
    find: 'item.attempts >= policy.attempts',
    replace: 'item.attempts > policy.attempts',
    seed: 9,
  },
  {
    name: 'effects-once',
    file: 'packages/backend/convex/model/effects.ts',
    find: 'rows.find((row) => row.pass !== pass)',
    replace: 'rows.find((row) => row.pass === `${pass} never`)',
    seed: 2,
  },
  {
    name: 'tool-call-replay',
    file: 'packages/backend/convex/model/effects.ts',
    find: 'rows.find((row) => row.callId === callId)',
    replace: 'rows.find((row) => row.callId === `${callId} never`)',
    seed: 3,
  },
  {
    name: 'paused-agents',
    file: 'packages/backend/convex/model/claim.ts',
    find: "if (agent.paused) return { type: 'hold', hold: HOLD_PAUSED }",
    replace: '',
    seed: 2,
  },
  {
    name: 'open-turns-count',
    file: 'packages/backend/convex/model/setBudgets.ts',
    find: 'if (!run || run.turnCounted) continue',
    replace: 'if (run !== undefined) continue',
    seed: 4,
  },
  {
    name: 'budget-cap',
    file: 'packages/backend/convex/model/claim.ts',
    find: 'if (over) {',
    replace: 'if (over && over.until < 0) {',
    seed: 17,
  },
  {
    name: 'heartbeat-once',
    file: TRANSITION,
    find: "if (!policy.retries) return finish('skipped', after.reason ?? run.outcome, now, run, after)",
    replace: '',
    seed: 9,
  },
  {
    name: 'heartbeat-waits-for-lane',
    file: 'packages/backend/convex/model/heartbeat.ts',
    find: "if (lane.activeId !== null) return { skip: 'lane_busy' }",
    replace: '',
    seed: 1,
  },
  {
    name: 'post-key',
    file: 'packages/backend/convex/messages.ts',
    find: 'if (known) return known.taskId',
    replace: 'if (known?.taskId === null) return known.taskId',
    seed: 2,
  },
]

/** Whether the thread must load it broken; all others are in the backend's functions, which are built. */
export const isInRuntime = ({ file }: Guard): boolean => !/^packages\/(backend|shared)\//.test(file)

/** @throws when the text to replace does not stand in the source exactly once */
export function broken(source: string, { name, file, find, replace }: Guard): string {
  const parts = source.split(find)
  if (parts.length !== 2)
    throw new Error(`guard "${name}": its text stands ${parts.length - 1} times in ${file}; adapt src/simulate/guards.ts`)
  return parts.join(replace)
}
