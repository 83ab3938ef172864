import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Import } from './import-graph.ts'
import { readImports } from './import-graph.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const imports = readImports(root)

/** Dependencies point down only. Tests may also use what stands in the second list. */
const ARROWS: Record<string, { source: string[]; tests: string[] }> = {
  'packages/shared': { source: [], tests: [] },
  'packages/host': { source: ['shared'], tests: [] },
  'packages/embedded': { source: ['shared', 'host'], tests: [] },
  'packages/backend': { source: ['shared', 'embedded'], tests: ['host'] },
  'packages/openclaw': { source: ['shared', 'host'], tests: [] },
  'packages/devtools': { source: ['shared', 'host', 'embedded', 'openclaw'], tests: [] },
  'apps/runtime': { source: ['shared', 'host', 'backend', 'openclaw'], tests: ['embedded'] },
  'apps/proof': { source: ['shared', 'host', 'backend', 'embedded', 'openclaw', 'runtime'], tests: ['local'] },
  'apps/local': { source: ['shared', 'host', 'backend', 'embedded', 'openclaw'], tests: [] },
}

const isTest = (file: string) => /\.test\.ts$|(^|\/)test\//.test(file)
const show = (found: Import[]) => found.map(({ file, specifier }) => `${file} imports ${specifier}`)

describe('the import graph', () => {
  it('was read', () => {
    expect(imports.length).toBeGreaterThan(100)
    expect(Object.keys(ARROWS).sort()).toEqual([...new Set(imports.map((one) => one.from))].sort())
  })

  it('points down only', () => {
    const wrong = imports.filter(({ from, target, file }) => {
      if (!target.startsWith('@mission-control/')) return false
      const name = target.slice('@mission-control/'.length)
      const allowed = ARROWS[from]
      if (!allowed || from.endsWith(`/${name}`)) return false
      return !(allowed.source.includes(name) || (isTest(file) && allowed.tests.includes(name)))
    })
    expect(show(wrong)).toEqual([])
  })

  it('never leaves a package by a relative path', () => {
    expect(show(imports.filter(({ specifier }) => specifier.startsWith('.')))).toEqual([])
  })

  it('reaches the backend from the runtime through its generated types and api only', () => {
    const wrong = imports.filter(
      ({ from, file, target, specifier }) =>
        from === 'apps/runtime' &&
        !isTest(file) &&
        target === '@mission-control/backend' &&
        !specifier.startsWith('@mission-control/backend/convex/_generated/'),
    )
    expect(show(wrong)).toEqual([])
  })

  it('keeps the Convex functions free of Node and of every other package', () => {
    const allowed = new Set(['convex', 'convex-helpers', '@noble/hashes', '@mission-control/shared'])
    const wrong = imports.filter(
      ({ file, target }) => file.startsWith('packages/backend/convex/') && !isTest(file) && !allowed.has(target),
    )
    expect(show(wrong)).toEqual([])
  })

  it('finds every imported package in the importer’s own package.json', () => {
    const rootPackages = declared('.')
    const wrong = imports.filter(({ from, file, target }) => {
      if (target.startsWith('node:') || target.startsWith('packages/') || target.startsWith('apps/')) return false
      const own = declared(from)
      if (own.all.has(target) || own.name === target) return false
      const tooling = isTest(file) || /\.config\.ts$/.test(file) || from === 'packages/devtools'
      return !(tooling && rootPackages.all.has(target))
    })
    expect(show(wrong)).toEqual([])
  })
})

function declared(folder: string): { name: string; all: Set<string> } {
  const json = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8')) as {
    name: string
    dependencies?: Record<string, string>
    devDependencies?: Record<string, string>
  }
  return { name: json.name, all: new Set([...Object.keys(json.dependencies ?? {}), ...Object.keys(json.devDependencies ?? {})]) }
}
