/**
 * `ctx.scheduler.runAfter` of the client library adds the delay to the process's clock. The engine's clock may be another one
 * (frozen for the transaction, or a test's), so the delay is added to the execution's own time instead.
 */
import { currentExecution } from './execution.ts'

interface Scheduler {
  runAfter(delayMs: number, ...rest: unknown[]): Promise<unknown>
  runAt(time: number, ...rest: unknown[]): Promise<unknown>
}

export function withEngineTime<Ctx extends { scheduler: unknown }>(ctx: Ctx): Ctx {
  const scheduler = ctx.scheduler as Scheduler
  const runAfter: Scheduler['runAfter'] = async (delayMs, ...rest) => {
    if (typeof delayMs !== 'number') throw new Error('`delayMs` must be a number')
    if (!Number.isFinite(delayMs)) throw new Error('`delayMs` must be a finite number')
    if (delayMs < 0) throw new Error('`delayMs` must be non-negative')
    return scheduler.runAt(currentExecution()!.now() + delayMs, ...rest)
  }
  return { ...ctx, scheduler: { ...scheduler, runAfter } }
}
