/**
 * Keeps web pages out: a page on any site can make its visitor's browser call loopback. No browser has business here, so any Origin is
 * refused, and so is a Host that is neither this machine, a plain address, nor the name in TOOLS_URL (DNS rebinding).
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { Refusal } from './refusal.ts'

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1'])

/** @throws Refusal 400 or 403 */
export function checkSource({ headers }: IncomingMessage, allowedHosts: ReadonlySet<string>): void {
  const host = hostname(`http://${headers.host ?? ''}`)
  if (host === null) throw new Refusal(400, 'host', 'The request has no valid Host header.')
  if (!LOOPBACK.has(host) && isIP(host) === 0 && !allowedHosts.has(host)) {
    throw new Refusal(403, 'host', 'This host name is not allowed here: set TOOLS_URL to the address that agents use.')
  }
  if (headers.origin !== undefined) throw new Refusal(403, 'origin', 'Web pages may not call the tools of agents.')
}

/** Lower case, without the brackets of IPv6; `null` for what is no URL. */
export function hostname(url: string): string | null {
  const parsed = URL.parse(url)
  return parsed && parsed.hostname !== '' ? parsed.hostname.replace(/^\[|\]$/g, '').toLowerCase() : null
}
