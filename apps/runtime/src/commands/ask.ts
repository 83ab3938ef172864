/** What commands that only ask the backend share: the configuration, a connection for one command, and answers to its refusals. */
import { systemClock } from '@mission-control/host/clock'
import { EXIT } from '@mission-control/shared/exit-codes'
import type { Brain } from '../brain/brain.ts'
import { toBrainError } from '../brain/errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import { createConvexBrain } from '../convex-client.ts'
import type { CommandIo, CommonOptions } from './context.ts'
import { configOf, environmentOf, reportConfigError } from './context.ts'

/**
 * Runs `ask` with a connection to the backend.
 * @returns the exit code
 */
export async function withBackend(
  options: CommonOptions,
  io: CommandIo,
  ask: (brain: Brain, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  let loaded: LoadedConfig
  try {
    loaded = configOf(environmentOf(io, options), io)
  } catch (error) {
    return reportConfigError(error, io)
  }
  const { convexUrl, accountId, serviceToken } = loaded.config
  const brain = createConvexBrain({ url: convexUrl, caller: { accountId, serviceToken }, clock: systemClock })
  try {
    return await ask(brain, io.stop)
  } catch (thrown) {
    const error = toBrainError(thrown)
    io.error(`${error.message} ${error.whatToDo}`)
    if (error.code === 'TOKEN_REFUSED') return EXIT.authentication
    return error.kind === 'unreachable' ? EXIT.unreachable : EXIT.failed
  } finally {
    await brain.close()
  }
}

/**
 * The answer about one delivery.
 * @returns `null` after saying that there is none
 */
export async function aboutDelivery<T>(id: string, io: CommandIo, call: () => Promise<T>): Promise<T | null> {
  try {
    return await call()
  } catch (thrown) {
    const error = toBrainError(thrown)
    if (error.code !== 'NOT_FOUND' && error.code !== 'INVALID') throw error
    io.error(
      `There is no delivery "${id.slice(0, 64)}" in this account: take an id from dead-letters list, sync-once --dry-run or a log line.`,
    )
    return null
  }
}
