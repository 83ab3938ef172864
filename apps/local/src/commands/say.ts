/** `./mc say`: posts to the running stack's task as a member, through the normal guards, and shows what comes back. */
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import { systemClock } from '@mission-control/host/clock'
import { untilAborted } from '@mission-control/host/until-aborted'
import { parseMentions } from '@mission-control/shared/mentions'
import { followNames } from '../account.ts'
import { followTask } from '../conversation.ts'
import { createNarrator } from '../narrate.ts'
import type { Screen } from '../screen.ts'
import { createScreen } from '../screen.ts'
import { LOCAL_IDENTITY } from '../sign-in/person.ts'
import type { Member } from '../stack/member.ts'
import { createMember } from '../stack/member.ts'
import type { StackRecord } from '../stack/record.ts'

export interface SayOptions {
  readonly dataDir: string
  readonly record: StackRecord
  readonly taskId: string | undefined
  readonly wait: boolean
}

/** @throws Error with a sentence: no task, refused by a guard */
export async function say(
  text: string,
  { dataDir, record, taskId: given, wait }: SayOptions,
  signal: AbortSignal,
): Promise<void> {
  const task = given ?? record.taskId
  if (task === null || record.accountId === null) {
    throw new Error('Which task? This stack has no demo task: name one with --task <id>, as ./mc run tasks:create printed it.')
  }
  const accountId = record.accountId as Id<'accounts'>
  const taskId = task as Id<'tasks'>
  const adminKeyFile = path.join(dataDir, 'backend', 'admin-key')
  await using member = createMember({ url: record.backendUrl, adminKeyFile, identity: LOCAL_IDENTITY })
  await member.http.query(api.tasks.get, { accountId, taskId }).catch((error: unknown) => {
    throw new Error(`There is no task "${taskId}" here.`, { cause: error })
  })
  const screen = createScreen(process.stdout)
  if (!wait) {
    const id = await member.http.mutation(api.messages.post, { accountId, taskId, content: text })
    await tellUnknown(member, { accountId, taskId, messageId: id }, text, screen)
    screen.note('posted')
    return
  }
  const done = Promise.withResolvers<void>()
  let posted: string | null = null
  /** Deliveries that our message caused and that have not ended. */
  const open = new Set<string>()
  const names = await followNames(member, accountId)
  const narrate = createNarrator({ screen, nameOf: names.nameOf })
  const stop = followTask(
    member,
    { accountId, taskId, replay: false },
    (event) => {
      narrate(event)
      if (event.type !== 'delivery' || event.delivery.messageId !== posted) return
      if (['delivered', 'skipped', 'dead'].includes(event.delivery.state)) {
        open.delete(event.delivery.id)
        // The reply arrives on its own subscription, a moment before or after.
        if (open.size === 0) void systemClock.sleep(200).then(() => done.resolve())
      } else open.add(event.delivery.id)
    },
    done.reject,
  )
  try {
    await firstStates(member, accountId, taskId)
    const id = await member.http.mutation(api.messages.post, { accountId, taskId, content: text })
    posted = id
    await tellUnknown(member, { accountId, taskId, messageId: id }, text, screen)
    const caused = await member.http.query(api.deliveries.forTask, { accountId, taskId })
    for (const delivery of caused) {
      if (delivery.messageId === id && !['delivered', 'skipped', 'dead'].includes(delivery.state)) open.add(delivery.id)
    }
    if (!caused.some((delivery) => delivery.messageId === id)) {
      screen.note('Nobody is told of this message: mention an agent, e.g. @lead.')
      return
    }
    if (open.size === 0) done.resolve()
    await untilAborted(done.promise, signal)
  } finally {
    stop()
    names.stop()
  }
}

/** The subscriptions must know what was there before our message, or they would tell old news. */
async function firstStates(
  member: ReturnType<typeof createMember>,
  accountId: Id<'accounts'>,
  taskId: Id<'tasks'>,
): Promise<void> {
  const live = member.live()
  await Promise.all([
    live.query(api.messages.list, { accountId, taskId, paginationOpts: { numItems: 50, cursor: null } }),
    live.query(api.deliveries.forTask, { accountId, taskId }),
    live.query(api.tasks.get, { accountId, taskId }),
  ])
}

/** A mention that matches nobody is sent as plain text: say so, or a typing error looks like an agent that does not answer. */
async function tellUnknown(
  { http }: Member,
  { messageId, ...where }: { accountId: Id<'accounts'>; taskId: Id<'tasks'>; messageId: string },
  text: string,
  screen: Screen,
): Promise<void> {
  const { names } = parseMentions(text)
  if (names.length === 0) return
  const { page } = await http.query(api.messages.list, { ...where, paginationOpts: { numItems: 20, cursor: null } })
  const matched = page.find((message) => message.id === messageId)?.mentions.length ?? 0
  if (matched >= names.length) return
  const agents = await http.query(api.agents.list, { accountId: where.accountId })
  const known = new Set(agents.flatMap(({ slug, name }) => [slug, name.toLowerCase()]))
  const unknown = names.filter(({ name }) => !known.has(name)).map(({ name }) => `@${name}`)
  if (unknown.length > 0)
    screen.note(`nobody here is called ${unknown.join(', ')}; agents: ${agents.map(({ slug }) => `@${slug}`).join(', ')}`)
}
