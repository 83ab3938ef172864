/** Files that others read while we write them: either the old content or the new one is there, never half of it. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'

/** Writes beside the target, flushes, renames. Creates the folder. `mode` is the new file's. */
export async function writeFileAtomically(file: string, content: string, mode = 0o644): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`
  try {
    const handle = await openNew(temporary, mode)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** The folder is there already but for the first time. */
async function openNew(file: string, mode: number): Promise<FileHandle> {
  try {
    return await open(file, 'wx', mode)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await mkdir(dirname(file), { recursive: true })
    return open(file, 'wx', mode)
  }
}

/** Writes only when the content differs. Says whether it wrote. */
export async function writeFileIfChanged(file: string, content: string, mode?: number): Promise<boolean> {
  if ((await readFile(file, 'utf8').catch(() => null)) === content) return false
  await writeFileAtomically(file, content, mode)
  return true
}
