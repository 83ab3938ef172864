/**
 * The person who writes the messages and reads the threads: a member of the account, past the broken networks, through the guards that
 * everybody goes through. What it reads is what a proof judges.
 */
import { readFileSync } from 'node:fs'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import type { Clock } from '@mission-control/shared/clock'
import { ConvexHttpClient } from 'convex/browser'
import type { FunctionReturnType, UserIdentityAttributes } from 'convex/server'

export type Delivery = FunctionReturnType<typeof api.deliveries.forTask>[number]
export type Message = FunctionReturnType<typeof api.messages.list>['page'][number]

export interface Person {
  readonly accountId: Id<'accounts'>
  /** Of the account's runtime. */
  readonly serviceToken: string
  createAgent(slug: string): Promise<void>
  createTask(title: string): Promise<Id<'tasks'>>
  /** @throws when the backend does not acknowledge it; it may be there all the same */
  post(taskId: Id<'tasks'>, content: string): Promise<Id<'messages'>>
  /** Oldest first; at most 200. */
  thread(taskId: Id<'tasks'>): Promise<Message[]>
  /** Newest first; at most 200. */
  deliveries(taskId: Id<'tasks'>): Promise<Delivery[]>
  /** How many tasks have exactly this title. */
  tasksTitled(title: string, word: string): Promise<number>
  /** Has the backend look over its lanes now, and not within the hour. Not a person's, but the operator's. */
  audit(): Promise<void>
}

/** How long one call may take: a paused backend answers none. */
const CALL_MS = 5_000

/** Used by Convex's own CLI, but not in the published types. */
interface AdminAuth {
  setAdminAuth(adminKey: string, identity: UserIdentityAttributes): void
}

const IDENTITY = { subject: 'ada', issuer: 'proof', tokenIdentifier: 'proof|ada', name: 'Ada', email: 'ada@example.org' }

/** Makes an account with this person as its owner. */
export async function createPerson(url: string, adminKeyFile: string, clock: Clock): Promise<Person> {
  const limited: typeof fetch = (input, init) => fetch(input, { ...init, signal: clock.timeout(CALL_MS) })
  const adminKey = readFileSync(adminKeyFile, 'utf8').trim()
  const http = new ConvexHttpClient(url, { logger: false, fetch: limited })
  ;(http as unknown as AdminAuth).setAdminAuth(adminKey, IDENTITY)
  const now = { skipQueue: true } as const
  const accountId = await http.mutation(api.accounts.create, { name: 'Proof' }, now)
  const { token } = await http.action(api.serviceTokens.create, { accountId, name: 'proof' })
  return {
    accountId,
    serviceToken: token,
    async createAgent(slug) {
      await http.mutation(
        api.agents.create,
        { accountId, slug, name: slug, heartbeatMinutes: 1_440, permissions: { canCreateTasks: true } },
        now,
      )
    },
    createTask: (title) => http.mutation(api.tasks.create, { accountId, title }, now),
    post: (taskId, content) => http.mutation(api.messages.post, { accountId, taskId, content }, now),
    async thread(taskId) {
      const paginationOpts = { numItems: 200, cursor: null }
      return (await http.query(api.messages.list, { accountId, taskId, paginationOpts })).page.toReversed()
    },
    deliveries: (taskId) => http.query(api.deliveries.forTask, { accountId, taskId }),
    async tasksTitled(title, word) {
      const found = await http.query(api.tasks.search, { accountId, text: word, limit: 50 })
      return found.filter((task) => task.title === title).length
    },
    async audit() {
      const response = await limited(`${url}/api/function`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Convex ${adminKey}` },
        body: JSON.stringify({ path: 'maintenance:audit', args: { accountId }, format: 'json' }),
      })
      const body = (await response.json()) as { status?: string; errorMessage?: string }
      if (body.status !== 'success') throw new Error(`the audit failed: ${body.errorMessage ?? JSON.stringify(body)}`)
    },
  }
}
