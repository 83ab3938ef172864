/** The part of `check` that looks at stored files: documents against contents, and contents against documents. */
import { opendirSync, statSync } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { filesFolder, PARTIAL } from '../files/disk.ts'
import type { Connection } from '../storage/connection.ts'
import { tableNumberOf } from '../values/ids.ts'
import { listed, type CheckLine } from './check-lines.ts'
import { contentPath, openContent, storedFiles } from './stored-files.ts'

/** Compares sizes; with `deep` it also reads every content and compares its checksum. The contents are held by the caller. */
export async function checkFiles(
  dataDir: string,
  connection: Connection,
  options: { deep: boolean; served: boolean },
): Promise<CheckLine[]> {
  const problems = listed('stored files', 'Put them back from a backup, or delete them with storage.delete.')
  let files = 0
  for (const file of storedFiles(connection)) {
    files++
    const size = statSync(contentPath(dataDir, file.id), { throwIfNoEntry: false })?.size
    if (size === undefined) problems.add(`the content of file ${file.id} is missing`)
    else if (size !== file.size) problems.add(`the content of file ${file.id} has ${size} bytes, its document says ${file.size}`)
    else if (options.deep && !(await readable(dataDir, file)))
      problems.add(`the content of file ${file.id} does not have its checksum`)
  }
  const how = options.deep ? 'size and checksum' : 'size; --deep compares checksums'
  // What a running backend is about to name looks the same as what nobody names.
  return [...problems.lines(`${files} have their content (${how})`), ...(options.served ? [] : strays(dataDir, connection))]
}

async function readable(dataDir: string, file: Parameters<typeof openContent>[1]): Promise<boolean> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  return pipeline(openContent(dataDir, file), nowhere).then(
    () => true,
    () => false,
  )
}

function strays(dataDir: string, connection: Connection): CheckLine[] {
  const left = listed('contents without a document', 'The backend removes them when it starts.', 'warn')
  const foreign = listed('other files among the contents', 'Nobody reads them: move them away.', 'warn')
  if (!statSync(filesFolder(dataDir), { throwIfNoEntry: false })) return []
  const directory = opendirSync(filesFolder(dataDir))
  try {
    for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
      const { name } = entry
      if (name.startsWith(PARTIAL)) continue // on its way in; what a crash left of one goes at the next start
      if (tableNumberOf(name) === null) foreign.add(name)
      else if (!connection.document(name)) left.add(name)
    }
  } finally {
    directory.closeSync()
  }
  return [...left.lines('none'), ...foreign.lines('none')]
}
