/**
 * Imports the official CLI uploads. A file arrives in parts, waits for a confirmation and is then brought in as one mutation, so
 * other writers wait while it runs and a refused document leaves everything as it was. States:
 * waiting_for_confirmation -> in_progress -> completed | failed.
 */
import type { Random } from '@mission-control/shared/clock'
import { createReadStream, createWriteStream, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Log } from '../engine.ts'
import { NotSupportedError, RequestError } from '../errors.ts'
import type { Files } from '../files/files.ts'
import { OperationError } from '../operations/errors.ts'
import { IMPORT_MODES, importInto, renumbered, type ImportMode } from '../operations/import.ts'
import { discardFiles, placeFiles, prepareFiles, type PlacedFiles, type PreparedFile } from '../operations/import-files.ts'
import type { ImportFormat } from '../operations/import-rows.ts'
import { openImport, type ImportSource } from '../operations/import-source.ts'
import type { Sequence } from '../transactions/sequence.ts'
import type { Writer } from '../transactions/writer.ts'
import { isObject, type Json, type JsonObject } from '../values/json.ts'

export interface ImportState {
  state: 'waiting_for_confirmation' | 'in_progress' | 'completed' | 'failed'
  message_to_confirm?: string
  require_manual_confirmation?: boolean
  num_rows_written?: bigint
  error_message?: string
}
export interface ImportsDeps {
  writer: Writer
  sequence: Sequence
  files: Files
  random: Random
  log: Log
  /** A state changed, or the data did. */
  changed(): void
}
interface Import {
  file: string
  table: { name: string; format: ImportFormat } | null
  mode: ImportMode
  state: ImportState
}
export type Imports = ReturnType<typeof createImports>

const MAX_UPLOADS = 16 // begun and not finished: their clients are gone once there are more, and the oldest are forgotten
const MAX_PARTS = 10_000
const TOKEN_BYTES = 16
const TABLE_FORMATS: readonly ImportFormat[] = ['jsonLines', 'csv', 'jsonArray']
const MAX_IMPORTS = 100 // whose state can be asked for; one that nobody confirmed holds a file until it is forgotten

