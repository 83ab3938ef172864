/**
 * The judge. Pure: what the person was acknowledged, and what the backend holds once all is quiet, in; what was lost and what stands twice,
 * out. Knows nothing of faults, so it cannot be kind to them.
 */
import type { DeliveryState } from '@mission-control/shared/enums'

export interface Posted {
  readonly marker: string
  readonly content: string
  /** Of the message, when the backend acknowledged it; `null`: no answer came, so it may be there or not. */
  readonly id: string | null
  /** An agent is mentioned, and has to answer. */
  readonly wantsReply: boolean
}

export interface FoundMessage {
  readonly id: string
  readonly content: string
  readonly byAgent: boolean
  readonly deliveryId: string | null
}

export interface FoundDelivery {
  readonly id: string
  readonly messageId: string | null
  readonly state: DeliveryState
  readonly reason: string | null
  readonly attempts: number
}

/** What the backend holds of one round. */
export interface Found {
  readonly messages: readonly FoundMessage[]
  readonly deliveries: readonly FoundDelivery[]
  /** Tasks that the model made by tool, by the marker of the message it was asked in. */
  readonly made: ReadonlyMap<string, number>
}

export interface Judgement {
  /** A sentence for each. */
  readonly lost: readonly string[]
  readonly duplicates: readonly string[]
  /** Ended without an answer, for a reason that people can read. */
  readonly explained: readonly string[]
}

const OPEN: ReadonlySet<DeliveryState> = new Set<DeliveryState>(['queued', 'ready', 'claimed', 'waiting'])

/** Whether nothing more is going to happen: every message that is there and wants an answer has a delivery, and all have ended. */
export function isQuiet(posted: readonly Posted[], { messages, deliveries }: Found): boolean {
  const told = new Set(deliveries.map(({ messageId }) => messageId))
  return (
    posted.every((one) => one.id === null || messages.some(({ id }) => id === one.id)) &&
    messages.every((message) => message.byAgent || !wantsReply(posted, message) || told.has(message.id)) &&
    deliveries.every(({ state }) => !OPEN.has(state))
  )
}

const wantsReply = (posted: readonly Posted[], message: FoundMessage) =>
  posted.some((one) => one.wantsReply && one.content === message.content)

export function judge(posted: readonly Posted[], found: Found): Judgement {
  const lost: string[] = []
  const duplicates: string[] = []
  const explained: string[] = []
  const { messages, deliveries, made } = found
  for (const one of posted) {
    const stands = messages.filter(({ byAgent, content }) => !byAgent && content === one.content)
    if (one.id !== null && !stands.some(({ id }) => id === one.id)) lost.push(`${one.marker}: acknowledged and not in the thread`)
    if (stands.length > 1) duplicates.push(`${one.marker}: posted once, ${stands.length} times in the thread`)
    if (!one.wantsReply) continue
    for (const { id } of stands) {
      const own = deliveries.filter(({ messageId }) => messageId === id)
      if (own.length === 0) lost.push(`${one.marker}: nobody was told of it`)
      if (own.length > 1) duplicates.push(`${one.marker}: ${own.length} deliveries for one agent`)
      for (const delivery of own) judgeDelivery(one.marker, delivery)
    }
    const times = made.get(one.marker) ?? 0
    if (times > 1) duplicates.push(`${one.marker}: its tool's task was made ${times} times`)
  }
  const known = new Set(deliveries.map(({ id }) => id))
  for (const { byAgent, deliveryId, content } of messages) {
    if (byAgent && (deliveryId === null || !known.has(deliveryId))) duplicates.push(`a reply to nothing: ${content.slice(0, 60)}`)
  }

  function judgeDelivery(marker: string, { id, state, reason, attempts }: FoundDelivery): void {
    const replies = messages.filter(({ byAgent, deliveryId }) => byAgent && deliveryId === id).length
    if (replies > 1) duplicates.push(`${marker}: ${replies} replies`)
    if (OPEN.has(state)) lost.push(`${marker}: still ${state} after ${attempts} attempts`)
    else if (state === 'delivered' && replies === 0) lost.push(`${marker}: delivered, and no reply is in the thread`)
    else if (state !== 'delivered' && reason === null) lost.push(`${marker}: ${state} without a reason`)
    else if (state !== 'delivered') explained.push(`${marker}: ${state}, ${reason}`)
  }
  return { lost, duplicates, explained }
}
