/** Loads a built bundle of functions. */
import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Functions } from './functions/definition.ts'
import { installGlobal } from './functions/global.ts'

/**
 * Imports an ESM bundle that exports `schema` and `modules` (and perhaps `crons`, `http`, `auth`). Build it with `convex`
 * external and the defines of `functions/global.ts` (`bundleDefines`). Its top level sees the environment of this process; `auth` may
 * be a function, which is called with the engine's `env`.
 */
export async function loadFunctions(bundlePath: string): Promise<Functions> {
  installGlobal() // the bundle may use its defines while it loads
  let loaded: Partial<Functions>
  try {
    loaded = (await import(pathToFileURL(realpathSync(bundlePath)).href)) as Partial<Functions>
  } catch (error) {
    throw new Error(
      `The functions at ${bundlePath} could not be loaded: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
  const { schema, modules, crons, http, auth } = loaded
  if (!schema || !modules) throw new Error(`${bundlePath} is no bundle of functions: it must export \`schema\` and \`modules\`.`)
  return { schema, modules, crons, http, auth }
}
