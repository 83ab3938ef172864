/**
 * Structured lines on stdout, pretty on a terminal. Whatever a line carries, secrets never leave the process, and no escape sequence
 * reaches the terminal that shows it.
 */
import { forTerminal } from '@mission-control/shared/unseen'
import pino from 'pino'
import pretty from 'pino-pretty'
import type { Log } from './log.ts'
import type { Redactor } from './redact.ts'

export interface LogOptions {
  readonly level: string
  /** Wall clock, ms. */
  readonly now: () => number
  readonly colour: boolean
  /** False: JSON lines. */
  readonly pretty: boolean
  readonly redactor: Redactor
}

const SECRET_NAMES = ['serviceToken', 'token', 'apiKey', 'authorization', 'args']
const SECRET_PATHS = SECRET_NAMES.flatMap((name) => [name, `*.${name}`])

/** An Error has no fields of its own that JSON would show. */
const errorFields = (error: unknown): unknown =>
  error instanceof Error ? { name: error.name, message: error.message, stack: error.stack } : error

/** A line whose texts stand in it as they are to be shown: what makes lines pretty takes one escape off. */
const escapedTwice = (line: string): string =>
  `${JSON.stringify(JSON.parse(line, (_key, value: unknown) => (typeof value === 'string' ? forTerminal(value) : value)))}\n`

export function createLog(
  { level, now, colour, pretty: isPretty, redactor }: LogOptions,
  out: NodeJS.WritableStream = process.stdout,
): Log {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_PATHS, censor: '***' },
    serializers: { error: errorFields },
    hooks: { streamWrite: (line: string) => (isPretty ? escapedTwice : forTerminal)(redactor.redact(line)) },
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
