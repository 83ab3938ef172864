/** `./mc demo`: the main job on real parts, live and readable. */
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import { systemClock } from '@mission-control/host/clock'
import { untilAborted } from '@mission-control/host/until-aborted'
import { installOpenclaw } from '@mission-control/openclaw/install'
import { HealthPage } from '@mission-control/shared/health'
import { createAccount, fillDemo, followNames } from '../account.ts'
import type { ConversationEvent, Delivery } from '../conversation.ts'
import { forTerminal } from '@mission-control/shared/unseen'
import { followTask } from '../conversation.ts'
import { DEMO_MESSAGE, DEMO_REPLY, DEMO_TASK } from '../demo-account.ts'
import { realModel } from '../model.ts'
import { createNarrator, latencyOf } from '../narrate.ts'
import { createScreen } from '../screen.ts'
import { LOCAL_IDENTITY } from '../sign-in/person.ts'
import { openDataFolder } from '../stack/data-folder.ts'
import { ROOT } from '../stack/entries.ts'
import type { Member } from '../stack/member.ts'
import { createMember } from '../stack/member.ts'
import { endLeftovers, runningStack } from '../stack/record.ts'
import type { Stack } from '../stack/stack.ts'
import { startStack } from '../stack/stack.ts'
import { showStackEvent } from '../stack/show.ts'

export interface DemoOptions {
  readonly once: boolean
  readonly json: boolean
  readonly fakeGateway: boolean
  readonly dataDir: string
}

/** What `--once --json` prints. */
export interface DemoResult {
  deliveryId: string
  taskId: string
  agent: string
  reply: string
  gateway: { version: string | null; real: boolean }
  latencyMs: { commitToClaim: number; commitToAccepted: number | null; commitToSettled: number }
}

/**
 * Runs until the signal aborts, or with `once` until the first reply.
 * @throws Error with a sentence for the person who typed the command
 */
export async function demo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const { dataDir, fakeGateway } = options
  const running = runningStack(dataDir)
  if (running) {
    throw new Error(
      `A demo already runs here (process ${running.owner.pid}). Talk to it with ./mc say "...", or stop it with Ctrl-C in its terminal.`,
    )
  }
  const screen = createScreen(options.json ? process.stderr : process.stdout)
  screen.heading('Mission Control demo')
  for (const name of await endLeftovers(dataDir, systemClock)) screen.step(name, 'left over from a killed terminal; ended')
  openDataFolder(dataDir, { fresh: true })
  const openclawBin = fakeGateway
    ? null
    : await installOpenclaw({ root: ROOT, signal, onProgress: (line) => screen.step('openclaw', line) })
  const model = realModel(process.env)
  screen.step('model', model?.label ?? 'scripted, instant and offline (README: use your own)')

  await using stack = await startStack(
    {
      kind: 'demo',
      dataDir,
      ports: { backend: 0, site: 0, health: 0, tools: 0, gateway: 0 },
      fakeGateway,
      openclawBin,
      model,
      respond: (request) => (request.prompt.includes('draft the launch note') ? { kind: 'text', text: DEMO_REPLY } : null),
      clock: systemClock,
      onProgress: (event) => showStackEvent(screen, event),
      prepare: async ({ url, adminKeyFile }) => {
        await using member = createMember({ url, adminKeyFile, identity: LOCAL_IDENTITY })
        const account = await createAccount(member, 'Demo')
        return { ...account, taskId: await fillDemo(member, account.accountId) }
      },
    },
    signal,
  )
  await using member = createMember({ url: stack.backendUrl, adminKeyFile: stack.adminKeyFile, identity: LOCAL_IDENTITY })
  const accountId = stack.account.accountId as Id<'accounts'>
  const taskId = stack.account.taskId as Id<'tasks'>

  screen.heading(`Task: ${DEMO_TASK.title}`)
  const first = Promise.withResolvers<{ delivery: Delivery; reply: string }>()
  const names = await followNames(member, accountId)
  const spoken = new Map<string, string>()
  const narrate = createNarrator({ screen, nameOf: names.nameOf })
  const onEvent = (event: ConversationEvent) => {
    narrate(event)
    if (event.type === 'message') spoken.set(event.message.id, event.message.content)
    if (event.type !== 'delivery') return
    const { delivery } = event
    if (delivery.state === 'dead') first.reject(new Error(`The delivery was given up: ${delivery.reason ?? 'no reason given'}.`))
    if (delivery.state === 'delivered' && delivery.replyId !== null) {
      void replyText(member, accountId, taskId, delivery.replyId, spoken).then(
        (reply) => first.resolve({ delivery, reply }),
        first.reject,
      )
    }
  }
  const stopFollowing = followTask(member, { accountId, taskId, replay: true }, onEvent, first.reject)
  try {
    await member.http.mutation(api.messages.post, { accountId, taskId, content: DEMO_MESSAGE })
    const { delivery, reply } = await untilAborted(Promise.race([first.promise, stack.failed]), signal)
    if (options.once) {
      if (options.json)
        process.stdout.write(`${forTerminal(JSON.stringify(await result(stack, delivery, reply, names.nameOf, fakeGateway)))}\n`)
      return
    }
    screen.heading('It keeps running. Try these from a second terminal:')
    screen.note('./mc say "@lead what should we do next?"      a message to the same task')
    screen.note(`curl -s ${stack.healthUrl}/health              how the runtime is`)
    screen.note(`tail -f ${path.relative(process.cwd(), path.join(dataDir, 'logs', 'runtime.log'))}       what it does`)
    screen.note('Ctrl-C stops everything.\n')
    await untilAborted(stack.failed, signal)
  } finally {
    stopFollowing()
    names.stop()
    if (!options.once || !options.json) screen.step('stopping', 'runtime, gateway, model, backend')
  }
}

/** The two subscriptions are independent: the delivery may be known before its reply. */
async function replyText(
  member: Member,
  accountId: Id<'accounts'>,
  taskId: Id<'tasks'>,
  replyId: string,
  spoken: ReadonlyMap<string, string>,
): Promise<string> {
  const known = spoken.get(replyId)
  if (known !== undefined) return known
  const { page } = await member.http.query(api.messages.list, {
    accountId,
    taskId,
    paginationOpts: { numItems: 50, cursor: null },
  })
  const found = page.find((message) => message.id === replyId)
  if (!found) throw new Error('The reply is not in the thread.')
  return found.content
}

async function result(
  stack: Stack,
  delivery: Delivery,
  reply: string,
  nameOf: (agentId: string) => string,
  fakeGateway: boolean,
): Promise<DemoResult> {
  const health = HealthPage.parse(await (await fetch(`${stack.healthUrl}/health`)).json())
  const latency = latencyOf(delivery)
  if (!latency) throw new Error('The journal has no times for the delivery.')
  return {
    deliveryId: delivery.id,
    taskId: stack.account.taskId ?? '',
    agent: nameOf(delivery.agentId),
    reply,
    gateway: { version: health.gateway.version, real: !fakeGateway },
    latencyMs: latency,
  }
}
