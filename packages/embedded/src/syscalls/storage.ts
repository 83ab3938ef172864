/** `ctx.storage`: in queries and mutations within their transaction, in actions each call on its own. */
import { FunctionError, NotSupportedError } from '../errors.ts'
import { checkDigest } from '../files/digest.ts'
import type { Files } from '../files/files.ts'
import type { FileUrls } from '../files/urls.ts'
import type { Execution } from '../functions/execution.ts'
import type { Transaction } from '../transactions/transaction.ts'
import type { Json, JsonObject } from '../values/json.ts'

export interface StorageDeps {
  files: Files
  urls: FileUrls
  /** Runs `body` as a mutation of its own. */
  mutate: <T>(body: (tx: Transaction) => T) => Promise<T>
  /** Runs `body` on a snapshot of its own. */
  read: <T>(body: (tx: Transaction) => T) => Promise<T>
}
export type StorageCalls = ReturnType<typeof createStorageCalls>

export function createStorageCalls({ files, urls, mutate, read }: StorageDeps) {
  const reading = <T>({ tx }: Execution, body: (tx: Transaction) => T): T | Promise<T> => (tx ? body(tx) : read(body))
  const writing = <T>({ tx }: Execution, body: (tx: Transaction) => T): T | Promise<T> => (tx ? body(tx) : mutate(body))

  function checkWriter({ tx }: Execution, method: string): void {
    if (tx && !tx.writable) throw new FunctionError(`storage.${method} is not available in queries.`)
  }

  /** Writes the content first, then its document: in the caller's transaction, or in one of its own for actions. */
  async function store(
    execution: Execution | null,
    chunks: AsyncIterable<Uint8Array>,
    contentType: string | null,
    sha256: unknown,
  ): Promise<string> {
    const written = await files.store.write(chunks)
    try {
      checkDigest(written, sha256)
      // The handler may have been cut off while the content was written.
      if (execution?.closed) throw new FunctionError(`${execution.fn.path} ended before its file was stored.`)
      const insert = (tx: Transaction) => files.insert(tx, written, contentType)
      return await (execution ? writing(execution, insert) : mutate(insert))
    } catch (error) {
      await files.store.discard(written)
      throw error
    }
  }

  return {
    /** An upload over HTTP: the file is there when this resolves. */
    upload: (chunks: AsyncIterable<Uint8Array>, contentType: string | null, sha256: string | null) =>
      store(null, chunks, contentType, sha256),
    find: (id: string) => read((tx) => files.find(tx, id, 'storage.get')),
    /** Bytes `start` to `end` of a content, both included; null when it is missing. */
    content: (id: string, start: number, end: number) => files.store.read(id, start, end),
    urls,

    async call(execution: Execution, op: string, args: JsonObject): Promise<Json> {
      const id = args['storageId']
      switch (op) {
        case '1.0/storageGetUrl':
          return (await reading(execution, (tx) => files.find(tx, id, 'storage.getUrl'))) ? urls.download(id as string) : null
        case '1.0/storageGetMetadata': {
          const found = await reading(execution, (tx) => files.find(tx, id, 'storage.getMetadata'))
          if (!found) return null
          return { storageId: id!, sha256: found['sha256']!, size: found['size']!, contentType: found['contentType'] ?? null }
        }
        case '1.0/storageGenerateUploadUrl':
          checkWriter(execution, 'generateUploadUrl')
          return urls.upload()
        case '1.0/storageDelete':
          checkWriter(execution, 'delete')
          await writing(execution, (tx) => files.delete(tx, id))
          return {}
        case '1.0/storageStore': {
          checkWriter(execution, 'store')
          const content = Buffer.from(args['blob'] as string, 'base64')
          execution.tx?.count('bytesWritten', content.length)
          return store(execution, oneChunk(content), typeOf(args['contentType']), args['sha256'])
        }
        case '1.0/storageGet': {
          const found = await reading(execution, (tx) => files.find(tx, id, 'storage.get'))
          if (!found) return null
          execution.tx?.count('bytesRead', found['size'] as number)
          const blob = await files.store.blob(id as string, '')
          if (!blob) throw new FunctionError(`The content of file ${id as string} is missing from the data folder.`)
          const content = Buffer.from(await blob.arrayBuffer()).toString('base64')
          return { blob: content, contentType: found['contentType'] ?? null }
        }
        default:
          throw new NotSupportedError(op)
      }
    },

    /** Calls that take or give a Blob: of actions only, and never the whole file in memory. */
    async callWithBlob(execution: Execution, op: string, args: Record<string, unknown>): Promise<unknown> {
      if (execution.tx) throw new NotSupportedError(`${op} in queries and mutations`)
      if (op === 'storage/storeBlob') {
        const { blob, options } = args
        if (!(blob instanceof Blob)) throw new FunctionError('storage.store expects a Blob.')
        return store(execution, blob.stream(), typeOf(blob.type), (options as { sha256?: unknown } | undefined)?.sha256)
      }
      if (op !== 'storage/getBlob') throw new NotSupportedError(op)
      const id = args['storageId']
      const found = await read((tx) => files.find(tx, id, 'storage.get'))
      return found && files.store.blob(id as string, (found['contentType'] as string | undefined) ?? '')
    },
  }
}

const typeOf = (given: unknown): string | null => (typeof given === 'string' && given !== '' ? given : null)

async function* oneChunk(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}
