/** Bodies of pushes: larger than those of calls, and compressed. */
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'
import { isObject, type Json, type JsonObject } from '../values/json.ts'

const MAX_BODY_BYTES = 64 * 1024 * 1024 // bundles of a large app with source maps, before and after decompression

export async function readPushBody(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Error('The push is too large.')
    chunks.push(chunk)
  }
  const raw = Buffer.concat(chunks)
  if (raw.length === 0) return {}
  const encoding = request.headers['content-encoding']
  const limit = { maxOutputLength: MAX_BODY_BYTES }
  const decoded =
    encoding === 'br'
      ? await promisify(brotliDecompress)(raw, limit)
      : encoding === 'gzip'
        ? await promisify(gunzip)(raw, limit)
        : raw
  const body = JSON.parse(decoded.toString('utf8')) as Json
  if (!isObject(body)) throw new Error('The body of a push must be a JSON object.')
  return body
}