export function createImports(deps: ImportsDeps) {
  const imports = new Map<string, Import>()
  const uploads = new Set<string>()
  let folder: string | null = null
  const token = () => Buffer.from(deps.random.bytes(TOKEN_BYTES)).toString('hex')
  const workFolder = () => (folder ??= mkdtempSync(join(tmpdir(), 'convex-import-')))
  const partFile = (upload: string, part: number) => join(workFolder(), `${upload}.${part}`)

  function upload(name: Json | string | null | undefined): string {
    if (typeof name !== 'string' || !uploads.has(name)) throw new RequestError(400, 'UnknownUpload', 'There is no such upload.')
    return name
  }

  function forgetUpload(name: string): void {
    uploads.delete(name)
    for (const file of readdirSync(workFolder())) {
      if (file.startsWith(`${name}.`)) rmSync(join(workFolder(), file))
    }
  }

  function forgetOldImports(): void {
    for (const [id, { state, file }] of imports) {
      if (imports.size <= MAX_IMPORTS) return
      if (state.state === 'in_progress') continue
      rmSync(file, { force: true })
      imports.delete(id)
    }
  }

  async function run(job: Import): Promise<void> {
    let source: ImportSource | undefined
    let prepared: PreparedFile[] | null = null
    let placed: PlacedFiles | null = null
    try {
      source = await openImport(job.file, job.table)
      const opened = source
      const files = (prepared = await prepareFiles(opened, deps.files.store))
      const { value: written } = await deps.writer.mutate(async (tx, assignTs) => {
        const { connection, catalog } = tx.source
        const moved = [...renumbered(catalog, opened).keys()].map(({ name }) => name)
        if (moved.length > 0)
          throw new OperationError(
            `The import's ids have other table numbers than this backend (${moved.join(', ')}): stop the backend and run \`mission-control-backend import --replace-all\`.`,
          )
        assignTs()
        const into = { connection, catalog, random: deps.random, nextCreationTime: deps.sequence.nextCreationTime }
        const documents = await importInto(into, opened, job.mode)
        placed = placeFiles(into, deps.files.store, files, job.mode)
        return documents + placed.written
      })
      for (const id of placed!.replaced) deps.files.remove(id)
      job.state = { state: 'completed', num_rows_written: BigInt(written) }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (!(error instanceof OperationError)) deps.log.error('an import failed', { error: message })
      job.state = { state: 'failed', error_message: message }
      for (const id of (placed as PlacedFiles | null)?.adopted ?? []) deps.files.remove(id)
    } finally {
      source?.close()
      await discardFiles(deps.files.store, prepared)
      await rm(job.file, { force: true })
      deps.changed()
    }
  }

  return {
    begin(): string {
      for (const oldest of uploads) {
        if (uploads.size < MAX_UPLOADS) break
        forgetUpload(oldest)
      }
      const name = token()
      uploads.add(name)
      return name
    },
    /** Stores one part; a repeated part replaces the first. Resolves with its token. */
    async part(uploadToken: string | null, number: string | null, content: Readable): Promise<string> {
      const part = Number(number)
      if (!Number.isInteger(part) || part < 1 || part > MAX_PARTS)
        throw new RequestError(400, 'BadPart', `partNumber must be between 1 and ${MAX_PARTS}.`)
      await pipeline(content, createWriteStream(partFile(upload(uploadToken), part), { mode: 0o600 }))
      return String(part)
    },
    /** Puts the parts together; the import then waits for `perform`. */
    async finish(body: JsonObject): Promise<string> {
      const name = upload(body['uploadToken'])
      const { mode, table } = readRequest(body['import'])
      const parts = body['partTokens']
      if (!Array.isArray(parts)) throw new RequestError(400, 'BadPart', '`partTokens` must be an array.')
      const file = join(workFolder(), name)
      uploads.delete(name)
      for (const part of parts) {
        const stored = partFile(name, Number(part))
        await pipeline(createReadStream(stored), createWriteStream(file, { flags: 'a', mode: 0o600 }))
        await rm(stored)
      }
      const replaces =
        mode === 'replaceAll' ? 'every document of this backend' : mode === 'replace' ? 'the documents of its tables' : null
      imports.set(name, {
        file,
        table,
        mode,
        state: {
          state: 'waiting_for_confirmation',
          ...(replaces && { message_to_confirm: `The import replaces ${replaces}. Other writers wait while it runs.` }),
          require_manual_confirmation: replaces !== null,
        },
      })
      forgetOldImports()
      deps.changed()
      return name
    },
    perform(id: Json | undefined): void {
      const job = typeof id === 'string' ? imports.get(id) : undefined
      if (job?.state.state !== 'waiting_for_confirmation')
        throw new RequestError(400, 'UnknownImport', 'No such import waits for a confirmation.')
      job.state = { state: 'in_progress' }
      deps.changed()
      void run(job)
    },
    get: (id: unknown): ImportState | null => (typeof id === 'string' && imports.get(id)?.state) || null,
    list: (): ImportState[] => [...imports.values()].map(({ state }) => state),
    close(): void {
      if (folder) rmSync(folder, { recursive: true, force: true })
    },
  }
}

function readRequest(request: Json | undefined): Pick<Import, 'mode' | 'table'> {
  if (!isObject(request)) throw new RequestError(400, 'BadImport', '`import` must be an object.')
  const { tableName, componentPath, mode, format } = request
  if (typeof componentPath === 'string' && componentPath !== '') throw refused('components')
  const written = TABLE_FORMATS.find((name) => name === format)
  if (format !== 'zip' && !written) throw refused(`imports in format ${JSON.stringify(format)}`)
  const known = IMPORT_MODES.find((name) => name === mode)
  if (!known) throw refused(`import mode ${JSON.stringify(mode)}`)
  if (!written) return { mode: known, table: null }
  if (typeof tableName !== 'string') throw new RequestError(400, 'BadImport', 'An import of one file needs a table.')
  return { mode: known, table: { name: tableName, format: written } }
}

function refused(what: string): RequestError {
  return new RequestError(400, 'NotSupported', new NotSupportedError(what).message)
}
