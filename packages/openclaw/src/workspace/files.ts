/**
 * An agent's workspace folder. We own exactly the files named here, the manifest beside them and the `memory` folder's existence;
 * everything else in the workspace belongs to the agent. The gateway reads SOUL.md and AGENTS.md anew for every turn, so a change
 * needs no restart.
 *
 * Nothing is written through a link: a workspace that is one is refused, one in the place of a file is put aside.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from '../atomic-file.ts'
import { putAside } from './keep.ts'
import { hashOf, lstatOrNull, NOTHING_OURS, readManifest, readRegular, writeManifest } from './manifest.ts'

export const WORKSPACE_FILES = ['SOUL.md', 'AGENTS.md', 'USER.md', 'IDENTITY.md', 'HEARTBEAT.md', 'TOOLS.md'] as const
export type WorkspaceFile = (typeof WORKSPACE_FILES)[number]

/** Notes the agent keeps for itself. Created, never read or written by us. */
const MEMORY_DIR = 'memory'

export interface WrittenWorkspace {
  readonly written: readonly WorkspaceFile[]
  /** What was in the way and not ours, under its new path. */
  readonly kept: readonly string[]
}

/**
 * Writes what differs; a name that is absent is left alone. A file that somebody else has written or changed is put aside first, and
 * so is the whole folder if it is another agent's.
 *
 * @param owner whose workspace this is; stays the same when the folder is renamed
 * @throws Error if the folder is a link or no folder
 */
export async function writeWorkspace(
  dir: string,
  owner: string,
  files: Readonly<Partial<Record<WorkspaceFile, string>>>,
): Promise<WrittenWorkspace> {
  const { kept, isNew } = await takeFolder(dir, owner)
  const manifest = isNew ? NOTHING_OURS : await readManifest(dir)
  const write = async (name: WorkspaceFile, content: string) => {
    const path = join(dir, name)
    if (isNew) {
      await writeFileAtomically(path, content)
      return { name, content, changed: true, aside: [] }
    }
    const there = await readRegular(path)
    if (there === content) return { name, content, changed: false, aside: [] }
    const isOurs = there !== null && hashOf(there) === manifest.files[name]
    const aside = !isOurs && (await lstatOrNull(path)) !== null ? [await putAside(path)] : []
    await writeFileAtomically(path, content)
    return { name, content, changed: true, aside }
  }
  // Side by side, because each waits for the disk; told in their order, whichever was done first.
  const writes = WORKSPACE_FILES.flatMap((name) => (files[name] === undefined ? [] : [write(name, files[name])]))
  const ended = await Promise.allSettled(writes)
  const done = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  // Also when one failed: what stands there now is ours, and the next pass must not take it for somebody else's.
  const hashes = Object.fromEntries(done.map(({ name, content }) => [name, hashOf(content)]))
  await writeManifest(dir, { owner, files: { ...manifest.files, ...hashes } })
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  return {
    written: done.filter(({ changed }) => changed).map(({ name }) => name),
    kept: [...kept, ...done.flatMap(({ aside }) => aside)],
  }
}

/** `isNew`: made just now, so that nothing is in it. A thousand agents that are new need not be asked for what they cannot have. */
async function takeFolder(dir: string, owner: string): Promise<{ kept: string[]; isNew: boolean }> {
  const kept: string[] = []
  const stats = await lstatOrNull(dir)
  if (stats !== null && !stats.isDirectory()) {
    const what = stats.isSymbolicLink() ? 'a symbolic link' : 'no folder'
    throw new Error(`${dir} is ${what}: a workspace must be a folder of its own. Remove or rename it.`)
  }
  if (stats !== null) {
    const { owner: other } = await readManifest(dir)
    if (other !== null && other !== owner) kept.push(await putAside(dir))
  }
  const isNew = (await mkdir(dir, { recursive: true })) !== undefined
  // What stands there, also a link, is the agent's own business: nothing is ever written into it.
  const memory = join(dir, MEMORY_DIR)
  if (isNew || (await lstatOrNull(memory)) === null) await mkdir(memory)
  return { kept, isNew }
}
