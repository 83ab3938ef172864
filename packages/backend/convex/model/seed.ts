/**
 * Fills an account with a demo worth looking at, once. Everything goes through the functions that own the rows; only what would wake
 * somebody is left out: nobody is notified, no agent is given anything to do. The texts are in seedAgents, seedTasks and seedDocuments.
 */
import { LIMITS } from '@mission-control/shared/limits'
import type { Doc, Id } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { recordActivity } from './activity.js'
import type { Actor } from './actors.js'
import { agentActor, userActor } from './actors.js'
import { createAgent } from './agents.js'
import { changeAssignees } from './assignments.js'
import { createDocument, createFolder, writeDocument } from './documents.js'
import { resolveMentions } from './mentions.js'
import type { SeedAgent } from './seedAgents.js'
import { SEED_AGENTS } from './seedAgents.js'
import type { SeedDocument, SeedFolder } from './seedDocuments.js'
import { SEED_FOLDERS } from './seedDocuments.js'
import type { SeedTask } from './seedTasks.js'
import { SEED_TASKS } from './seedTasks.js'
import { setPresence } from './presence.js'
import { bump } from './signals.js'
import { subscribe } from './subscriptions.js'
import { moveTask } from './taskMoves.js'
import { createTask } from './tasks.js'

const DAY_MS = 86_400_000
/** A counter that counts nothing: it is there once the account was seeded, whatever was renamed or deleted since. */
const MARKER = 'seed:demo'

/** The people of the demo, by the names that its texts use. */
interface Cast {
  readonly actors: ReadonlyMap<string, Actor>
  /** With mentions filled in. */
  readonly say: (text: string) => string
}

/**
 * The whole demo in one transaction: about 450 rows, a small part of what one may write.
 * @returns `false`, and changes nothing, if the account was seeded before
 * @throws CONFLICT (slugs taken twice) | LIMIT (agents of the account)
 */
export async function seedDemo(ctx: MutationCtx, account: Doc<'accounts'>, member: Doc<'memberships'>): Promise<boolean> {
  const marker = await ctx.db
    .query('counters')
    .withIndex('by_account_key', (q) => q.eq('accountId', account._id).eq('key', MARKER))
    .unique()
  if (marker) return false
  await ctx.db.insert('counters', { accountId: account._id, key: MARKER, value: 1 })
  const cast = await seedAgents(ctx, account, userActor(member))
  const tasks = new Map<string, Id<'tasks'>>()
  for (const task of SEED_TASKS) tasks.set(task.key, await seedTask(ctx, account._id, cast, task))
  for (const folder of SEED_FOLDERS) await seedFolder(ctx, account._id, { cast, tasks, parentId: null }, folder)
  return true
}

async function seedAgents(ctx: MutationCtx, account: Doc<'accounts'>, me: Actor): Promise<Cast> {
  const actors = new Map<string, Actor>([['me', me]])
  const mentions = new Map<string, string>([['me', `@"${me.name}"`]])
  for (const { slug: wanted, name, role, icon, permissions, soul, identity, user } of SEED_AGENTS) {
    const slug = await freeSlug(ctx, account._id, wanted)
    const profile = { soul, identity, user }
    // Once a day, and the first not today: whoever starts a runtime to look at the demo does not want six agents at work on it.
    const fields = { slug, name, role, icon, permissions, profile, heartbeatMinutes: LIMITS.heartbeatMinutesMax }
    const agent = await ctx.db.get(await createAgent(ctx, account, me, fields))
    if (!agent) throw new Error('A row just inserted is gone.')
    await setPresence(ctx, account._id, agent._id, { lastHeartbeatSlot: now() })
    actors.set(wanted, agentActor(agent))
    mentions.set(wanted, `@${slug}`)
    if (wanted === 'lead' && account.leadAgentId === null) {
      await ctx.db.patch(account._id, { leadAgentId: agent._id })
      await bump(ctx, account._id, 'rosterVersion')
      const detail = `lead: ${slug}`
      const target = { targetId: account._id, targetName: account.name }
      await recordActivity(ctx, account._id, { type: 'account_updated', actor: me, ...target, detail })
    }
  }
  return { actors, say: (text) => text.replace(/\{(\w+)\}/g, (whole, name: string) => mentions.get(name) ?? whole) }
}

/** An agent of the account that has the slug already is somebody else: the demo's gets another, and its texts name that one. */
async function freeSlug(ctx: MutationCtx, accountId: Id<'accounts'>, slug: SeedAgent['slug']): Promise<string> {
  for (const candidate of [slug, `${slug}-demo`]) {
    const taken = await ctx.db
      .query('agents')
      .withIndex('by_account_slug', (q) => q.eq('accountId', accountId).eq('slug', candidate))
      .unique()
    if (!taken) return candidate
  }
  return refuse('CONFLICT', `The slugs "${slug}" and "${slug}-demo" are taken: seed another account, or rename those agents.`)
}

