/** The stored files of a data folder, looked at from outside: what their documents say, and their contents, checked on the way. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline, Transform, type Readable } from 'node:stream'
import { filesFolder } from '../files/disk.ts'
import { STORAGE } from '../storage/catalog.ts'
import type { Connection } from '../storage/connection.ts'
import type { JsonObject } from '../values/json.ts'
import { OperationError } from './errors.ts'

export interface StoredFile {
  id: string
  /** Milliseconds. */
  creationTime: number
  /** Bytes. */
  size: number
  /** Hexadecimal. */
  sha256: string
  contentType: string | null
}

/** One at a time, in the order they were stored. */
export function* storedFiles(connection: Connection): Generator<StoredFile> {
  const sql = `SELECT d.json AS json FROM documents d JOIN tables t ON t.number = d.table_number WHERE t.name = ? ORDER BY d.row`
  for (const row of connection.iterate(sql, STORAGE)) {
    const { _id, _creationTime, size, sha256, contentType } = JSON.parse(row['json'] as string) as JsonObject
    yield {
      id: _id as string,
      creationTime: _creationTime as number,
      size: size as number,
      sha256: sha256 as string,
      contentType: (contentType as string | undefined) ?? null,
    }
  }
}

export const contentPath = (dataDir: string, id: string): string => join(filesFolder(dataDir), id)

/** The content of a file, which fails when it is missing or is not the one the document describes: then nothing may pass as whole. */
export function openContent(dataDir: string, file: StoredFile): Readable {
  const content = createReadStream(contentPath(dataDir, file.id))
  const checked = verifier(file)
  content.once('error', (error) => checked.destroy(damaged(file, error.message)))
  return pipeline(content, checked, () => {}) // who reads `checked` hears of failures
}

/** Passes bytes on and fails at their end when they are not the file's. */
function verifier(file: StoredFile): Transform {
  const hash = createHash('sha256')
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      done(hash.digest('hex') === file.sha256 ? null : damaged(file, 'its checksum is another one'))
    },
  })
}

function damaged(file: StoredFile, why: string): OperationError {
  return new OperationError(
    `The content of the stored file ${file.id} is missing or damaged (${why}): \`mission-control-backend check --deep\` names every such file; put it back from a backup, or delete it with storage.delete.`,
  )
}
