/**
 * An agent's workspace folder. We own exactly the files named here and the `memory` folder's existence; everything else in the
 * workspace belongs to the agent. The gateway reads SOUL.md and AGENTS.md anew for every turn, so a change needs no restart.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileIfChanged } from '../atomic-file.ts'

export const WORKSPACE_FILES = ['SOUL.md', 'AGENTS.md', 'USER.md', 'IDENTITY.md', 'HEARTBEAT.md', 'TOOLS.md'] as const
export type WorkspaceFile = (typeof WORKSPACE_FILES)[number]

/** Notes the agent keeps for itself. Created, never read or written by us. */
const MEMORY_DIR = 'memory'

/** Writes what differs and returns the names of the files written. A name that is absent is left alone. */
export async function writeWorkspace(
  dir: string,
  files: Readonly<Partial<Record<WorkspaceFile, string>>>,
): Promise<WorkspaceFile[]> {
  await mkdir(join(dir, MEMORY_DIR), { recursive: true })
  // Side by side: each waits for the disk.
  const written = await Promise.all(
    WORKSPACE_FILES.map(async (name) => {
      const content = files[name]
      return content !== undefined && (await writeFileIfChanged(join(dir, name), content)) ? [name] : []
    }),
  )
  return written.flat()
}
