/** Stored files over HTTP: uploads and downloads, streamed both ways. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Engine } from '../engine.ts'
import { FunctionError, RequestError } from '../errors.ts'
import type { Reply } from './routes.ts'

const PREFIX = '/api/storage/'
/** Types a browser runs: such a file must not act in the name of this origin. */
const ACTIVE = /html|xml|svg|javascript/i

/** Answers requests for stored files: with a reply to send, with "sent", or null when the request is for something else. */
export async function serveStorage(
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<Reply | 'sent' | null> {
  if (!url.pathname.startsWith(PREFIX)) return null
  if (url.pathname === `${PREFIX}upload` && request.method === 'POST') return upload(engine, request, url)
  if (request.method === 'GET' || request.method === 'HEAD')
    return download(engine, request, response, url.pathname.slice(PREFIX.length))
  return null
}

async function upload(engine: Engine, request: IncomingMessage, url: URL): Promise<Reply> {
  engine.storage.urls.checkUpload(url.searchParams.get('token'))
  const digest = /(?:^|,)\s*sha-256=([^,]+)/i.exec(`${String(request.headers['digest'] ?? '')}`)?.[1] ?? null
  const { maxUploadBytes } = engine
  const tooLarge = () =>
    new RequestError(
      413,
      'FileTooLarge',
      `The file is larger than ${maxUploadBytes} bytes, the most this backend takes in one upload.`,
    )
  if (Number(request.headers['content-length'] ?? 0) > maxUploadBytes) throw tooLarge()
  try {
    const storageId = await engine.storage.upload(
      bounded(request, maxUploadBytes, tooLarge),
      request.headers['content-type'] ?? null,
      digest,
    )
    return { status: 200, body: { storageId } }
  } catch (error) {
    if (error instanceof FunctionError) throw new RequestError(400, 'BadUpload', error.message)
    throw error
  }
}

async function* bounded(request: IncomingMessage, most: number, tooLarge: () => Error): AsyncGenerator<Buffer> {
  let size = 0
  // A request that is destroyed takes its connection with it, and the answer that says why.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > most) throw tooLarge()
    yield chunk
  }
}

async function download(
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
): Promise<Reply | 'sent'> {
  const id = engine.storage.urls.readDownload(name)
  const found = await engine.storage.find(id)
  if (!found) throw new RequestError(404, 'FileNotFound', 'The file has been deleted.')
  const [size, sha256] = [found['size'] as number, found['sha256'] as string]
  const type = (found['contentType'] as string | undefined) ?? 'application/octet-stream'
  const headers: Record<string, string | number> = {
    'content-type': type,
    'accept-ranges': 'bytes',
    etag: `"${sha256}"`,
    digest: `sha-256=${Buffer.from(sha256, 'hex').toString('base64')}`,
    'cache-control': 'private, no-cache', // a deleted file must be gone
    'x-content-type-options': 'nosniff',
    ...(ACTIVE.test(type) && { 'content-security-policy': 'sandbox' }),
  }
  if (request.headers['if-none-match'] === headers['etag']) return finish(response, 304, headers)
  const range = readRange(request.headers.range, size)
  if (range === 'unsatisfiable') return finish(response, 416, { ...headers, 'content-range': `bytes */${size}` })
  const { start, end } = range ?? { start: 0, end: size - 1 }
  headers['content-length'] = end - start + 1
  if (range) headers['content-range'] = `bytes ${start}-${end}/${size}`
  const status = range ? 206 : 200
  if (request.method === 'HEAD' || size === 0) return finish(response, status, headers)
  const content = await engine.storage.content(id, start, end)
  if (!content) {
    engine.log.error('the content of a stored file is missing from the data folder', { id })
    throw new RequestError(500, 'FileContentMissing', 'The content of the file is missing.')
  }
  response.writeHead(status, headers)
  // A client that hangs up, or a disk that fails midway: the answer has begun, so all there is to do is to end it.
  await pipeline(content, response).catch(() => response.destroy())
  return 'sent'
}

function finish(response: ServerResponse, status: number, headers: Record<string, string | number>): 'sent' {
  response.writeHead(status, headers).end()
  return 'sent'
}

/** One range of bytes. Anything else a Range header may hold is ignored, as the standard allows: the whole file is sent. */
function readRange(header: string | undefined, size: number): { start: number; end: number } | 'unsatisfiable' | null {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return null
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (from !== '' && to !== '' && Number(to) < Number(from)) return null
  return start > end ? 'unsatisfiable' : { start, end }
}
