import type { RunOutcome } from '../enums.ts'
import type { ErrorClass } from '../errors.ts'

/** Everything that can happen to an item. `random` is a number in [0, 1) for the backoff's jitter. */
export type LaneEvent =
  /** It became the lane's head. `hold` names what it must wait for first, e.g. a paused agent. */
  | { readonly type: 'activate'; readonly hold: string | null }
  | { readonly type: 'claim'; readonly epoch: number }
  /** At claim: no longer worth doing (agent gone, task closed, already seen). */
  | { readonly type: 'skip'; readonly reason: string }
  /** At claim: may run later (over budget). */
  | { readonly type: 'defer'; readonly until: number; readonly reason: string }
  /** What deferred it with this reason may be over: claimable at once, and looked at anew by the claim. */
  | { readonly type: 'recall'; readonly reason: string }
  | { readonly type: 'hold'; readonly hold: string }
  | { readonly type: 'resume'; readonly hold: string }
  | { readonly type: 'settle'; readonly fence: number; readonly outcome: 'reply' | 'receipt' }
  | {
      readonly type: 'fail'
      readonly fence: number
      readonly class: FailureClass
      readonly ended: boolean
      readonly reason: string
      readonly retryAfterMs: number
      readonly random: number
    }
  | { readonly type: 'release'; readonly fence: number; readonly ended: boolean }
  /** Its runtime is gone, or its deadline has passed. */
  | { readonly type: 'lapse'; readonly reason: string; readonly random: number }
  /** Its runtime lives but does not hold it: the answer of `claim` was lost. */
  | { readonly type: 'orphan' }
  | { readonly type: 'stop' }
  | { readonly type: 'close'; readonly reason: string }
  | { readonly type: 'redrive'; readonly seq: number }

/** The classes a turn can fail with. */
export type FailureClass = Extract<ErrorClass, 'retryable' | 'terminal' | 'configuration'>

/** What the caller must do besides patching the item, in this order, in the same transaction. */
export type LaneEffect =
  | { readonly type: 'startRun'; readonly reconcile: boolean }
  /** Closes the run of the item's fence, if it is open. */
  | { readonly type: 'completeRun'; readonly outcome: Exclude<RunOutcome, 'open'>; readonly reason: string | null }
  | { readonly type: 'postReply' }
  /** lane.activeId = null */
  | { readonly type: 'vacate' }
  /** Enqueue what the end causes (continuation, response) before the next item is promoted. Once for each end of an item. */
  | { readonly type: 'followUp' }
  /** First queued by seq becomes the head. */
  | { readonly type: 'promoteNext' }
  /** Become the head now if the lane is idle. */
  | { readonly type: 'activateIfIdle' }
  | { readonly type: 'alertPeople'; readonly why: 'dead' | 'configuration' }

export type Refusal = 'STALE_FENCE' | 'NOT_READY' | 'NOT_DUE' | 'LANE_CLOSED' | 'NOT_DEAD'

export type Transition<Patch> =
  | { readonly kind: 'changed'; readonly patch: Patch; readonly effects: readonly LaneEffect[] }
  /** Nothing to do; the event does not apply in this state and that is fine (stop on a finished item). */
  | { readonly kind: 'unchanged' }
  /** A repeated settle of the claim that ended the item: answer with what is stored. */
  | { readonly kind: 'replayed' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
