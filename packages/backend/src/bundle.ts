/**
 * Builds all Convex functions into one ESM file that the embedded backend loads. On Convex itself nothing of this is used: there
 * the official CLI pushes the sources.
 */
import { pathToFileURL } from 'node:url'
import { bundleDefines } from '@mission-control/embedded/functions/global'
import type { Plugin } from 'esbuild'
import { build } from 'esbuild'
import { convexFolder, functionModules } from './modules.ts'

/**
 * Writes one ESM file that exports `schema`, `modules` (path without extension -> namespace) and `crons`.
 *
 * The file may lie in any folder: imports of `convex` become absolute file URLs, so that they need no `node_modules` beside it and
 * the process keeps a single copy of the library. The file is therefore good for this checkout only; build it again after a move.
 * @throws if a source does not compile
 */
export async function bundleFunctions({ outFile }: { outFile: string }): Promise<void> {
  await build({
    stdin: { contents: entry(functionModules()), resolveDir: convexFolder, sourcefile: 'functions.ts', loader: 'ts' },
    outfile: outFile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'inline',
    legalComments: 'none',
    logLevel: 'silent',
    define: { ...bundleDefines },
    plugins: [convexByUrl],
  })
}

function entry(modules: readonly string[]): string {
  const imports = modules.map((path, n) => `import * as m${n} from ${JSON.stringify(`./${path}.ts`)}`)
  const table = modules.map((path, n) => `${JSON.stringify(path)}: m${n}`)
  return [
    ...imports,
    `export { default as schema } from './schema.ts'`,
    `export { default as crons } from './crons.ts'`,
    `export const modules = { ${table.join(', ')} }`,
  ].join('\n')
}

/** `convex/*` stays outside of the bundle, under the address where it was found from here. */
const convexByUrl: Plugin = {
  name: 'convex-by-url',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^convex(\/|$)/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === RESOLVING) return null
      const found = await esbuild.resolve(path, { importer, resolveDir, kind, pluginData: RESOLVING })
      if (found.errors.length > 0) return { errors: found.errors }
      return { path: pathToFileURL(found.path).href, external: true }
    })
  },
}
const RESOLVING = 'resolving'
