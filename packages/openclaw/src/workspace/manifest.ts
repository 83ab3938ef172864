/**
 * What we wrote into a workspace and for whom, in a file of its own inside it. With it a folder says whose it is, whatever it is
 * called, and a file that somebody else has changed is told from one of ours.
 */
import { createHash } from 'node:crypto'
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseJsonOrNull } from '@mission-control/shared/json'
import { z } from 'zod'
import { writeFileIfChanged } from '../atomic-file.ts'

export const MANIFEST = '.mission-control.json'

const Manifest = z.object({ owner: z.string().nullable(), files: z.record(z.string(), z.string()) })
export type Manifest = z.infer<typeof Manifest>

/** Nothing of ours is nearly as large; a larger file is not read. */
const LARGEST_BYTES = 1_000_000

/** What a folder says in which we have written nothing. */
export const NOTHING_OURS: Manifest = { owner: null, files: {} }

/** A manifest that is missing or damaged says that nothing is ours: then every file that differs is kept. */
export async function readManifest(dir: string): Promise<Manifest> {
  const text = await readRegular(join(dir, MANIFEST))
  const parsed = Manifest.safeParse(text === null ? null : parseJsonOrNull(text))
  return parsed.success ? parsed.data : NOTHING_OURS
}

export async function writeManifest(dir: string, manifest: Manifest): Promise<void> {
  await writeFileIfChanged(join(dir, MANIFEST), `${JSON.stringify(manifest)}\n`)
}

export const hashOf = (content: string): string => createHash('sha256').update(content).digest('hex')

/** The content of a regular file; `null` for what is no such file, too large, or not there. Follows no link and blocks on no pipe. */
export async function readRegular(file: string): Promise<string | null> {
  const stats = await lstatOrNull(file)
  return stats?.isFile() && stats.size <= LARGEST_BYTES ? await readFile(file, 'utf8') : null
}

export async function lstatOrNull(file: string): Promise<Awaited<ReturnType<typeof lstat>> | null> {
  return await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}
