/** Translates what the official client throws into coded errors. The gateway's own code and hints are kept in the message. */
import { GatewayClientRequestError, GatewayClientRequestTimeoutError } from '@openclaw/gateway-client'
import type { GatewayErrorCode } from './errors.ts'
import { GatewayError, messageOf } from './errors.ts'

/** Details the gateway puts into errors, as far as they decide something. */
interface Details {
  readonly code?: unknown
  readonly reason?: unknown
}

const AUTH_CODES = /^(AUTH_|DEVICE_|PAIRING_)/

/** Every rejection of a request or a connection attempt. `sent` says whether the request can have reached the gateway. */
export function translateError(error: unknown, sent: boolean): unknown {
  if (error instanceof GatewayError) return error
  if (error instanceof Error && error.name === 'AbortError') return error
  if (error instanceof GatewayClientRequestTimeoutError) {
    return new GatewayError('GATEWAY_UNREACHABLE', error.message, { cause: error, ended: !error.requestSent })
  }
  if (error instanceof GatewayClientRequestError) return translateRejection(error)
  const code: GatewayErrorCode = sent ? 'GATEWAY_DISCONNECTED' : 'GATEWAY_UNREACHABLE'
  return new GatewayError(code, messageOf(error), { cause: error, ended: !sent })
}

function translateRejection(error: GatewayClientRequestError): GatewayError {
  const details = (error.details ?? {}) as Details
  const detailCode = typeof details.code === 'string' ? details.code : ''
  const options = {
    cause: error,
    // A request the gateway refused never became a run.
    ended: true,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  }
  const message = `${error.gatewayCode}${detailCode === '' ? '' : ` ${detailCode}`}: ${error.message}`
  if (AUTH_CODES.test(detailCode) || /unauthori[sz]ed/i.test(error.message))
    return new GatewayError('GATEWAY_AUTH', message, options)
  if (/PROTOCOL_MISMATCH/.test(detailCode)) return new GatewayError('GATEWAY_PROTOCOL', message, options)
  if (/Pending input ownership ended/.test(error.message)) return new GatewayError('TURN_KEY_SPENT', message, options)
  // The last two are about one agent and no outage of the gateway, though it calls them UNAVAILABLE: its database is being closed
  // after a deletion, or it was deleted once and came back by a patch (see recreateAgent).
  if (
    /^Agent "[^"]*" no longer exists|Unknown agent|agent database resources are closing|unavailable while agent \S+ is deleted/i.test(
      error.message,
    )
  )
    return new GatewayError('UNKNOWN_AGENT', message, options)
  if (/changed since last load/.test(error.message)) return new GatewayError('CONFIG_CONFLICT', message, options)
  if (error.gatewayCode === 'UNAVAILABLE' || error.retryable) return new GatewayError('GATEWAY_BUSY', message, options)
  return new GatewayError('GATEWAY_REJECTED', message, options)
}
