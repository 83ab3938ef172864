/** `./mc run module:function '{...}'`: any public function of the running stack, as its owner, through the normal guards. */
import path from 'node:path'
import { forTerminal } from '@mission-control/shared/unseen'
import { makeFunctionReference } from 'convex/server'
import { readable } from '../errors.ts'
import { LOCAL_IDENTITY } from '../sign-in/person.ts'
import { createMember } from '../stack/member.ts'
import type { StackRecord } from '../stack/record.ts'

export interface RunOptions {
  readonly dataDir: string
  readonly record: StackRecord
}

/** Prints the result as JSON. `accountId` is filled in unless given. */
export async function runFunction(name: string, json: string, { dataDir, record }: RunOptions): Promise<void> {
  const args = parseArgs(json)
  const adminKeyFile = path.join(dataDir, 'backend', 'admin-key')
  await using member = createMember({ url: record.backendUrl, adminKeyFile, identity: LOCAL_IDENTITY })
  const full = record.accountId === null ? args : { accountId: record.accountId, ...args }
  const kinds = [
    () => member.http.query(makeFunctionReference<'query'>(name), full),
    () => member.http.mutation(makeFunctionReference<'mutation'>(name), full),
    () => member.http.action(makeFunctionReference<'action'>(name), full),
  ]
  for (const [index, call] of kinds.entries()) {
    try {
      process.stdout.write(`${forTerminal(JSON.stringify(await call(), null, 2))}\n`)
      return
    } catch (error) {
      if (index < kinds.length - 1 && isWrongKind(error)) continue
      throw readable(error)
    }
  }
}

function parseArgs(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // the same sentence as for JSON that is no object
  }
  throw new Error(`The arguments must be one JSON object, e.g. '{"title": "Write it"}'; this is: ${json}`)
}

const isWrongKind = (error: unknown) =>
  error instanceof Error && /Trying to execute .* as|is not a (query|mutation)/i.test(error.message)
