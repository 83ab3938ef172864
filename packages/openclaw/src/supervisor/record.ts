/** What is remembered about a gateway we started, so that the next process of this installation can adopt it. Secret: mode 0600. */
import { readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomically } from '../atomic-file.ts'

const Record = z.object({
  pid: z.int().positive(),
  /** See packages/host/src/processes.ts. */
  startTime: z.string().min(1),
  port: z.int().min(1).max(65_535),
  token: z.string().min(1),
})
export type GatewayRecord = z.infer<typeof Record>

const OWNER_ONLY = 0o600

/** Null when there is none or it cannot be read: then there is nothing to adopt. */
export async function readRecord(file: string): Promise<GatewayRecord | null> {
  const text = await readFile(file, 'utf8').catch(() => null)
  if (text === null) return null
  try {
    return Record.parse(JSON.parse(text))
  } catch {
    return null
  }
}

export async function writeRecord(file: string, record: GatewayRecord): Promise<void> {
  await writeFileAtomically(file, `${JSON.stringify(record)}\n`, OWNER_ONLY)
}

export async function removeRecord(file: string): Promise<void> {
  await rm(file, { force: true })
}
