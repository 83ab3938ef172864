/**
 * What a running stack leaves in its data folder for others: `./mc say` finds it there, and the next start ends what a killed
 * terminal left behind. Holds the path of the admin key, never the key.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { descendantsOf, isSameProcess, nameProcess } from '@mission-control/host/processes'
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

/** The runtime's own STOP_TIMEOUT is 45 s: it may be in mid-turn, and it takes its gateway with it. */
const LEFTOVER_GRACE_MS = 60_000

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
  ended.push(...(await endGateway(dataDir, clock)))
  removeRecord(dataDir)
  return ended
}

const gatewayRecord = z.object({ pid: z.int().positive(), startTime: z.string() })

/** A gateway that its runtime could not stop any more lives on by design; its record is the only thing that still names it. */
async function endGateway(dataDir: string, clock: Clock): Promise<string[]> {
  const file = path.join(dataDir, 'runtime', 'openclaw', 'gateway.process.json')
  if (!existsSync(file)) return []
  const record = gatewayRecord.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (!record.success) return []
  const gateway = { pid: record.data.pid, startedAt: record.data.startTime }
  if (!isSameProcess(gateway)) return []
  const family = [gateway, ...descendantsOf(gateway.pid).map(nameProcess)]
  for (const member of family) if (isSameProcess(member)) process.kill(member.pid, 'SIGKILL')
  while (family.some(isSameProcess)) await clock.sleep(50)
  return ['gateway']
}
