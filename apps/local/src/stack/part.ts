/**
 * One process of the stack: started in a process group of its own, so that Ctrl-C reaches only us and we choose the order in which the
 * parts stop, with its output in a file, so that it outlives us cleanly and its last words can be shown.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Clock } from '@mission-control/shared/clock'
import type { ProcessName } from '@mission-control/host/processes'
import { nameProcess } from '@mission-control/host/processes'

export interface PartOptions {
  readonly name: string
  /** Arguments after the Node binary. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly logFile: string
  readonly clock: Clock
}

export interface PartExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface Part {
  readonly name: string
  readonly process: ProcessName
  readonly exited: Promise<PartExit>
  /** Polls `probe` until it answers something. Rejects when the part ends first, or the signal aborts. */
  ready<T>(probe: (signal: AbortSignal) => Promise<T | null>, signal: AbortSignal): Promise<T>
  /** SIGTERM, then SIGKILL after `graceMs`. Resolves once the process is gone. */
  stop(graceMs: number): Promise<PartExit>
  /** The last lines it wrote. */
  lastWords(): string
}

/** Often enough that readiness is never what one waits for. */
const PROBE_EVERY_MS = 25
const PROBE_TIMEOUT_MS = 2_000
const LAST_LINES = 12

export function startPart({ name, args, env, cwd, logFile, clock }: PartOptions): Part {
  mkdirSync(path.dirname(logFile), { recursive: true })
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(process.execPath, args, { cwd, env, detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  const exited = new Promise<PartExit>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  exited.catch(() => undefined) // whoever waits for it sees the error; nobody waiting must not end the process
  if (child.pid === undefined) throw new Error(`The ${name} could not be started with ${process.execPath}.`)
  const state = { ended: false }
  void exited.then(
    () => (state.ended = true),
    () => (state.ended = true),
  )
  const lastWords = () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n')

  return {
    name,
    process: nameProcess(child.pid),
    exited,
    lastWords,
    async ready(probe, signal) {
      const gone = exited.then(({ code, signal: by }) => {
        throw new Error(`The ${name} ended (${by ?? `exit code ${code}`}) before it was ready. It said:\n${lastWords()}`)
      })
      gone.catch(() => undefined)
      const poll = async () => {
        for (;;) {
          signal.throwIfAborted()
          const answer = await probe(AbortSignal.any([signal, clock.timeout(PROBE_TIMEOUT_MS)])).catch(() => null)
          if (answer !== null) return answer
          await clock.sleep(PROBE_EVERY_MS, signal)
        }
      }
      return Promise.race([poll(), gone])
    },
    async stop(graceMs) {
      if (!state.ended) child.kill('SIGTERM')
      const done = new AbortController()
      const kill = clock.sleep(graceMs, done.signal).then(
        () => child.kill('SIGKILL'),
        () => undefined,
      )
      const exit = await exited
      done.abort()
      await kill
      return exit
    },
  }
}