async function seedTask(ctx: MutationCtx, accountId: Id<'accounts'>, cast: Cast, seed: SeedTask): Promise<Id<'tasks'>> {
  const { by, title, description, priority, labels, dueInDays, assignees = [], steps = [] } = seed
  const dueAt = dueInDays === undefined ? null : now() + dueInDays * DAY_MS
  const taskId = await createTask(ctx, accountId, actorOf(cast, by), { title, description, priority, labels, dueAt })
  const current = async () => (await ctx.db.get(taskId)) ?? refuse('NOT_FOUND', 'The task is gone.')
  if (assignees.length > 0) await assignQuietly(ctx, await current(), cast, by, assignees)
  for (const step of steps) {
    if ('to' in step) {
      const actor = actorOf(cast, step.by)
      await moveTask(ctx, await current(), { to: step.to, actor, reason: step.reason, tell: 'nobody' })
    } else {
      await writeQuietly(ctx, await current(), actorOf(cast, step[0]), cast.say(step[1]))
    }
  }
  return taskId
}

/** As assigning does, without telling anybody: seeding is no work to do. */
async function assignQuietly(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  cast: Cast,
  by: string,
  assignees: readonly string[],
): Promise<void> {
  const actors = assignees.map((name) => actorOf(cast, name))
  const actor = actorOf(cast, by)
  const add = actors.map(({ type, id }) => ({ type: type === 'agent' ? 'agent' : 'user', id }) as const)
  const assigned = await changeAssignees(ctx, task, { add })
  for (const party of add) await subscribe(ctx, task, party)
  const about = { targetId: task._id, targetName: task.title, taskId: task._id }
  for (const { name } of actors) {
    await recordActivity(ctx, task.accountId, { type: 'task_assigned', actor, ...about, detail: name })
  }
  await moveTask(ctx, assigned, { to: 'assigned', actor, tell: 'nobody' })
}

/** As posting does, without telling anybody. */
async function writeQuietly(ctx: MutationCtx, task: Doc<'tasks'>, author: Actor, content: string): Promise<void> {
  const { accountId, _id: taskId } = task
  const { all: mentionsAll, mentions } = await resolveMentions(ctx, accountId, author, content)
  const messageId = await ctx.db.insert('messages', {
    ...{ accountId, taskId, authorType: author.type, authorId: author.id, authorName: author.name },
    ...{ content, mentions, mentionsAll, deliveryId: null, key: null, attachments: [], editedAt: null, deletedAt: null },
  })
  const parties = [{ type: author.type === 'agent' ? 'agent' : 'user', id: author.id } as const, ...mentions]
  for (const party of parties) await subscribe(ctx, task, party)
  const about = { targetId: messageId, targetName: task.title, taskId }
  await recordActivity(ctx, accountId, { type: 'message_created', actor: author, ...about })
}

interface Place {
  readonly cast: Cast
  readonly tasks: ReadonlyMap<string, Id<'tasks'>>
  readonly parentId: Id<'documents'> | null
}

async function seedFolder(ctx: MutationCtx, accountId: Id<'accounts'>, place: Place, seed: SeedFolder): Promise<void> {
  const { title, by, folders = [], documents } = seed
  const parentId = await createFolder(ctx, accountId, actorOf(place.cast, by), { title, parentId: place.parentId })
  for (const document of documents) await seedDocument(ctx, accountId, { ...place, parentId }, document)
  for (const folder of folders) await seedFolder(ctx, accountId, { ...place, parentId }, folder)
}

async function seedDocument(
  ctx: MutationCtx,
  accountId: Id<'accounts'>,
  { cast, tasks, parentId }: Place,
  { title, type, by, task, versions }: SeedDocument,
): Promise<void> {
  const actor = actorOf(cast, by)
  const [first = '', ...later] = versions
  const taskId = task === undefined ? null : (tasks.get(task) ?? null)
  const id = await createDocument(ctx, accountId, actor, { title, content: first, type, parentId, taskId })
  for (const content of later) {
    const document = await ctx.db.get(id)
    if (document) await writeDocument(ctx, document, actor, { content })
  }
}

function actorOf({ actors }: Cast, name: string): Actor {
  const actor = actors.get(name)
  if (!actor) throw new Error(`The demo has nobody called "${name}".`)
  return actor
}
