/** Which files under `convex/` hold functions: the same rule as the official CLI's, kept in one place. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Absolute path of the functions' folder. */
export const convexFolder = fileURLToPath(new URL('../convex', import.meta.url))

const NOT_MODULES: ReadonlySet<string> = new Set(['schema', 'crons', 'convex.config', 'auth.config'])

/** Module paths such as `service/runtime`, sorted. */
export function functionModules(folder: string = convexFolder): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/')
        .slice(0, -'.ts'.length),
    )
    .filter(
      (path) => !path.startsWith('_generated/') && !path.endsWith('.d') && !path.endsWith('.test') && !NOT_MODULES.has(path),
    )
    .sort()
}
