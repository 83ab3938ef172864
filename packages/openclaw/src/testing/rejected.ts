/** What a caller of the official client gets to see of a refusal of the fake's methods, for those who call them without a socket. */
import { GatewayClientRequestError } from '@openclaw/gateway-client'
import { translateError } from '../client-errors.ts'
import { RejectionError } from './fake/rejection.ts'

/** @param thrown by a method of the fake */
export function rejectedRequest(thrown: unknown): unknown {
  if (!(thrown instanceof RejectionError)) return thrown
  return translateError(new GatewayClientRequestError(thrown.rejection), true)
}
