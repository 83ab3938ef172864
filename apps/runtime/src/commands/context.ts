/** What every command starts from. */
import path from 'node:path'
import { systemClock } from '@mission-control/host/clock'
import type { Env, LoadedConfig } from '../config/load.ts'
import { ConfigError, loadConfig, withEnvFile } from '../config/load.ts'
import { EXIT } from '@mission-control/shared/exit-codes'
import type { Log } from '../log.ts'
import { createLog } from '../pino-log.ts'
import type { Redactor } from '../redact.ts'

export interface CommonOptions {
  readonly envFile?: string
  readonly logLevel?: string
}

export interface CommandIo {
  readonly env: Env
  /** Aborts at the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal
  out(line: string): void
  error(line: string): void
  readonly isTerminal: boolean
  readonly version: string
  /** Folder of this package's package.json. */
  readonly packageRoot: string
}

/** In a checkout, next to package.json; an image sets NODE_ENV and never reads a file. */
function developmentEnvFile(env: Env, packageRoot: string): string | null {
  return env['NODE_ENV'] === 'production' ? null : path.join(packageRoot, '.env')
}

export function environmentOf(io: CommandIo, { envFile, logLevel }: CommonOptions): Env {
  const env =
    envFile === undefined
      ? withEnvFile(io.env, developmentEnvFile(io.env, io.packageRoot), true)
      : withEnvFile(io.env, envFile, false)
  return logLevel === undefined ? env : { ...env, LOG_LEVEL: logLevel }
}

export function configOf(env: Env, io: CommandIo): LoadedConfig {
  return loadConfig(env, io.version)
}

/** @param out stderr for commands whose stdout is their answer */
export function logFor(level: string, io: CommandIo, redactor: Redactor, out: NodeJS.WritableStream = process.stdout): Log {
  return createLog(
    { level, now: () => systemClock.now(), colour: io.isTerminal && !io.env['NO_COLOR'], pretty: io.isTerminal, redactor },
    out,
  )
}

/** Prints what is wrong with the environment, one sentence per line. */
export function reportConfigError(error: unknown, io: CommandIo): number {
  if (!(error instanceof ConfigError)) throw error
  for (const problem of error.problems) io.error(problem)
  return EXIT.configuration
}
