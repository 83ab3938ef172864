/**
 * Workspaces follow their agents when these get another slug, also when two agents change places. In two steps, so that nobody's folder
 * is in the way: out of all old places first, then into the new ones. The folder between the two has a name of its own, and whose a
 * folder is stands in its manifest: a crash in between is carried on where it ended.
 */
import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { putAside } from './keep.ts'
import { lstatOrNull, readManifest } from './manifest.ts'

export interface Move {
  readonly owner: string
  /** Absolute paths of the folders. */
  readonly from: string
  readonly to: string
}

/** Moves what can be moved; what is not there, or another agent's, stays. @returns what went wrong, by owner */
export async function moveWorkspaces(moves: readonly Move[]): Promise<ReadonlyMap<string, Error>> {
  const errors = new Map<string, Error>()
  const each = async (step: (move: Move) => Promise<void>) => {
    for (const move of moves) {
      if (errors.has(move.owner)) continue
      await step(move).catch((error: unknown) =>
        errors.set(move.owner, error instanceof Error ? error : new Error(String(error))),
      )
    }
  }
  await each(async (move) => {
    if ((await lstatOrNull(between(move))) !== null || !(await isOwnFolder(move))) return
    await mkdir(dirname(between(move)), { recursive: true })
    await rename(move.from, between(move))
  })
  await each(async (move) => {
    if ((await lstatOrNull(between(move))) === null) return
    if ((await lstatOrNull(move.to)) !== null) await putAside(move.to)
    await rename(between(move), move.to)
  })
  return errors
}

const between = ({ owner, to }: Move): string => join(dirname(to), `.moving-${encodeURIComponent(owner)}`)

async function isOwnFolder({ owner, from }: Move): Promise<boolean> {
  if ((await lstatOrNull(from))?.isDirectory() !== true) return false
  const { owner: found } = await readManifest(from)
  return found === null || found === owner
}
