/**
 * Bills of materials in CycloneDX JSON, from the lock files: what was installed says what is listed, nothing is looked up, and the same
 * commit gives the same bytes (no time, no serial number).
 *
 *   ./mc sbom image        what the runtime's image holds: its packages, what is built into its program, OpenClaw and all below it
 *   ./mc sbom repository   everything yarn.lock names, tools of developers among it, and OpenClaw
 *
 * Packages of the base image (Debian, Node) are its own affair: `docker sbom` and the like read them out of the image.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library'
import { EXIT } from '@mission-control/shared/exit-codes'
import { readImports } from './import-graph.ts'
import type { Lock, Locked } from './lockfiles.ts'
import { closure, readNpmLock, readYarnLock } from './lockfiles.ts'

export const SBOM_KINDS = ['image', 'repository'] as const
export type SbomKind = (typeof SBOM_KINDS)[number]

const RUNTIME = '@mission-control/runtime'
const isTest = (file: string) => /\.test\.ts$|\.fixture\.ts$|(^|\/)(test|testing|container)\/|\.config\.ts$/.test(file)

/** @param root the checkout @returns CycloneDX 1.6 as JSON, with a line feed at its end */
export function sbom(root: string, kind: SbomKind): string {
  const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
  const { version } = JSON.parse(read(kind === 'image' ? 'apps/runtime/package.json' : 'package.json')) as { version: string }
  const subject = new Models.Component(Enums.ComponentType.Application, kind === 'image' ? RUNTIME : 'mission-control', {
    version,
    bomRef: kind,
  })
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: subject }) })
  const ours = readYarnLock(read('yarn.lock'))
  const openclaw = readNpmLock(read('packages/openclaw/locked/package-lock.json'))
  const roots = kind === 'image' ? shippedBy(root, ours) : [...ours.keys()]
  add(bom, subject, ours, closure(ours, roots), roots)
  add(bom, subject, openclaw, closure(openclaw, ['node_modules/openclaw']), ['node_modules/openclaw'])
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6))
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`
}

/**
 * What the runtime's program needs: packages it installs beside itself, and those that are built into it. Both are what its sources
 * import, and those of the workspace packages they reach. The backend is reached by its generated names only, which import `convex`.
 */
function shippedBy(root: string, lock: Lock): string[] {
  const imports = readImports(root).filter(({ file }) => !isTest(file))
  const workspaces = new Set<string>()
  const packages = new Set<string>(['convex'])
  const open = ['apps/runtime']
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    if (workspaces.has(folder)) continue
    workspaces.add(folder)
    for (const { from, target } of imports) {
      if (from !== folder || target.startsWith('node:')) continue
      if (!target.startsWith('@mission-control/')) packages.add(target)
      else if (target !== '@mission-control/backend') open.push(`packages/${target.slice('@mission-control/'.length)}`)
    }
  }
  const installed = JSON.parse(readFileSync(path.join(root, 'apps/runtime/package.json'), 'utf8')) as { dependencies: object }
  for (const name of Object.keys(installed.dependencies)) packages.add(name)
  // Which of several versions: the one that the importing workspace asks for.
  const dependencies = [...lock.values()]
    .filter(({ name, isWorkspace }) => isWorkspace && workspaces.has(folderOf(name)))
    .flatMap((workspace) => workspace.dependencies)
  return dependencies.filter((key) => packages.has(lock.get(key)?.name ?? ''))
}

const folderOf = (name: string): string =>
  name === RUNTIME ? 'apps/runtime' : `packages/${name.slice('@mission-control/'.length)}`

function add(bom: Models.Bom, subject: Models.Component, lock: Lock, keys: ReadonlySet<string>, roots: readonly string[]): void {
  /** One component for equal packages, in however many places they stand. */
  const components = new Map<string, Models.Component>()
  for (const known of bom.components) if (known.purl !== undefined) components.set(String(known.purl), known)
  const componentOf = (locked: Locked): Models.Component => {
    const purl = purlOf(locked)
    const known = components.get(purl)
    if (known !== undefined) return known
    const component = new Models.Component(Enums.ComponentType.Library, locked.name, {
      version: locked.version,
      purl,
      bomRef: purl,
    })
    const digest = /^sha512-([A-Za-z0-9+/=]+)$/.exec(locked.integrity ?? '')?.[1]
    if (digest !== undefined) component.hashes.set(Enums.HashAlgorithm['SHA-512'], Buffer.from(digest, 'base64').toString('hex'))
    if (locked.license !== null) component.licenses.add(new Models.NamedLicense(locked.license))
    components.set(purl, component)
    bom.components.add(component)
    return component
  }
  for (const key of keys) {
    const locked = lock.get(key)
    if (locked === undefined || locked.isWorkspace) continue
    const component = componentOf(locked)
    if (roots.includes(key)) subject.dependencies.add(component.bomRef)
    for (const other of locked.dependencies) {
      const below = lock.get(other)
      if (below !== undefined && !below.isWorkspace && below !== locked) component.dependencies.add(componentOf(below).bomRef)
    }
  }
}

const purlOf = ({ name, version }: Locked): string => `pkg:npm/${name.replace('@', '%40')}@${version}`

if (import.meta.main) {
  const [kind, file] = process.argv.slice(2)
  const known = SBOM_KINDS.find((one) => one === kind)
  if (known === undefined) {
    console.error('Usage: ./mc sbom image|repository [file]\nWrites CycloneDX JSON to the file, or to standard output.')
    process.exitCode = kind === '--help' ? EXIT.ok : EXIT.usage
  } else {
    const text = sbom(path.resolve(import.meta.dirname, '../../..'), known)
    if (file === undefined) process.stdout.write(text)
    else writeFileSync(path.resolve(process.env['MC_CWD'] ?? '', file), text)
  }
}
