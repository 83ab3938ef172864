/**
 * Follows one task live: messages, what becomes of each delivery, and the task's status, in the order in which they become known.
 * Three subscriptions over one socket; each callback brings the whole state, so what is new is found by comparing with what was seen.
 */
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Id } from '@mission-control/backend/convex/_generated/dataModel'
import type { FunctionReturnType } from 'convex/server'
import type { DeliveryState, TaskStatus } from '@mission-control/shared/enums'
import type { Member } from './stack/member.ts'

export type Delivery = FunctionReturnType<typeof api.deliveries.forTask>[number]
export type Message = FunctionReturnType<typeof api.messages.list>['page'][number]

export type ConversationEvent =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'delivery'; readonly delivery: Delivery; readonly was: DeliveryState | null }
  | { readonly type: 'status'; readonly status: TaskStatus; readonly was: TaskStatus }

/** Messages shown of what was there before we came. */
const WINDOW = 50

/**
 * @param onEvent called for everything new after the first state is known; `replay` also tells what was there before
 * @returns the way to stop
 */
export function followTask(
  member: Member,
  where: { accountId: Id<'accounts'>; taskId: Id<'tasks'>; replay: boolean },
  onEvent: (event: ConversationEvent) => void,
  onError: (error: Error) => void,
): () => void {
  const { accountId, taskId, replay } = where
  const live = member.live()
  const messages = new Set<string>()
  const states = new Map<string, DeliveryState>()
  const known = { messages: replay, deliveries: replay, status: null as TaskStatus | null }

  const stops = [
    live.onUpdate(
      api.messages.list,
      { accountId, taskId, paginationOpts: { numItems: WINDOW, cursor: null } },
      ({ page }) => {
        for (const message of page.toReversed()) {
          if (messages.has(message.id)) continue
          messages.add(message.id)
          if (known.messages) onEvent({ type: 'message', message })
        }
        known.messages = true
      },
      onError,
    ),
    live.onUpdate(
      api.deliveries.forTask,
      { accountId, taskId },
      (deliveries) => {
        for (const delivery of deliveries.toReversed()) {
          const was = states.get(delivery.id) ?? null
          if (was === delivery.state) continue
          states.set(delivery.id, delivery.state)
          if (known.deliveries) onEvent({ type: 'delivery', delivery, was })
        }
        known.deliveries = true
      },
      onError,
    ),
    live.onUpdate(
      api.tasks.get,
      { accountId, taskId },
      ({ status }) => {
        if (known.status !== null && known.status !== status) onEvent({ type: 'status', status, was: known.status })
        known.status = status
      },
      onError,
    ),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
