/**
 * A Brain whose settles travel together while many turns end at once. A settle goes out by itself as long as no other one is on its
 * way; those that come meanwhile share the next call, so that nobody waits for company that may not come.
 *
 * States: idle -> on its way (one settle or several) -> idle | on its way with what came meanwhile.
 * One call that hangs holds nobody up for longer than `PATIENCE_MS`. Each settle keeps its own answer: its fence is its own, and a
 * shared call that the backend fails as a whole is taken apart, so that none suffers from another's content.
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { Clock } from '@mission-control/shared/clock'
import type { SettledOne, SettleResult } from '@mission-control/shared/service-contract'
import type { Brain, BrainArgs } from './brain.ts'
import { BrainError, toBrainError } from './errors.ts'
import { service } from '../service.ts'

/** Longer than a call ever takes when all is well, shorter than anybody would call a hang. */
const PATIENCE_MS = 500
/** UTF-16 units of reply in one shared call: a request may have 16 MiB, and a longer reply is worth a call of its own. */
const CHARS_TOGETHER = 500_000

type Settle = BrainArgs<typeof service.settle>
interface Waiting {
  readonly args: Settle
  readonly signal: AbortSignal | undefined
  readonly answer: PromiseWithResolvers<SettleResult>
}

export function settlingTogether<B extends Brain>(brain: B, clock: Clock): B {
  const queue: Waiting[] = []
  let onItsWay = false

  async function settle(args: Settle, signal: AbortSignal | undefined): Promise<SettleResult> {
    signal?.throwIfAborted()
    const one: Waiting = { args, signal, answer: Promise.withResolvers() }
    queue.push(one)
    const leave = () => {
      const at = queue.indexOf(one)
      if (at >= 0) queue.splice(at, 1)
      one.answer.reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', leave, { once: true })
    if (!onItsWay) void sendAll()
    try {
      return await one.answer.promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }

  async function sendAll(): Promise<void> {
    onItsWay = true
    while (queue.length > 0) {
      const answered = new AbortController()
      const patience = clock.sleep(PATIENCE_MS, answered.signal).catch(() => undefined)
      await Promise.race([send(takeTogether(queue)), patience])
      answered.abort('answered')
    }
    onItsWay = false
  }

  async function send(together: readonly Waiting[]): Promise<void> {
    const [first] = together
    if (first !== undefined && together.length === 1) return sendAlone(first)
    const allGone = new AbortController()
    const look = () => {
      if (together.every(({ signal }) => signal?.aborted)) allGone.abort(first?.signal?.reason)
    }
    for (const { signal } of together) signal?.addEventListener('abort', look, { once: true })
    try {
      const results = await brain.mutate(service.settleMany, { settles: together.map(({ args }) => args) }, allGone.signal)
      for (const [n, { answer }] of together.entries()) answerWith(answer, results[n])
    } catch (thrown) {
      if (mayBeOnes(thrown)) await Promise.all(together.map(sendAlone))
      else for (const { answer } of together) answer.reject(thrown)
    } finally {
      for (const { signal } of together) signal?.removeEventListener('abort', look)
    }
  }

  async function sendAlone({ args, signal, answer }: Waiting): Promise<void> {
    await brain.mutate(service.settle, args, signal).then(answer.resolve, answer.reject)
  }

  return {
    ...brain,
    mutate: (fn, args, signal) =>
      // The type of `fn` is a parameter here, so that the compiler cannot see what the comparison says about `args` and the answer.
      (fn as unknown) === service.settle ? settle(args as unknown as Settle, signal) : brain.mutate(fn, args, signal),
  }
}

/** The first of the queue and as many of the next as may go with it. */
function takeTogether(queue: Waiting[]): Waiting[] {
  const size = ({ args }: Waiting) => args.reply?.length ?? 0
  let chars = 0
  let count = 0
  for (const one of queue.slice(0, LIMITS.settlesTogether)) {
    chars += size(one)
    if (count > 0 && chars > CHARS_TOGETHER) break
    count += 1
  }
  return queue.splice(0, count)
}

function answerWith(answer: PromiseWithResolvers<SettleResult>, result: SettledOne | undefined): void {
  if (result === undefined)
    answer.reject(new BrainError('server', 'CONVEX_UNREACHABLE', 'The backend did not answer each settle.'))
  else if ('settled' in result) answer.resolve(result.settled)
  else answer.reject(new BrainError('refused', result.refused.code, result.refused.message))
}

/** The fault may lie in a single one of them: with no answer at all it does not. A backend that is older knows no shared call. */
const mayBeOnes = (thrown: unknown): boolean => {
  const { kind, code } = toBrainError(thrown)
  return kind === 'server' || kind === 'invalid' || (kind === 'refused' && code !== 'TOKEN_REFUSED')
}
