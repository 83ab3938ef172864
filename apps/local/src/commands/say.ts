/** `./mc say`: posts to the running stack's task as a member, through the normal guards, and shows what comes back. */
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import { systemClock } from '@mission-control/host/clock'
import { untilAborted } from '@mission-control/host/until-aborted'
import { agentNames } from '../account.ts'
import { followTask } from '../conversation.ts'
import { createNarrator } from '../narrate.ts'
import { createScreen } from '../screen.ts'
import { createMember, LOCAL_IDENTITY } from '../stack/member.ts'
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
    throw new Error('Which task? This stack has no demo task: name one with --task <id> (./mc run tasks:list shows them).')
  }
  const accountId = record.accountId as Id<'accounts'>
  const taskId = task as Id<'tasks'>
  const adminKeyFile = path.join(dataDir, 'backend', 'admin-key')
  await using member = createMember({ url: record.backendUrl, adminKeyFile, identity: LOCAL_IDENTITY })
  if (!wait) {
    await member.http.mutation(api.messages.post, { accountId, taskId, content: text })
    return
  }
  const done = Promise.withResolvers<void>()
  let posted: { id: string; at: number } | null = null
  /** Deliveries that our message caused and that have not ended. */
  const open = new Set<string>()
  const screen = createScreen(process.stdout)
  const narrate = createNarrator({
    screen,
    agents: await agentNames(member, accountId),
    sinceMs: () => systemClock.monotonic() - (posted?.at ?? systemClock.monotonic()),
  })
  const stop = followTask(
    member,
    { accountId, taskId, replay: false },
    (event) => {
      narrate(event)
      if (event.type !== 'delivery' || event.delivery.messageId !== posted?.id) return
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
    posted = { id, at: systemClock.monotonic() }
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
