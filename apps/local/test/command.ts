/** Runs the command line as a user would, in a process of its own, and reads what it prints. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import path from 'node:path'

const BIN = path.resolve(import.meta.dirname, '../bin/mission-control.mjs')

export interface Finished {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

export interface Command {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  /** Resolves with everything printed so far once it contains the text; rejects when the command ends first. */
  printed(text: string): Promise<string>
}

/** No model of the person who runs the tests may answer. */
const OWN_MODEL = ['OPENCLAW_MODEL', 'MODEL_BASE_URL', 'MODEL_API_KEY', 'OPENAI_API_KEY', 'ANTHROPIC_API_KEY']

export function mc(...args: string[]): Command {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN_MODEL.includes(name)))
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...env, NO_COLOR: '1' } })
  const out = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      out[name] += chunk
      for (const watch of watchers) watch()
    })
  }
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, ...out }))
  })
  return {
    child,
    finished,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const all = out.stdout + out.stderr
          if (!all.includes(text)) return
          watchers.delete(look)
          resolve(all)
        }
        watchers.add(look)
        look()
        void finished.then(({ code, signal }) =>
          reject(new Error(`ended (${signal ?? code}) before it printed ${JSON.stringify(text)}:\n${out.stdout}\n${out.stderr}`)),
        )
      }),
  }
}
