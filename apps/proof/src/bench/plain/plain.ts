/**
 * The plain design, for comparison: ask every 5 s for what is undelivered, at most 50, and work through it one after the other: fetch,
 * send, wait, post the answer, mark. It is how such services are usually written first. It delivers for real, through the same public
 * service functions, HTTP client and gateway client as the runtime:
 *
 *   list    service/notifications:listUndeliveredForAccount
 *   fetch   service/notifications:getForDelivery, then claim: this backend marks nothing that was not claimed
 *   send    the gateway's `agent` and `agent.wait`
 *   post    service/messages:createFromAgent
 *   mark    service/notifications:markDelivered
 *
 * Beside it one presence call a minute, as these services have, and one each 15 s while it works, because a claim shortens the lease. Nothing here is slowed down: a poll that is due while the one before is
 * still at work starts right after it.
 */
import { ConvexHttpClient } from 'convex/browser'
import { api } from '@mission-control/backend/convex/_generated/api'
import { createClient } from '@mission-control/openclaw/client'
import { createGateway } from '@mission-control/openclaw/official-gateway'
import { runTurn } from '@mission-control/openclaw/turn/run'
import type { Clock } from '@mission-control/shared/clock'
import { LEASE_BUSY_MS } from '@mission-control/shared/lanes/policy'
import type { ClaimedItem } from '@mission-control/shared/service-contract'

export interface PlainOptions {
  readonly convexUrl: string
  readonly accountId: string
  readonly serviceToken: string
  readonly gateway: { readonly url: string; readonly token: string }
  /** Milliseconds between the starts of two polls. */
  readonly pollMs: number
  /** Milliseconds between two presence calls. */
  readonly presenceMs: number
}

/** Of older systems of this kind. */
export const PLAIN_POLL_MS = 5_000
export const PLAIN_PRESENCE_MS = 60_000
const LIST = 50
const TURN_TIMEOUT_MS = 60_000
const IDENTITY = {
  versions: { runtime: 'plain', openclaw: null },
  infrastructure: { dropletId: null, ip: null, region: null },
}

/** Runs until the signal aborts. `onReady` is called when the first poll goes out, `onDelivered` after each mark. */
export async function runPlain(
  options: PlainOptions,
  clock: Clock,
  signal: AbortSignal,
  { onReady, onDelivered }: { onReady: () => void; onDelivered: (id: string) => void },
): Promise<void> {
  const http = new ConvexHttpClient(options.convexUrl, { logger: false, skipConvexDeploymentUrlCheck: true })
  const caller = { accountId: options.accountId, serviceToken: options.serviceToken }
  await using client = createClient({ clock }, options.gateway)
  const gateway = createGateway(client)
  await client.connected(signal)
  const announced = { ...IDENTITY, announcedIntervalMs: options.presenceMs }
  const hello = await http.mutation(api.service.runtime.hello, { ...caller, ...announced, instanceId: 'plain', boot: 'plain' })
  if (hello.role !== 'active') throw new Error('Another runtime works for the account of the plain client.')
  const { epoch } = hello

  let held: { id: string; fence: number } | null = null
  /** A claim has shortened the lease, and no presence has been told since `toldAt`, monotonic ms. */
  let claimedSince = false
  let toldAt = clock.monotonic()

  async function deliver(id: string): Promise<void> {
    const { taskId, agent } = await http.query(api.service.notifications.getForDelivery, { ...caller, id })
    const { items } = await http.mutation(api.service.notifications.claim, { ...caller, epoch, ids: [id] }, { skipQueue: true })
    const [item] = items
    if (item === undefined || taskId === null) return // somebody has taken it back
    held = { id, fence: item.fence }
    claimedSince = true
    const { text } = await runTurn(
      { gateway, clock },
      { sessionKey: item.sessionKey, turnKey: item.turnKey, message: prompt(item), timeoutMs: TURN_TIMEOUT_MS, signal },
    )
    await http.mutation(
      api.service.messages.createFromAgent,
      { ...caller, agentId: agent.id, taskId, content: text, key: item.turnKey },
      { skipQueue: true },
    )
    await http.mutation(api.service.notifications.markDelivered, { ...caller, id, fence: item.fence }, { skipQueue: true })
    held = null
    onDelivered(id)
  }

  const list = (cursor: string | null) =>
    http.query(api.service.notifications.listUndeliveredForAccount, { ...caller, cursor, limit: LIST })
  // The list begins with what is claimed, and nothing is yet: what follows is what waits. Asked once, so that a poll is one call.
  const { cursor } = await list(null)

  async function poll(): Promise<void> {
    const { items } = await list(cursor)
    for (const { id, state } of items) if (state === 'ready') await deliver(id)
    if (claimedSince && clock.monotonic() - toldAt >= LEASE_BUSY_MS / 3) await tellPresence()
  }

  async function tellPresence(): Promise<void> {
    claimedSince = false
    toldAt = clock.monotonic()
    const holding = held === null ? [] : [held]
    await http.mutation(
      api.service.runtime.checkIn,
      { ...caller, ...announced, epoch, held: holding, dueAgents: [], status: 'online', reasons: [] },
      { skipQueue: true },
    )
  }

  onReady()
  await Promise.all([every(options.pollMs, poll), every(options.presenceMs, tellPresence)])

  async function every(ms: number, act: () => Promise<unknown>): Promise<void> {
    let next = clock.monotonic()
    while (!signal.aborted) {
      await act()
      next = Math.max(next + ms, clock.monotonic())
      await clock.sleep(next - clock.monotonic(), signal).catch(() => undefined)
    }
  }
}

const prompt = ({ context: { task, title, body } }: ClaimedItem): string =>
  [`# ${title}`, ...(task === null ? [] : [`Task: ${task.title} (${task.status})`]), body].join('\n\n')
