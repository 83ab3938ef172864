/**
 * Builds all Convex functions into one ESM file that the embedded backend loads. On Convex itself nothing of this is used: there
 * the official CLI pushes the sources.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleDefines } from '@mission-control/embedded/functions/global'
import type { Plugin } from 'esbuild'
import { build } from 'esbuild'
import { convexFolder, functionModules } from './modules.ts'

export interface BundleOptions {
  readonly outFile: string
  /** What is built in place of a source, for tests that break it on purpose. `file` is absolute. */
  readonly transform?: { readonly file: string; readonly of: (source: string) => string }
}

/**
 * Writes one ESM file that exports `schema`, `modules` (path without extension -> namespace), `crons` and `auth`: a function of the
 * environment, which evaluates `auth.config.ts` with that environment as its `process.env`.
 *
 * The file may lie in any folder: imports of `convex` become absolute file URLs, so that they need no `node_modules` beside it and
 * the process keeps a single copy of the library. The file is therefore good for this checkout only; build it again after a move.
 * @throws if a source does not compile, or `transform` does
 */
export async function bundleFunctions({ outFile, transform }: BundleOptions): Promise<void> {
  const contents = entry(functionModules(), await authConfig())
  await build({
    stdin: { contents, resolveDir: convexFolder, sourcefile: 'functions.ts', loader: 'ts' },
    outfile: outFile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'inline',
    legalComments: 'none',
    logLevel: 'silent',
    define: { ...bundleDefines },
    plugins: [convexByUrl, ...(transform ? [transformed(transform)] : [])],
  })
}

function entry(modules: readonly string[], auth: string): string {
  const imports = modules.map((path, n) => `import * as m${n} from ${JSON.stringify(`./${path}.ts`)}`)
  const table = modules.map((path, n) => `${JSON.stringify(path)}: m${n}`)
  return [
    ...imports,
    `export { default as schema } from './schema.ts'`,
    `export { default as crons } from './crons.ts'`,
    `export const modules = { ${table.join(', ')} }`,
    `export const auth = ${auth}`,
  ].join('\n')
}

/**
 * `auth.config.ts` as the text of a function. Its module reads the environment while it is evaluated; as part of the bundle that would
 * be the environment of whoever loads the bundle, once, and not that of the backend which starts with it.
 */
async function authConfig(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(convexFolder, 'auth.config.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'config',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'silent',
    define: { 'process.env': 'environment' },
  })
  return `(environment: unknown) => {\n${outputFiles[0]?.text}\nreturn config.default\n}`
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

const transformed = ({ file, of }: NonNullable<BundleOptions['transform']>): Plugin => ({
  name: 'transformed',
  setup(esbuild) {
    esbuild.onLoad({ filter: /\.ts$/ }, async ({ path }) =>
      path === file ? { contents: of(await readFile(path, 'utf8')), loader: 'ts' } : null,
    )
  },
})
