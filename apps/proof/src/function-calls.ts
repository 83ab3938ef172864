/** What proxies in front of the backend read of the calls that pass. */
import type { IncomingMessage } from 'node:http'

export async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The function that a request to the backend calls (`service/runtime:checkIn`); `null`: it calls none. */
export function functionIn(body: Buffer): string | null {
  try {
    const { path } = JSON.parse(body.toString()) as { path?: unknown }
    return typeof path === 'string' ? path : null
  } catch {
    return null
  }
}
