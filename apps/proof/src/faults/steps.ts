/**
 * The steps of a delivery, each recognised by the message that makes it: a call, its answer or a frame is held on its way while the
 * fault is brought about, so that a round never has to guess where the delivery stands.
 */
import { markerText } from '../stage/model.ts'
import type { Hold, Seen } from '../stage/proxy.ts'
import type { RuntimeSide } from '../stage/stage.ts'

export const STEPS = [
  'before claim',
  'after claim',
  'sent',
  'accepted',
  'mid-turn',
  'tool called',
  'reply read',
  'before settle',
  'settle sent',
  'settled',
] as const
export type Step = (typeof STEPS)[number]

export interface ArmedStep {
  readonly reached: Promise<void>
  /** What is held goes on. */
  release(): void
}

/** What a step of the model looks like from here: it thinks about the message. */
export interface Thinking {
  readonly begun: Promise<void>
}

const isCall = (name: string) => (seen: Seen) => seen.kind === 'request' && seen.path === `service/${name}`
const isAnswer = (name: string) => (seen: Seen) => seen.kind === 'answer' && seen.path === `service/${name}`
const about = (marker: string, matches: (seen: Seen) => boolean) => (seen: Seen) => matches(seen) && seen.text.includes(marker)

interface GatewayFrame {
  readonly type?: string
  readonly id?: string
  readonly method?: string
  readonly params?: { readonly message?: string; readonly idempotencyKey?: string; readonly runId?: string }
  readonly payload?: { readonly status?: string }
}

/** The turn of one message in the frames that pass: knows its key, and which request an answer belongs to. */
function turnOf(marker: string) {
  let key: string | null = null
  const methods = new Map<string, string>()
  const frameOf = (seen: Seen): GatewayFrame | null => {
    if (seen.kind !== 'frame' || seen.text === '') return null
    return JSON.parse(seen.text) as GatewayFrame
  }
  /** @returns the method whose request this frame is or answers, for this turn only */
  function read(seen: Seen): { frame: GatewayFrame; method: string; answered: boolean } | null {
    const frame = frameOf(seen)
    if (frame?.type === 'req' && seen.direction === 'up') {
      const { method = '', params } = frame
      if (method === 'agent' && params?.message?.includes(markerText(marker)) === true) key = params.idempotencyKey ?? null
      const isOurs = key !== null && (params?.idempotencyKey === key || params?.runId === key)
      if (!isOurs) return null
      methods.set(`${seen.connection} ${frame.id}`, method)
      return { frame, method, answered: false }
    }
    if (frame?.type !== 'res' || seen.direction !== 'down') return null
    const method = methods.get(`${seen.connection} ${frame.id}`)
    return method === undefined ? null : { frame, method, answered: true }
  }
  return {
    isSend: (seen: Seen) => {
      const found = read(seen)
      return found !== null && found.method === 'agent' && !found.answered
    },
    isAccepted: (seen: Seen) => {
      const found = read(seen)
      return found !== null && found.method === 'agent' && found.answered && found.frame.payload?.status === 'accepted'
    },
    isReply: (seen: Seen) => {
      const found = read(seen)
      return found !== null && found.method === 'agent.wait' && found.answered && found.frame.payload?.status === 'ok'
    },
  }
}

/** Call before the message is posted, and while nothing else is under way. */
export function armStep(step: Step, { toBackend, toGateway }: RuntimeSide, marker: string, thinking: Thinking): ArmedStep {
  const turn = turnOf(marker)
  const held = (hold: Hold): ArmedStep => ({ reached: hold.reached.then(() => undefined), release: () => hold.release() })
  switch (step) {
    case 'before claim':
      return held(toBackend.hold(isCall('notifications:claim')))
    case 'after claim':
      return held(toBackend.hold(about(markerText(marker), isAnswer('notifications:claim'))))
    case 'sent':
      return held(toGateway.hold(turn.isSend))
    case 'accepted':
      return held(toGateway.hold(turn.isAccepted))
    case 'mid-turn':
      return { reached: thinking.begun, release: () => undefined }
    case 'tool called':
      return held(toBackend.hold(about(marker, isAnswer('tools:call'))))
    case 'reply read':
      return held(toGateway.hold(turn.isReply))
    case 'before settle':
      return held(toBackend.hold(about(marker, isCall('notifications:settle'))))
    case 'settle sent':
      return held(toBackend.hold(isAnswer('notifications:settle')))
    case 'settled': {
      const done = Promise.withResolvers<void>()
      const stop = toBackend.watch((seen) => {
        if (!isAnswer('notifications:settle')(seen)) return
        stop()
        done.resolve()
      })
      return { reached: done.promise, release: () => undefined }
    }
  }
}
