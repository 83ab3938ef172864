/** Reads which workspace package imports which, from the sources. What the arrows must be stands in `import-graph.test.ts`. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

export interface Import {
  /** Path from the repository's root. */
  readonly file: string
  /** The workspace folder the file is in, e.g. `packages/shared`. */
  readonly from: string
  /** What the source says. */
  readonly specifier: string
  /** Package name of the specifier: `@scope/name`, `name` or `node:fs`. */
  readonly target: string
}

const SKIP = /(^|\/)(node_modules|dist|_generated)\//

/** Every import of every source file under apps/ and packages/; relative ones only when they leave their own package. */
export function readImports(root: string): Import[] {
  return globSync('{apps,packages}/*/**/*.{ts,mts,mjs}', { cwd: root })
    .filter((file) => !SKIP.test(file))
    .flatMap((file) => {
      const from = file.split(path.sep).slice(0, 2).join('/')
      const source = readFileSync(path.join(root, file), 'utf8')
      return ts.preProcessFile(source, true, true).importedFiles.flatMap(({ fileName: specifier }): Import[] => {
        if (!specifier.startsWith('.')) return [{ file, from, specifier, target: packageOf(specifier) }]
        const reached = path.relative(root, path.resolve(root, path.dirname(file), specifier)).split(path.sep)
        const to = reached.slice(0, 2).join('/')
        return to === from ? [] : [{ file, from, specifier, target: to }]
      })
    })
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
