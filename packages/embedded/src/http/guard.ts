/**
 * Keeps web pages out. A page on any site can make the visitor's browser call loopback, so a request is refused when its Host
 * is a name we do not know (DNS rebinding) or its Origin is a site we do not know (cross-site calls).
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { RequestError } from '../errors.ts'

export interface GuardOptions {
  /** Host names accepted besides loopback and plain addresses. "*" accepts all. */
  allowedHosts?: readonly string[]
  /** Origins accepted besides loopback and the host itself ("https://app.example.org"). "*" accepts all. */
  allowedOrigins?: readonly string[]
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1'])

/** Throws 403 or 400. Returns the origin to mirror in CORS headers, or null for requests that no browser page made. */
export function checkSource(request: IncomingMessage, options: GuardOptions): string | null {
  const host = hostname(`http://${request.headers.host ?? ''}`)
  if (host === null) throw new RequestError(400, 'BadHost', 'The request has no valid Host header.')
  const hosts = options.allowedHosts ?? []
  if (!LOOPBACK.has(host) && !isIP(host) && !hosts.includes(host) && !hosts.includes('*')) {
    throw new RequestError(
      403,
      'HostNotAllowed',
      `The host name "${host}" is not allowed. Add it to the allowed hosts if it is yours.`,
    )
  }
  const origin = request.headers.origin
  if (origin === undefined) return null
  const origins = options.allowedOrigins ?? []
  const from = hostname(origin)
  if (from !== null && (LOOPBACK.has(from) || from === host)) return origin
  if (origins.includes(origin) || origins.includes('*')) return origin
  throw new RequestError(
    403,
    'OriginNotAllowed',
    `Pages of ${origin} may not call this backend. Add it to the allowed origins if it is yours.`,
  )
}

function hostname(url: string): string | null {
  const parsed = URL.parse(url)
  return parsed && parsed.hostname !== '' ? parsed.hostname.replace(/^\[|\]$/g, '').toLowerCase() : null
}
