/**
 * Where an agent's tools are. The address ends in a fingerprint of the agent's token: the gateway shows addresses and blanks secrets, so
 * the address alone tells whether an entry is current, whoever wrote it and whenever.
 */
import { createHash } from 'node:crypto'

/** Path of the endpoint; behind it may stand a fingerprint, which means nothing to the server. */
export const TOOLS_PATH = '/mcp'
const FINGERPRINT_CHARS = 12 // 48 bits of a hash: enough to differ, nothing to guess 256 random bits from
export const isToolsPath = (path: string): boolean => /^\/mcp(?:\/[0-9a-f]{12})?$/.test(path)

/** @param base what `baseUrl` answers */
export function addressFor(base: string, token: string): string {
  const fingerprint = createHash('sha256').update(token).digest('hex').slice(0, FINGERPRINT_CHARS)
  return `${base}/${fingerprint}`
}

/** The endpoint as gateways reach it: TOOLS_URL, or where we listen. An address without a path gets ours. */
export function baseUrl(configured: string | null, { host, port }: { readonly host: string; readonly port: number }): string {
  if (configured !== null) return new URL(configured).pathname === '/' ? `${configured}${TOOLS_PATH}` : configured
  // Nobody can connect to "any address"; our own gateway is on this machine.
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}${TOOLS_PATH}`
}
