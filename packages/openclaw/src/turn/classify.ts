/** Turns the gateway's words about a failed run into a coded error. The run is over in every case here. */
import { GatewayError } from '../errors.ts'

/** After a refused key OpenClaw blocks the provider for about a minute, for every agent. */
const REFUSED_KEY_PAUSE_MS = 60_000

/** A recovery began at the same moment; the turn goes on under another run. Not an end of the turn. */
export function isOvertaken(message: string): boolean {
  return /SESSION_WORK_START_CHANGED|changed while starting work/.test(message)
}

/** The gateway is stopping and gave up a run it had accepted but not begun. */
export function isDraining(message: string): boolean {
  return /Gateway is draining/.test(message)
}

export function runError(message: string, stopReason: string | null): GatewayError {
  if (stopReason === 'rpc') return new GatewayError('TURN_ABORTED', 'the turn was aborted', { ended: true })
  if (
    /\b40[13]\b|API key|unauthorized|authentication|temporarily disabled|Unknown model|model.{0,40}not (?:found|exist)/i.test(
      message,
    )
  ) {
    return new GatewayError('TURN_MODEL_CONFIG', message, { ended: true, retryAfterMs: REFUSED_KEY_PAUSE_MS })
  }
  return new GatewayError('TURN_FAILED', message, { ended: true })
}
