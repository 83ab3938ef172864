/** Structured lines on stdout, pretty on a terminal. Whatever a line carries, service tokens never leave the process. */
import pino from 'pino'
import pretty from 'pino-pretty'
import { redactServiceTokens } from '@mission-control/shared/service-token'
import type { Log } from './log.ts'

export interface LogOptions {
  readonly level: string
  /** Wall clock, ms. */
  readonly now: () => number
  readonly colour: boolean
  /** False: JSON lines. */
  readonly pretty: boolean
}

const SECRET_PATHS = ['serviceToken', 'token', 'apiKey', '*.serviceToken', '*.token', '*.apiKey', 'args', '*.args']

export function createLog(
  { level, now, colour, pretty: isPretty }: LogOptions,
  out: NodeJS.WritableStream = process.stdout,
): Log {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_PATHS, censor: '***' },
    hooks: { streamWrite: redactServiceTokens },
  }
  if (!isPretty) return pino(options, out as pino.DestinationStream)
  return pino(
    options,
    pretty({
      colorize: colour,
      singleLine: true,
      ignore: 'pid,hostname',
      translateTime: 'HH:MM:ss.l',
      destination: out as NodeJS.WriteStream,
    }),
  )
}
