/** What the end of a gateway process means. Pure. */
import type { GatewayErrorCode } from '../errors.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  /** The end of its log, for the reasons an exit code does not carry. */
  readonly logTail: string
}

export interface ExitMeaning {
  readonly code: GatewayErrorCode
  readonly message: string
  /** False: starting again cannot help until somebody changes something. */
  readonly restart: boolean
}

/** OpenClaw's exit code for "repair something first" (EX_CONFIG). */
const EX_CONFIG = 78

/** It also uses 78 when a step of its own start-up was interrupted or starved, which another start repairs. */
const STARVED = /refused execution|migration refused/i
const OWNED = /another OpenClaw process owns[^\n]*/i
const PORT_TAKEN = /Port (\d+) is already in use[^\n]*/i
const HOLDER = /\bpid[ =:]*(\d+)/i

export function meaningOf({ code, signal, logTail }: Exit): ExitMeaning {
  if (code === EX_CONFIG && !STARVED.test(logTail)) {
    const owner = OWNED.exec(logTail)?.[0]
    if (owner !== undefined) return { code: 'GATEWAY_STATE_OWNED', message: owner.trim(), restart: false }
    return {
      code: 'GATEWAY_CONFIG_INVALID',
      message: `OpenClaw refused to start (exit 78): ${lastWords(logTail)}`,
      restart: false,
    }
  }
  const taken = PORT_TAKEN.exec(logTail)
  if (code === 1 && taken !== null) {
    const holder = HOLDER.exec(logTail.slice(taken.index))?.[1]
    const by = holder === undefined ? '' : ` by process ${holder}`
    return { code: 'GATEWAY_PORT_TAKEN', message: `port ${taken[1]} is taken${by}`, restart: false }
  }
  const how = signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`
  return { code: 'GATEWAY_START_FAILED', message: `the gateway ended with ${how}: ${lastWords(logTail)}`, restart: true }
}

/** The gateway colours its log. */
const COLOUR = /\u001b\[[0-9;]*m/g
const LAST_WORDS_CHARACTERS = 400

function lastWords(logTail: string): string {
  const text = logTail.replace(COLOUR, '').trim()
  return text === '' ? '(it wrote nothing)' : text.slice(-LAST_WORDS_CHARACTERS)
}
