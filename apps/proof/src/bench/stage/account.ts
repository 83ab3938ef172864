/** Accounts of the bench, made while their backend is still in this process: filling it there takes seconds instead of minutes. */
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import type { EmbeddedConvex } from '@mission-control/embedded'
import type { OpenAccount } from '@mission-control/runtime/stack/scene'
import { createAgents, slugOf } from '@mission-control/runtime/stack/scene'

/** Owns every account of the bench. */
export const OWNER = {
  subject: 'ada',
  issuer: 'bench',
  tokenIdentifier: 'bench|ada',
  name: 'Ada',
  email: 'ada@example.org',
} as const

export interface BenchAccount {
  readonly accountId: Id<'accounts'>
  /** Service token. */
  readonly token: string
  readonly slugs: readonly string[]
  readonly taskIds: readonly Id<'tasks'>[]
}

export interface AccountOptions {
  readonly agents: number
  readonly tasks: number
  /** `agent-0000` and so on is one of ours; another prefix keeps two accounts of one gateway apart. */
  readonly prefix?: string
  readonly heartbeatMinutes?: number
}

export async function createAccount(
  backend: EmbeddedConvex,
  { agents, tasks, prefix, heartbeatMinutes = 1_440 }: AccountOptions,
): Promise<BenchAccount> {
  const owner = backend.withIdentity(OWNER)
  const accountId = await owner.mutation(api.accounts.create, { name: 'Bench' })
  const { token } = await owner.action(api.serviceTokens.create, { accountId, name: 'bench' })
  const taskIds: Id<'tasks'>[] = []
  for (let n = 0; n < tasks; n += 1) taskIds.push(await owner.mutation(api.tasks.create, { accountId, title: `Task ${n}` }))
  if (prefix === undefined) {
    const account: OpenAccount = { backend, owner, accountId }
    await createAgents(account, agents, { heartbeatMinutes })
    return { accountId, token, taskIds, slugs: Array.from({ length: agents }, (_, n) => slugOf(n)) }
  }
  const slugs = Array.from({ length: agents }, (_, n) => `${prefix}-${n}`)
  for (const slug of slugs) await owner.mutation(api.agents.create, { accountId, slug, name: slug, heartbeatMinutes })
  return { accountId, token, taskIds, slugs }
}
