/** `backup`, `export`, `import` and `check`: each one sentence when it fails, and an exit code. */
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { forTerminal } from '@mission-control/shared/unseen'
import type { Command, Option } from 'commander'
import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { basename, dirname, join, resolve } from 'node:path'
import { tableDefinitions } from '../functions/definition.ts'
import { loadFunctions } from '../load.ts'
import { backup } from '../operations/backup.ts'
import { check } from '../operations/check.ts'
import { OperationError, reasonOf } from '../operations/errors.ts'
import { exportZip } from '../operations/export.ts'
import { openImport } from '../operations/import-source.ts'
import { importStopped } from '../operations/import-stopped.ts'
import { openForReading, ownerOf, readableCatalog } from '../operations/open.ts'

/** Adds the commands; `finish` takes the exit code. */
export function addOperations(program: Command, dataDir: Option, finish: (code: number) => void): void {
  program
    .command('backup')
    .description('copy the data folder, stored files included; the backend may run')
    .argument('<folder>', 'folder to create')
    .addOption(dataDir)
    .action(async (target: string, options: { dataDir: string }) => {
      const { folder, files, bytes } = await backup(options.dataDir, target, interrupted())
      print(`Backed up to ${folder} (${bytes} bytes, ${files} stored files). To restore, use a copy of it as data folder.`)
    })

  program
    .command('export')
    .description('write all documents to a zip file in the layout of Convex exports; the backend may run')
    .argument('<file>', 'zip file to create')
    .option('--include-file-storage', 'stored files too')
    .addOption(dataDir)
    .action(async (file: string, options: { dataDir: string; includeFileStorage?: boolean }) => {
      const { tables, documents, files } = await exportTo(options.dataDir, resolve(file), options.includeFileStorage ?? false)
      const stored = options.includeFileStorage ? ` and ${files} stored files` : ''
      print(`Exported ${documents} documents of ${tables} tables${stored} to ${resolve(file)}.`)
    })

  program
    .command('import')
    .description('replace all documents by those of an export (zip or folder); the backend must be stopped')
    .argument('<path>', 'zip file or folder in export layout')
    .requiredOption('--replace-all', 'delete every document first: say so')
    .addOption(dataDir)
    .action(async (path: string, options: { dataDir: string }) => {
      const owner = ownerOf(options.dataDir)
      if (owner !== null)
        throw new OperationError(
          `A backend (pid ${owner}) serves ${options.dataDir}: stop it, or import through it with \`convex import --replace-all\`.`,
        )
      const source = await openImport(path, null)
      try {
        const written = await importStopped(options.dataDir, source, 'replaceAll', { clock: systemClock, random: systemRandom })
        const stored = source.files ? ` and ${source.files.contents.size} stored files` : ''
        print(`Imported ${written - (source.files?.contents.size ?? 0)} documents into ${source.tables.length} tables${stored}.`)
      } finally {
        source.close()
      }
    })

  program
    .command('check')
    .description('look for damage without changing anything; the backend may run. Exit code 1 when something failed')
    .option('--functions <bundle>', 'check the documents against the schema of this bundle')
    .option('--deep', 'read every stored file and compare its checksum too')
    .addOption(dataDir)
    .action(async (options: { dataDir: string; functions?: string; deep?: boolean }) => {
      const schema = options.functions === undefined ? null : (await loadFunctions(options.functions)).schema
      const documentTypes = schema && new Map(tableDefinitions(schema).map(({ name, documentType }) => [name, documentType]))
      const lines = await check(options.dataDir, { deep: options.deep ?? false, ...(documentTypes && { documentTypes }) })
      for (const { status, what, found } of lines) print(`${status}  ${what}: ${found}`)
      finish(lines.some(({ status }) => status === 'fail') ? 1 : 0)
    })
}

/** The file appears only when it is complete. */
async function exportTo(dataDir: string, file: string, includeStorage: boolean) {
  if (existsSync(file)) throw new OperationError(`${file} exists already: choose another name, or move it away.`)
  if (!existsSync(dirname(file))) throw new OperationError(`There is no folder ${dirname(file)}: create it first.`)
  const connection = openForReading(dataDir)
  const partial = join(dirname(file), `.${basename(file)}.partial-${process.pid}`)
  const signal = interrupted()
  try {
    readableCatalog(connection, dataDir)
    const out = createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true })
    await once(out, 'open')
    const summary = await exportZip(connection, out, {
      signal,
      ...(includeStorage && { filesOf: dataDir }),
    })
    renameSync(partial, file)
    return summary
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof OperationError) throw error
    throw new OperationError(`The export could not be written to ${file}: ${reasonOf(error)}.`, { cause: error })
  } finally {
    connection.close()
    rmSync(partial, { force: true })
  }
}

/** Aborted by the first Ctrl-C or SIGTERM, so that nothing half written is left behind. */
function interrupted(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => controller.abort(new OperationError(`Interrupted by ${signal}: nothing was written.`)))
  return controller.signal
}

function print(line: string): void {
  process.stdout.write(`${forTerminal(line)}\n`)
}
