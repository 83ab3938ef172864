import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { OwnerPlan } from './fixtures/owner.ts'

export interface Owner {
  readonly gatewayPid: number
  readonly bootId: string
  /** kill -9, and wait until it is gone. */
  kill(): Promise<void>
}

/** A process of its own that owns a gateway; resolves when its turn was accepted. */
export async function startOwner(plan: OwnerPlan): Promise<Owner> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/owner.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, OWNER: JSON.stringify(plan) },
  })
  const exited = once(child, 'exit')
  const line = await Promise.race([
    once(child.stdout, 'data').then(([data]) => String(data)),
    exited.then(([code]) => Promise.reject(new Error(`the owner ended with ${String(code)}`))),
  ])
  const { pid, bootId } = JSON.parse(line) as { pid: number; bootId: string }
  return {
    gatewayPid: pid,
    bootId,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
