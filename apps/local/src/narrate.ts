/** Says what happens in a conversation, in a person's words. */
import type { ConversationEvent, Delivery } from './conversation.ts'
import type { Screen } from './screen.ts'

export interface NarrateOptions {
  readonly screen: Screen
  /** Display name of an agent; agents may join while the conversation goes on. */
  readonly nameOf: (agentId: string) => string
}

/** Times are the backend's: how long after its commit something happened to a delivery, not when this terminal heard of it. */
export function createNarrator({ screen, nameOf }: NarrateOptions): (event: ConversationEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'message':
        return screen.message(event.message.author.name, event.message.content)
      case 'status':
        return screen.note(`           the task moved from ${event.was} to ${event.status}`)
      case 'delivery': {
        const line = describe(event.delivery, nameOf(event.delivery.agentId))
        if (line !== null) screen.event(sinceCommit(event.delivery), line)
        if (event.delivery.state === 'delivered') screen.note(journalLine(event.delivery))
      }
    }
  }
}

/** The newest thing known to have happened to it. */
function sinceCommit({ state, committedAt, claimedAt, endedAt }: Delivery): number {
  if (state === 'queued' || state === 'waiting') return 0
  return Math.max(0, (endedAt ?? claimedAt ?? committedAt) - committedAt)
}

function describe({ state, type, reason, attempts }: Delivery, agent: string): string | null {
  const what = type.replaceAll('_', ' ')
  switch (state) {
    case 'queued':
      return `${what} queued for ${agent}`
    case 'ready':
      return attempts > 0 ? `${agent}: tried again shortly (${reason ?? 'no reason given'})` : `${what} ready for ${agent}`
    case 'claimed':
      return `claimed by the runtime${attempts > 1 ? `, attempt ${attempts}` : ''}, on its way to ${agent}`
    case 'waiting':
      return `${agent} is paused; the ${what} waits`
    case 'skipped':
      return `skipped for ${agent}: ${reason ?? 'no longer needed'}`
    case 'dead':
      return `given up for ${agent}: ${reason ?? 'no reason given'}`
    case 'delivered':
      return null // the reply itself and the journal say it
  }
}

export interface Latency {
  readonly commitToClaim: number
  readonly commitToAccepted: number | null
  readonly commitToSettled: number
}

/** Times of a delivered item from its journal row, in ms since the commit. `null` before it is delivered. */
export function latencyOf({ committedAt, claimedAt, acceptedAt, endedAt }: Delivery): Latency | null {
  if (claimedAt === null || endedAt === null) return null
  return {
    commitToClaim: round(claimedAt - committedAt),
    commitToAccepted: acceptedAt === null ? null : round(acceptedAt - committedAt),
    commitToSettled: round(endedAt - committedAt),
  }
}

function journalLine(delivery: Delivery): string {
  const latency = latencyOf(delivery)
  if (!latency) return ''
  const { commitToClaim, commitToAccepted, commitToSettled } = latency
  return `           journal: claimed after ${commitToClaim} ms, accepted by the gateway after ${commitToAccepted ?? '?'} ms, reply in the thread after ${commitToSettled} ms`
}

const round = (ms: number) => Math.round(ms * 10) / 10
