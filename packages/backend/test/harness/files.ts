import type { Id } from '../../convex/_generated/dataModel.js'
import type { Backend } from './backend.ts'
import type { EmbeddedBackend } from './embedded.ts'

type StorageId = Id<'_storage'>

/** Puts a file into storage as an upload does: nobody's, until it is registered. */
export const upload = (backend: Backend, content: string | Uint8Array<ArrayBuffer>): Promise<StorageId> =>
  backend.run((ctx) => ctx.storage.store(new Blob([content], { type: 'text/plain' })))

/** The same for more bytes than a mutation may write: where that is limited, over HTTP. */
export async function uploadLarge(backend: Backend | EmbeddedBackend, bytes: number): Promise<StorageId> {
  const content = new Uint8Array(bytes)
  if (!('engine' in backend)) return await upload(backend, content)
  const server = await backend.engine.listen()
  try {
    const target = await backend.run((ctx) => ctx.storage.generateUploadUrl())
    return await uploadTo(at(server.url, target), content)
  } finally {
    await server.close()
  }
}

/** @returns what the upload's answer names */
export async function uploadTo(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  contentType = 'text/plain',
): Promise<StorageId> {
  const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': contentType } })
  if (!answer.ok) throw new Error(`The upload answered ${answer.status}: ${await answer.text()}`)
  return ((await answer.json()) as { storageId: StorageId }).storageId
}

/** The harness names a host where nothing listens; this is where something does. */
export const at = (origin: string, url: string): string => url.replace(/^https?:\/\/[^/]+/, origin)
