/** `./mc seed`: fills the running stack's account with the demo, as its owner. */
import path from 'node:path'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import { seedAccount } from '../account.ts'
import { readable } from '../errors.ts'
import { createScreen } from '../screen.ts'
import { LOCAL_IDENTITY } from '../sign-in/person.ts'
import { createMember } from '../stack/member.ts'
import type { StackRecord } from '../stack/record.ts'

export interface SeedOptions {
  readonly dataDir: string
  readonly record: StackRecord
}

/** @throws Error with a sentence: the stack has no account, or the backend refused */
export async function seed({ dataDir, record }: SeedOptions): Promise<void> {
  if (record.accountId === null) throw new Error('The stack is still starting: try again when it says that it runs.')
  const adminKeyFile = path.join(dataDir, 'backend', 'admin-key')
  await using member = createMember({ url: record.backendUrl, adminKeyFile, identity: LOCAL_IDENTITY })
  try {
    createScreen(process.stdout).step('demo', await seedAccount(member, record.accountId as Id<'accounts'>))
  } catch (error) {
    throw readable(error)
  }
}
