/** Fills an account through the same guarded functions that everybody else uses. */
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import { DEMO_AGENTS, DEMO_TASK } from './demo-account.ts'
import type { Member } from './stack/member.ts'

export interface LocalAccount {
  readonly accountId: Id<'accounts'>
  readonly serviceToken: string
}

/** A new account with the caller as its owner, and a token for its runtime. */
export async function createAccount({ http }: Member, name: string): Promise<LocalAccount> {
  const accountId = await http.mutation(api.accounts.create, { name })
  return { accountId, serviceToken: await createToken({ http }, accountId, 'runtime on this machine') }
}

export async function createToken({ http }: Pick<Member, 'http'>, accountId: Id<'accounts'>, name: string): Promise<string> {
  const { token } = await http.action(api.serviceTokens.create, { accountId, name })
  return token
}

/** Two agents, one of them the lead, and a task. */
export async function fillDemo({ http }: Member, accountId: Id<'accounts'>): Promise<Id<'tasks'>> {
  for (const { lead, soul, ...agent } of DEMO_AGENTS) {
    const agentId = await http.mutation(api.agents.create, { accountId, ...agent, profile: { soul } })
    if (lead) await http.mutation(api.agents.setLead, { accountId, agentId })
  }
  return await http.mutation(api.tasks.create, { accountId, ...DEMO_TASK })
}

/** Six agents, their tasks, threads and documents, the first time only. @returns what happened, for a person */
export async function seedAccount({ http }: Pick<Member, 'http'>, accountId: Id<'accounts'>): Promise<string> {
  const { seeded } = await http.mutation(api.seed.demo, { accountId })
  return seeded ? 'six agents, their tasks, threads and documents are there' : 'was seeded before; nothing changed'
}

/** Display names of the agents, kept up to date while it is open. */
export async function followNames(
  member: Member,
  accountId: Id<'accounts'>,
): Promise<{ nameOf: (agentId: string) => string; stop: () => void }> {
  const names = new Map<string, string>()
  const keep = (agents: { id: string; name: string }[]) => {
    for (const agent of agents) names.set(agent.id, agent.name)
  }
  keep(await member.http.query(api.agents.list, { accountId }))
  const stop = member.live().onUpdate(api.agents.list, { accountId }, keep, () => undefined) // the socket comes back by itself
  return { nameOf: (agentId) => names.get(agentId) ?? 'an agent', stop }
}
