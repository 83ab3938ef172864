/**
 * Who is told of a message, page by page. A message by a person goes to the agents it mentions, or, if it mentions none, to those
 * subscribed; a message by an agent goes to people only. `@all` is every agent and member. An edit tells whom it mentions anew.
 */
import type { Doc } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import type { Party } from './actors.js'
import { samePerson } from './actors.js'
import { listSubscribers } from './subscriptions.js'

export interface Recipient extends Party {
  readonly why: 'mention' | 'thread_update'
}

/** Whom one write is for. Fixed by the write: a later edit of the message must not change what the steps of an earlier one do. */
export interface Audience extends Pick<
  Doc<'messages'>,
  'accountId' | 'taskId' | 'authorType' | 'authorId' | 'mentions' | 'mentionsAll'
> {
  /** False for an edit: those who follow the thread were told of the post. */
  readonly followers: boolean
  /** partyKey of those whom an earlier version has told; for `@all` of an edit. */
  readonly except: readonly string[]
}

export const partyKey = ({ type, id }: Party): string => `${type}:${id}`

/** Where the next page goes on: the number of a source, and the last key read there. */
export interface FanOutCursor {
  readonly source: number
  readonly after: string
}
export const FAN_OUT_START: FanOutCursor = { source: 0, after: '' }

type Ctx = { db: QueryCtx['db'] }
interface SourcePage {
  readonly recipients: Recipient[]
  /** Last key read, or `null` when the source is exhausted. */
  readonly after: string | null
}
type Source = (ctx: Ctx, audience: Audience, after: string, limit: number) => Promise<SourcePage>

/** In this order; a source that does not apply to the message is empty. */
const SOURCES: readonly Source[] = [mentioned, allAgents, allMembers, subscribedAgents, subscribedUsers]

/** Up to `limit` recipients from the cursor on, and where to go on (`null`: that was all). */
export async function nextRecipients(
  ctx: Ctx,
  audience: Audience,
  from: FanOutCursor,
  limit: number,
): Promise<{ recipients: Recipient[]; next: FanOutCursor | null }> {
  const recipients: Recipient[] = []
  const except = new Set(audience.except)
  let cursor: FanOutCursor | null = from
  while (cursor !== null && recipients.length < limit) {
    const { source, after }: FanOutCursor = cursor
    const read: Source | undefined = SOURCES[source]
    if (!read) return { recipients, next: null }
    const page = await read(ctx, audience, after, limit - recipients.length)
    const author = { type: audience.authorType, id: audience.authorId, name: '' }
    const isMeant = (party: Party) => !samePerson(party, author) && !except.has(partyKey(party))
    recipients.push(...page.recipients.filter(isMeant))
    cursor = page.after === null ? { source: source + 1, after: '' } : { source, after: page.after }
  }
  return { recipients, next: cursor }
}

const NONE: SourcePage = { recipients: [], after: null }
const pageOf = (keys: string[], limit: number, recipients: Recipient[]): SourcePage => ({
  recipients,
  after: keys.length < limit ? null : (keys.at(-1) ?? null),
})

/** Agents hear of an agent's message through an explicit request only. */
const mayTellAgents = (audience: Audience) => audience.authorType === 'user'

async function mentioned(_ctx: Ctx, audience: Audience, after: string, limit: number): Promise<SourcePage> {
  if (audience.mentionsAll) return NONE
  const start = Number(after || 0)
  const page = audience.mentions.slice(start, start + limit)
  const told = page.filter((party) => party.type === 'user' || mayTellAgents(audience))
  const end = start + page.length
  return {
    recipients: told.map(({ type, id }) => ({ type, id, why: 'mention' })),
    after: end < audience.mentions.length ? String(end) : null,
  }
}

async function allAgents(ctx: Ctx, audience: Audience, after: string, limit: number): Promise<SourcePage> {
  if (!audience.mentionsAll || !mayTellAgents(audience)) return NONE
  const rows = await ctx.db
    .query('agents')
    .withIndex('by_account_slug', (q) => q.eq('accountId', audience.accountId).gt('slug', after))
    .take(limit)
  const recipients = rows.map((agent): Recipient => ({ type: 'agent', id: agent._id, why: 'mention' }))
  return pageOf(
    rows.map((row) => row.slug),
    limit,
    recipients,
  )
}

async function allMembers(ctx: Ctx, audience: Audience, after: string, limit: number): Promise<SourcePage> {
  if (!audience.mentionsAll) return NONE
  const rows = await ctx.db
    .query('memberships')
    .withIndex('by_account_user', (q) => q.eq('accountId', audience.accountId).gt('userId', after))
    .take(limit)
  const ids = rows.map((member) => member.userId)
  return pageOf(
    ids,
    limit,
    ids.map((id) => ({ type: 'user', id, why: 'mention' })),
  )
}

async function subscribedAgents(ctx: Ctx, audience: Audience, after: string, limit: number): Promise<SourcePage> {
  const addressed = audience.mentionsAll || audience.mentions.some((party) => party.type === 'agent')
  if (!audience.followers || addressed || !mayTellAgents(audience)) return NONE
  const ids = await listSubscribers(ctx, audience.accountId, audience.taskId, 'agent', limit, after)
  return pageOf(
    ids,
    limit,
    ids.map((id) => ({ type: 'agent', id, why: 'thread_update' })),
  )
}

async function subscribedUsers(ctx: Ctx, audience: Audience, after: string, limit: number): Promise<SourcePage> {
  if (!audience.followers || audience.mentionsAll) return NONE
  const ids = await listSubscribers(ctx, audience.accountId, audience.taskId, 'user', limit, after)
  const named = new Set(audience.mentions.filter((party) => party.type === 'user').map((party) => party.id))
  const others = ids.filter((id) => !named.has(id))
  return pageOf(
    ids,
    limit,
    others.map((id) => ({ type: 'user', id, why: 'thread_update' })),
  )
}
