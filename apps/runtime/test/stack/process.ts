/** The runtime as a process of its own, the way it is started in production. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** `./mc test` builds first and has the built program tested; by itself a test runs what stands in the sources. */
const BIN = fileURLToPath(
  new URL(process.env['TEST_BUILT_RUNTIME'] ? '../../dist/cli.js' : '../../bin/mission-control-runtime.mjs', import.meta.url),
)

export interface RuntimeProcess extends AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: Record<string, unknown>[]
  /** Resolves with the first line, past or future, that matches. */
  line(matches: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  /** Calls back with each line to come. */
  onLine(listener: (line: Record<string, unknown>) => void): void
  kill(signal: NodeJS.Signals): void
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
  readonly errors: () => string
}

export function spawnRuntime(env: Record<string, string>, args: string[] = ['start'], program = BIN): RuntimeProcess {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: Record<string, unknown>[] = []
  const watchers = new Set<() => void>()
  const listeners: ((line: Record<string, unknown>) => void)[] = []
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text }
    lines.push(line)
    for (const listener of listeners) listener(line)
    for (const watch of watchers) watch()
  })
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  return {
    child,
    lines,
    errors: () => errors,
    onLine: (listener) => void listeners.push(listener),
    kill: (signal) => void child.kill(signal),
    ended,
    line: (matches) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find(matches)
          if (found === undefined) return
          watchers.delete(look)
          resolve(found)
        }
        watchers.add(look)
        void ended.then((how) =>
          reject(
            new Error(
              `the runtime ended (${how}) before it said that: ${errors}\n${lines.map((l) => JSON.stringify(l)).join('\n')}`,
            ),
          ),
        )
        look()
      }),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}
