/**
 * What a running stack leaves in its data folder for others: `./mc say` finds it there, and the next start ends what a killed
 * terminal left behind. Holds the path of the admin key, never the key.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isSameProcess } from '@mission-control/host/processes'
import type { Clock } from '@mission-control/shared/clock'
import { z } from 'zod'

const processName = z.object({ pid: z.int().positive(), startedAt: z.string().nullable() })
const stackRecord = z.object({
  /** The command that runs the stack. */
  owner: processName,
  kind: z.enum(['demo', 'up']),
  parts: z.array(z.object({ name: z.string(), process: processName })),
  backendUrl: z.string(),
  healthUrl: z.string(),
  accountId: z.string().nullable(),
  taskId: z.string().nullable(),
})
export type StackRecord = z.infer<typeof stackRecord>

const fileIn = (dataDir: string) => path.join(dataDir, 'stack.json')

/** @returns `null` when there is none, or it is not one of ours */
export function readRecord(dataDir: string): StackRecord | null {
  try {
    return stackRecord.parse(JSON.parse(readFileSync(fileIn(dataDir), 'utf8')))
  } catch {
    return null // absent, half-written by a killed process, or of another release: as good as none
  }
}

export function writeRecord(dataDir: string, record: StackRecord): void {
  writeFileSync(fileIn(dataDir), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
}

export const removeRecord = (dataDir: string) => rmSync(fileIn(dataDir), { force: true })

/** The record of a stack whose owner lives, or `null`. */
export function runningStack(dataDir: string): StackRecord | null {
  const record = readRecord(dataDir)
  return record && isSameProcess(record.owner) ? record : null
}

/** Milliseconds a left-over part gets to end by itself. */
const LEFTOVER_GRACE_MS = 20_000

/**
 * Ends the parts of a stack whose owner is gone: the runtime first, which takes its gateway with it.
 * @returns the names of what was ended
 */
export async function endLeftovers(dataDir: string, clock: Clock): Promise<string[]> {
  const record = readRecord(dataDir)
  if (!record || isSameProcess(record.owner)) return []
  const ended: string[] = []
  for (const part of record.parts.toReversed()) {
    if (!isSameProcess(part.process)) continue
    process.kill(part.process.pid, 'SIGTERM')
    const deadline = clock.monotonic() + LEFTOVER_GRACE_MS
    while (isSameProcess(part.process) && clock.monotonic() < deadline) await clock.sleep(50)
    if (isSameProcess(part.process)) process.kill(part.process.pid, 'SIGKILL')
    ended.push(part.name)
  }
  removeRecord(dataDir)
  return ended
}
