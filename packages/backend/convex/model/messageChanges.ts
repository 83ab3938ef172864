/** Changing what stands in a thread: an author edits his message, an author or admin deletes it. */
import type { Doc } from '../_generated/dataModel.js'
import type { MutationCtx } from '../_generated/server.js'
import { now } from '../lib/clock.js'
import { refuse } from '../lib/errors.js'
import { findMember } from './accounts.js'
import type { Actor, Party } from './actors.js'
import { samePerson } from './actors.js'
import { recordActivity } from './activity.js'
import { dropOfMessage } from './attachments.js'
import { fanOut } from './fanOut.js'
import { resolveMentions } from './mentions.js'
import { partyKey } from './recipients.js'
import { isStop } from './stop.js'
import { subscribe } from './subscriptions.js'
import { justWritten } from './thread.js'

type Message = Doc<'messages'>
type Told = NonNullable<Message['told']>

/**
 * Gives a message a new text. Whom no version has mentioned before is told and follows the thread; whoever has yet to be told sees
 * the new text, because a claim reads the message. Agents' messages are edited by nobody.
 * @throws FORBIDDEN for anybody but the author; INVALID if it is deleted, or one of the texts is `/stop`; as posting does otherwise
 */
export async function editMessage(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  message: Message,
  actor: Actor,
  content: string,
): Promise<void> {
  if (!isAuthor(message, actor)) refuse('FORBIDDEN', 'Only its author may edit a message.')
  if (message.deletedAt !== null) refuse('INVALID', 'The message is deleted.')
  if (isStop(message.content) || isStop(content)) {
    refuse('INVALID', 'A message does not become /stop, nor /stop another message: post a new one.')
  }
  if (content === message.content) return
  const { all, mentions } = await resolveMentions(ctx, task.accountId, actor, content)
  const before = toldBy(message)
  const fresh = []
  for (const party of mentions) if (!(await wasMentioned(ctx, message, before, party))) fresh.push(party)
  const freshAll = all && before.allAt === null
  const told: Told = {
    allAt: freshAll ? now() : before.allAt,
    parties: [...new Set([...before.parties, ...mentions.map(partyKey)])],
  }
  await ctx.db.patch(message._id, { content, mentions, mentionsAll: all, editedAt: now(), told })
  for (const party of fresh) await subscribe(ctx, task, party)
  await record(ctx, 'message_edited', task, message, actor)
  const whom = { mentions: fresh, mentionsAll: freshAll, followers: false, except: before.parties }
  await fanOut(ctx, task, await justWritten(ctx, message._id), whom)
}

const isAuthor = ({ authorType, authorId, authorName }: Message, actor: Actor): boolean =>
  samePerson({ type: authorType, id: authorId, name: authorName }, actor)

/** A message that was never edited has told those it mentions. */
const toldBy = (message: Message): Told =>
  message.told ?? {
    allAt: message.mentionsAll ? message._creationTime : null,
    parties: message.mentions.map(partyKey),
  }

/** By name, or with everybody who was in the account at the time. */
async function wasMentioned(ctx: MutationCtx, { accountId }: Message, told: Told, party: Party): Promise<boolean> {
  if (told.parties.includes(partyKey(party))) return true
  if (told.allAt === null) return false
  const agentId = party.type === 'agent' ? ctx.db.normalizeId('agents', party.id) : null
  const row = agentId ? await ctx.db.get(agentId) : await findMember(ctx, accountId, party.id)
  // Creation times have fractions of a millisecond, the clock has not.
  return row !== null && Math.floor(row._creationTime) <= told.allAt
}

/**
 * Empties a message; its row stays in its place in the thread. What would have told an agent of it is skipped when it is claimed. To
 * delete it again changes nothing.
 * @param mayModerate the actor is an admin or owner, who may delete everybody's messages, also agents'
 * @throws FORBIDDEN
 */
export async function removeMessage(
  ctx: MutationCtx,
  task: Doc<'tasks'>,
  message: Message,
  actor: Actor,
  mayModerate: boolean,
): Promise<void> {
  if (!mayModerate && !isAuthor(message, actor)) {
    refuse('FORBIDDEN', 'Only its author and the admins of the account may delete a message.')
  }
  if (message.deletedAt !== null) return
  await dropOfMessage(ctx, message)
  const emptied = { content: '', mentions: [], mentionsAll: false, attachments: [], told: undefined }
  await ctx.db.patch(message._id, { ...emptied, deletedAt: now() })
  await record(ctx, 'message_deleted', task, message, actor)
}

async function record(
  ctx: MutationCtx,
  type: 'message_edited' | 'message_deleted',
  task: Doc<'tasks'>,
  message: Message,
  actor: Actor,
): Promise<void> {
  await recordActivity(ctx, task.accountId, { type, actor, targetId: message._id, targetName: task.title, taskId: task._id })
}
