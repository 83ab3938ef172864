/** `backup`, `export`, `import` and `check`: each one sentence when it fails, and an exit code. */
import { systemClock, systemRandom } from '@mission-control/host/clock'
import type { Command, Option } from 'commander'
import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { tableDefinitions } from '../functions/definition.ts'
import { loadFunctions } from '../load.ts'
import { backup } from '../operations/backup.ts'
import { check } from '../operations/check.ts'
import { OperationError } from '../operations/errors.ts'
import { exportZip } from '../operations/export.ts'
import { openImport } from '../operations/import-source.ts'
import { importStopped } from '../operations/import-stopped.ts'
import { openForReading, ownerOf } from '../operations/open.ts'

/** Adds the commands; `finish` takes the exit code. */
export function addOperations(program: Command, dataDir: Option, finish: (code: number) => void): void {
  program
    .command('backup')
    .description('copy the database to one file; the backend may run')
    .argument('<file>', 'file to create')
    .addOption(dataDir)
    .action((file: string, options: { dataDir: string }) => {
      const { bytes } = backup(options.dataDir, file)
      print(`Backed up to ${resolve(file)} (${bytes} bytes). To restore, put it as convex.sqlite into an empty data folder.`)
    })

  program
    .command('export')
    .description('write all documents to a zip file in the layout of Convex exports; the backend may run')
    .argument('<file>', 'zip file to create')
    .addOption(dataDir)
    .action(async (file: string, options: { dataDir: string }) => {
      const { tables, documents } = await exportTo(options.dataDir, resolve(file))
      print(`Exported ${documents} documents of ${tables} tables to ${resolve(file)}.`)
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
        print(`Imported ${written} documents into ${source.tables.length} tables.`)
      } finally {
        source.close()
      }
    })

  program
    .command('check')
    .description('look for damage without changing anything; the backend may run. Exit code 1 when something failed')
    .option('--functions <bundle>', 'check the documents against the schema of this bundle')
    .addOption(dataDir)
    .action(async (options: { dataDir: string; functions?: string }) => {
      const schema = options.functions === undefined ? null : (await loadFunctions(options.functions)).schema
      const documentTypes = schema && new Map(tableDefinitions(schema).map(({ name, documentType }) => [name, documentType]))
      const lines = await check(options.dataDir, documentTypes ? { documentTypes } : {})
      for (const { status, what, found } of lines) print(`${status}  ${what}: ${found}`)
      finish(lines.some(({ status }) => status === 'fail') ? 1 : 0)
    })
}

/** The file appears only when it is complete. */
async function exportTo(dataDir: string, file: string) {
  if (existsSync(file)) throw new OperationError(`${file} exists already: choose another name, or move it away.`)
  const connection = openForReading(dataDir)
  const partial = `${file}.partial`
  try {
    const summary = await exportZip(connection, createWriteStream(partial, { mode: 0o600, flush: true }))
    renameSync(partial, file)
    return summary
  } catch (error) {
    if (error instanceof OperationError) throw error
    throw new OperationError(`The export could not be written to ${file}: ${(error as Error).message}.`, { cause: error })
  } finally {
    connection.close()
    rmSync(partial, { force: true })
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
