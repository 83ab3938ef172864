/**
 * Brings the stored files of an import in. Contents are written and checked first, under names of their own, so that nobody waits
 * for them; their documents and names come with the import's one transaction. A content is replaced only by the same content.
 */
import { checkDigest } from '../files/digest.ts'
import type { ContentStore, Written } from '../files/disk.ts'
import { keyOf, STORAGE, type TableInfo } from '../storage/catalog.ts'
import { tableNumberOf } from '../values/ids.ts'
import type { JsonObject } from '../values/json.ts'
import { OperationError } from './errors.ts'
import type { ImportDeps, ImportMode } from './import.ts'
import type { ImportedFiles, ImportSource } from './import-source.ts'

export interface PreparedFile {
  id: string
  creationTime: number | null
  contentType: string | null
  written: Written
}
export interface PlacedFiles {
  written: number
  /** Contents to remove when the transaction fails. */
  adopted: string[]
  /** Contents to remove after the COMMIT. */
  replaced: string[]
}

/** Writes every content; null when the import has no stored files. Whoever gets them discards what is left in the end. */
export async function prepareFiles(source: ImportSource, store: ContentStore): Promise<PreparedFile[] | null> {
  if (!source.files) return null
  const prepared: PreparedFile[] = []
  try {
    for await (const file of described(source.files)) {
      const { id, creationTime, contentType, open } = file
      const written = await store.write(await open())
      prepared.push({ id, creationTime, contentType, written })
      check(file, written)
    }
    return prepared
  } catch (error) {
    await discardFiles(store, prepared)
    throw error
  }
}

export async function discardFiles(store: ContentStore, prepared: readonly PreparedFile[] | null): Promise<void> {
  for (const { written } of prepared ?? []) await store.discard(written)
}

async function* described({ rows, contents }: ImportedFiles) {
  const known = new Set<string>()
  for await (const { line, value } of rows()) {
    const { _id: id, _creationTime: creationTime = null, contentType = null, sha256 = null, size = null } = value
    const where = `Stored files, line ${line}`
    if (typeof id !== 'string' || tableNumberOf(id) === null)
      throw new OperationError(`${where}: ${JSON.stringify(id)} is not an id.`)
    if (creationTime !== null && typeof creationTime !== 'number')
      throw new OperationError(`${where}: \`_creationTime\` must be a number of milliseconds.`)
    if (contentType !== null && typeof contentType !== 'string')
      throw new OperationError(`${where}: \`contentType\` must be text.`)
    if (known.has(id)) throw new OperationError(`${where}: the id ${id} is there twice.`)
    const open = contents.get(id)
    if (!open) throw new OperationError(`${where}: the import has no content _storage/${id}.`)
    known.add(id)
    yield { id, creationTime, contentType, sha256, size, open }
  }
  const [stray] = [...contents.keys()].filter((id) => !known.has(id))
  if (stray !== undefined)
    throw new OperationError(
      `The import has a content _storage/${stray} that _storage/documents.jsonl does not name: remove it, or add its line.`,
    )
}

function check({ id, sha256, size }: { id: string; sha256: unknown; size: unknown }, written: Written): void {
  try {
    if (size !== null && size !== written.size)
      throw new Error(`It has ${written.size} bytes, expected were ${JSON.stringify(size)}.`)
    checkDigest(written, sha256)
  } catch (error) {
    throw new OperationError(`The content _storage/${id} of the import is not the right one. ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** Inside the import's transaction. */
export function placeFiles(
  { connection, catalog, nextCreationTime }: ImportDeps,
  store: ContentStore,
  prepared: readonly PreparedFile[] | null,
  mode: ImportMode,
): PlacedFiles {
  const placed: PlacedFiles = { written: 0, adopted: [], replaced: [] }
  if (!prepared) return placed
  const table = catalog.table(STORAGE)!
  const before = new Map<string, JsonObject>()
  for (const row of connection.all('SELECT id, json FROM documents WHERE table_number = ?', table.number))
    before.set(row['id'] as string, JSON.parse(row['json'] as string) as JsonObject)
  if (mode === 'requireEmpty' && before.size > 0)
    throw new OperationError('There are stored files already: import with replace or append.')
  const replaces = mode === 'replaceAll' || mode === 'replace'
  if (replaces) {
    for (const index of table.indexes.values()) connection.run('DELETE FROM entries WHERE index_id = ?', index.id)
    connection.run('DELETE FROM documents WHERE table_number = ?', table.number)
  }
  try {
    for (const { id, creationTime, contentType, written } of prepared) {
      const { sha256, size } = written
      refuseOther(table, id, before.get(id), { sha256, replaces })
      const fields = { sha256, size, ...(contentType !== null && { contentType }) }
      const document = { ...fields, _creationTime: creationTime ?? nextCreationTime(), _id: id }
      const row = connection.insertDocument(id, table.number, JSON.stringify(document))
      for (const index of table.indexes.values()) connection.addEntry(index.id, keyOf(index, document), row)
      if (!before.has(id)) placed.adopted.push(id)
      store.adopt(written, id)
      placed.written++
    }
  } catch (error) {
    // The caller hears of what was adopted only when this returns.
    for (const id of placed.adopted) void store.remove(id)
    throw error
  }
  const kept = new Set(prepared.map(({ id }) => id))
  if (replaces) placed.replaced.push(...[...before.keys()].filter((id) => !kept.has(id)))
  return placed
}

function refuseOther(
  table: TableInfo,
  id: string,
  before: JsonObject | undefined,
  now: { sha256: string; replaces: boolean },
): void {
  const number = tableNumberOf(id)
  if (number !== table.number)
    throw new OperationError(`The stored file ${id} is of table number ${number}, "${STORAGE}" has number ${table.number} here.`)
  if (before && !now.replaces) throw new OperationError(`The id ${id} of a stored file is taken already.`)
  if (before && before['sha256'] !== now.sha256)
    throw new OperationError(
      `The stored file ${id} is there with another content: a stored file never changes, so delete it first.`,
    )
}
