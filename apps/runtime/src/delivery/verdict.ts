/** What to tell the backend about a turn that has ended, and whether the gateway is to blame. Pure. */
import type { ErrorCode } from '@mission-control/shared/errors'
import type { FailureClass } from '@mission-control/shared/lanes/events'
import { isGatewayError } from '@mission-control/openclaw/errors'
import type { GatewayErrorCode } from '@mission-control/openclaw/errors'
import type { StopMode } from '@mission-control/openclaw/turn/types'
import { StopTurn } from '@mission-control/openclaw/turn/types'
import type { TurnReply } from '../turns.ts'

/**
 * Why the runtime itself ended a turn, and what that does to a turn in the gateway:
 *  `stopped`     a person stopped it: ended, its answer is dropped
 *  `shutdown`    ended; an answer that won the race is kept
 *  `superseded`  left alone: the item is no longer ours, but its next owner, often ourselves, may wait for this very run
 *  `gatewayDown` left alone: there is nobody to ask; the next claim looks what became of it
 */
export type InterruptReason = 'stopped' | 'shutdown' | 'superseded' | 'gatewayDown'

const MODE = { stopped: 'discard', shutdown: 'abort', superseded: 'detach', gatewayDown: 'detach' } as const satisfies Record<
  InterruptReason,
  StopMode
>

/** The reason of an aborted turn signal; packages/openclaw reads the mode. */
export class Interrupt extends StopTurn {
  readonly why: InterruptReason
  constructor(why: InterruptReason) {
    super(MODE[why], `the turn was interrupted: ${why}`)
    this.why = why
  }
}

/** Why an attempt failed or was given back: a code of docs/errors.md. */
export type DeliveryCode = GatewayErrorCode | ErrorCode

export type Verdict =
  | { readonly kind: 'settle'; readonly outcome: 'reply' | 'receipt'; readonly reply: string | null }
  | {
      readonly kind: 'fail'
      readonly class: FailureClass
      readonly code: DeliveryCode
      readonly reason: string
      readonly ended: boolean
      readonly retryAfterMs: number | null
    }
  /** Give the claim back without using an attempt. `refuses`: claim nothing more for now; `lost`: its connection says when to go on. */
  | {
      readonly kind: 'release'
      readonly ended: boolean
      readonly code: DeliveryCode
      readonly reason: string
      readonly gateway: 'fine' | 'lost' | 'refuses'
      readonly retryAfterMs: number | null
    }
  /** Another runtime owns the item: say nothing. */
  | { readonly kind: 'drop' }

/** An agent says this when a heartbeat found nothing to do. */
export const RECEIPT = 'HEARTBEAT_OK'

/** The gateway, not the item, is the reason: giving the item back costs it nothing. */
const GATEWAY_DOWN: ReadonlySet<GatewayErrorCode> = new Set<GatewayErrorCode>([
  'GATEWAY_UNREACHABLE',
  'GATEWAY_BUSY',
  'GATEWAY_START_FAILED',
  'GATEWAY_AUTH',
  'GATEWAY_PROTOCOL',
  'OPENCLAW_NOT_FOUND',
])

/** A reply that won the race against an abort is kept: the backend itself refuses it where it must. */
export function verdictOfReply({ text }: TurnReply, why: InterruptReason | null): Verdict {
  if (why === 'superseded') return { kind: 'drop' }
  const reply = text.trim()
  return reply === '' || reply === RECEIPT
    ? { kind: 'settle', outcome: 'receipt', reply: null }
    : { kind: 'settle', outcome: 'reply', reply: text }
}

/** Of a failure that stands for a result the backend refuses. */
export const REFUSED_CODE = 'RESULT_REFUSED'

/**
 * What is said of a result that the backend refuses for good: nothing of it goes into this one, whatever it was that is refused.
 * `null`: there is nothing simpler to say; the claim lapses.
 */
export function verdictOfRefusal(refused: Verdict, why: string): Verdict | null {
  if (refused.kind !== 'settle' && refused.kind !== 'fail') return null
  const reason = oneLine(`the backend refuses the result: ${why}`).slice(0, 200).toWellFormed()
  const ended = refused.kind === 'settle' || refused.ended
  return { kind: 'fail', class: 'terminal', code: REFUSED_CODE, reason, ended, retryAfterMs: null }
}

/** @param gatewayUp whether the gateway is known to be up at this moment */
export function verdictOfError(error: unknown, why: InterruptReason | null, gatewayUp: boolean): Verdict {
  if (why === 'superseded') return { kind: 'drop' }
  const ended = isGatewayError(error) && error.ended
  if (why === 'shutdown')
    return { kind: 'release', ended, code: 'SHUTDOWN', reason: 'the runtime stops', gateway: 'fine', retryAfterMs: null }
  if (why === 'gatewayDown')
    return {
      kind: 'release',
      ended,
      code: 'GATEWAY_UNREACHABLE',
      reason: 'the gateway is down',
      gateway: 'lost',
      retryAfterMs: null,
    }
  if (why === 'stopped') {
    return { kind: 'fail', class: 'retryable', code: 'STOPPED', reason: 'the turn was stopped', ended, retryAfterMs: null }
  }
  if (!isGatewayError(error)) {
    // A defect of ours. It uses an attempt, or it would be repeated for ever.
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { kind: 'fail', class: 'retryable', code: 'TURN_FAILED', reason: oneLine(reason), ended: false, retryAfterMs: null }
  }
  const { code } = error
  const reason = oneLine(error.message)
  const retryAfterMs = error.retryAfterMs ?? null
  // Whatever a turn dies of while the gateway is away, even its own time limit, says nothing about the item.
  if (code === 'GATEWAY_DISCONNECTED' || (!gatewayUp && error.class === 'retryable'))
    return { kind: 'release', ended, code, reason, gateway: 'lost', retryAfterMs }
  if (GATEWAY_DOWN.has(code)) return { kind: 'release', ended, code, reason, gateway: 'refuses', retryAfterMs }
  // The key is burnt and nothing ran: the next turn number runs exactly once.
  if (code === 'TURN_KEY_SPENT') return { kind: 'release', ended: true, code, reason, gateway: 'fine', retryAfterMs }
  return { kind: 'fail', class: error.class, code, reason, ended, retryAfterMs }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, 1_000).toWellFormed()
