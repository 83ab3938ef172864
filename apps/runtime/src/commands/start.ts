/** `start`: runs until told to stop. A restart asked for through the backend happens in this process. */
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { toBrainError } from '../brain/errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import { FolderError } from '@mission-control/host/folder-lock'
import { EXIT } from '@mission-control/shared/exit-codes'
import { PortError } from '../http/port-error.ts'
import { createRedactor, secretsOf } from '../redact.ts'
import { createRuntime } from '../runtime.ts'
import type { CommandIo, CommonOptions } from './context.ts'
import { configOf, environmentOf, logFor, reportConfigError } from './context.ts'

/** Beyond STOP_TIMEOUT nothing is waited for. */
const OVERDUE = Symbol('overdue')

/** What another process holds may be free in a moment, so that trying again helps; a wrong path or address it does not. */
function exitOf(error: FolderError | PortError): number {
  if (error instanceof PortError) return error.isTaken ? EXIT.failed : EXIT.configuration
  return error.code === 'FOLDER_IN_USE' ? EXIT.failed : EXIT.configuration
}

/** @returns the exit code */
export async function start(options: CommonOptions, io: CommandIo): Promise<number> {
  for (;;) {
    let loaded: LoadedConfig
    let env
    try {
      env = environmentOf(io, options)
      loaded = configOf(env, io)
    } catch (error) {
      return reportConfigError(error, io)
    }
    const { config, warnings } = loaded
    const redactor = createRedactor(secretsOf(config))
    const log = logFor(config.logLevel, io, redactor)
    for (const warning of warnings) log.warn({}, warning)
    const runtime = createRuntime(config, { clock: systemClock, random: systemRandom, log, env, redactor })
    try {
      await runtime.start()
    } catch (error) {
      if (!(error instanceof FolderError || error instanceof PortError)) throw error
      io.error(error.message)
      return exitOf(error)
    }
    const overdue = Promise.withResolvers<typeof OVERDUE>()
    const onStop = () => {
      void runtime.stop()
      void systemClock.sleep(config.stopTimeoutMs).then(() => overdue.resolve(OVERDUE))
    }
    if (io.stop.aborted) onStop()
    else io.stop.addEventListener('abort', onStop, { once: true })
    try {
      const outcome = await Promise.race([runtime.done, overdue.promise])
      if (outcome === OVERDUE) {
        io.error(
          `The stop took longer than STOP_TIMEOUT (${config.stopTimeoutMs} ms); whatever was left is recovered from the leases.`,
        )
        return EXIT.failed
      }
      if (outcome === 'stopped' || io.stop.aborted) return EXIT.ok
    } catch (thrown) {
      const error = toBrainError(thrown)
      if (error.kind !== 'refused') throw thrown
      io.error(`The backend refused this runtime: ${error.message} ${error.whatToDo}`)
      return error.code === 'TOKEN_REFUSED' ? EXIT.authentication : EXIT.failed
    } finally {
      io.stop.removeEventListener('abort', onStop)
    }
  }
}
