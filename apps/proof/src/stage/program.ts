/**
 * One program of the stage as a process of its own, which can be killed, paused and started again. Its lines are told as they come and
 * not kept, so that a long run does not fill our memory; the last of them are, for a report that explains itself.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export type Line = Readonly<Record<string, unknown>>

export interface ProgramOptions {
  readonly name: string
  /** After the Node binary. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Runs Node with these words in front: a wrapper that ends by replacing itself with what follows. */
  readonly wrapper?: readonly string[]
  /** The line that says that it can be used. */
  readonly isReady: (line: Line) => boolean
  /** Kills what runs and keeps it from being started again. */
  readonly signal?: AbortSignal
}

export interface Program {
  readonly name: string
  /** Of the process that runs now, or ran last. */
  readonly pid: number
  readonly running: boolean
  /** Starts the process; resolves with the line that says it is ready. Rejects when it ends before. */
  start(): Promise<Line>
  /** Resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** SIGSTOP: nothing of it runs until `resume`. */
  pause(): void
  resume(): void
  /** Resolves with the first line to come that matches. Survives restarts; rejects when `signal` aborts. */
  next(matches: (line: Line) => boolean, signal: AbortSignal): Promise<Line>
  /** Calls back with each line to come, over restarts. */
  listen(listener: (line: Line) => void): void
  /** Its last lines, of both streams. */
  lastWords(): string
}

const KEPT_LINES = 60

export function createProgram({ name, args, env, wrapper = [], isReady, signal: end }: ProgramOptions): Program {
  const kept: string[] = []
  const listeners = new Set<(line: Line) => void>()
  let child: ChildProcess | null = null
  let gone: Promise<unknown> = Promise.resolve()

  function hear(text: string): void {
    kept.push(text)
    if (kept.length > KEPT_LINES) kept.shift()
    const line = parseLine(text)
    for (const listener of listeners) listener(line)
  }
  const alive = () => child !== null && child.exitCode === null && child.signalCode === null
  const lastWords = () => kept.join('\n')

  return {
    name,
    get pid() {
      return child?.pid ?? 0
    },
    get running() {
      return alive()
    },
    async start() {
      if (alive()) throw new Error(`the ${name} runs already`)
      end?.throwIfAborted()
      const [command = process.execPath, ...rest] = [...wrapper, process.execPath, ...args]
      const started = spawn(command, rest, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
      child = started
      const closed = once(started, 'close')
      gone = closed
      const killIt = () => void started.kill('SIGKILL')
      end?.addEventListener('abort', killIt, { once: true })
      const ready = Promise.withResolvers<Line>()
      const listen = (line: Line) => {
        if (isReady(line)) ready.resolve(line)
      }
      listeners.add(listen)
      for (const stream of [started.stdout, started.stderr]) createInterface({ input: stream }).on('line', hear)
      closed
        .finally(() => end?.removeEventListener('abort', killIt))
        .then(
          ([code, signal]) =>
            ready.reject(new Error(`the ${name} ended (${String(signal ?? code)}) before it was ready:\n${lastWords()}`)),
          (error: unknown) => ready.reject(error),
        )
      return ready.promise.finally(() => listeners.delete(listen))
    },
    async kill(signal = 'SIGKILL') {
      if (alive()) child?.kill(signal)
      await gone
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    next(matches, signal) {
      const found = Promise.withResolvers<Line>()
      const listen = (line: Line) => {
        if (matches(line)) found.resolve(line)
      }
      const abort = () => found.reject(new Error(`the ${name} did not say what was waited for; it said last:\n${lastWords()}`))
      listeners.add(listen)
      signal.addEventListener('abort', abort, { once: true })
      return found.promise.finally(() => {
        listeners.delete(listen)
        signal.removeEventListener('abort', abort)
      })
    },
    listen: (listener) => void listeners.add(listener),
    lastWords,
  }
}

function parseLine(text: string): Line {
  if (!text.startsWith('{')) return { text }
  try {
    return JSON.parse(text) as Line
  } catch {
    return { text } // cut off by a kill
  }
}
