import { readFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { closure, readNpmLock, readYarnLock } from './lockfiles.ts'
import { sbom } from './sbom.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

interface Written {
  readonly bomFormat: string
  readonly specVersion: string
  readonly metadata: { readonly component: { readonly name: string; readonly 'bom-ref': string } }
  readonly components: readonly {
    readonly type: string
    readonly name: string
    readonly version: string
    readonly purl: string
    readonly 'bom-ref': string
  }[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[]
}
const image = JSON.parse(sbom(root, 'image')) as Written
const listed = (name: string) => image.components.filter((component) => component.name === name).map(({ version }) => version)

describe('the bill of materials of the image', () => {
  it('lists what is built into the program, as the bundler finds it', async () => {
    const { dependencies } = JSON.parse(read('apps/runtime/package.json')) as { dependencies: Record<string, string> }
    const { metafile } = await build({
      entryPoints: [path.join(root, 'apps/runtime/src/cli.ts')],
      absWorkingDir: root,
      bundle: true,
      write: false,
      metafile: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      outdir: 'out',
      external: Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]),
      logLevel: 'silent',
    })
    const folders = Object.keys(metafile.inputs).flatMap(
      (input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? [],
    )
    const built = [...new Set(folders)].map(
      (folder) => JSON.parse(read(`${folder}/package.json`)) as { name: string; version: string },
    )
    expect(built.map(({ name }) => name)).toEqual(expect.arrayContaining(['convex', 'ws', '@openclaw/gateway-client']))
    for (const { name, version } of built) expect([name, listed(name)]).toEqual([name, expect.arrayContaining([version])])
  })

  it('lists what is installed beside it, with all below, and the pinned OpenClaw', () => {
    const lock = readYarnLock(read('yarn.lock'))
    const { dependencies } = JSON.parse(read('apps/runtime/package.json')) as { dependencies: Record<string, string> }
    const roots = [...lock].filter(([, { name, version }]) => dependencies[name] === version).map(([key]) => key)
    expect(roots).toHaveLength(Object.keys(dependencies).length)
    for (const key of closure(lock, roots)) {
      const { name, version } = lock.get(key) ?? expect.fail(key)
      expect(listed(name)).toContain(version)
    }
    const pinned = JSON.parse(read('packages/openclaw/locked/package.json')) as { dependencies: { openclaw: string } }
    expect(listed('openclaw')).toEqual([pinned.dependencies.openclaw])
    for (const { name, version } of readNpmLock(read('packages/openclaw/locked/package-lock.json')).values()) {
      expect(listed(name)).toContain(version)
    }
  })

  it('lists no tool of developers, and nothing of ours as somebody else’s', () => {
    for (const name of ['vitest', 'eslint', 'tsup', 'fast-check']) expect([name, listed(name)]).toEqual([name, []])
    expect(image.components.filter(({ name }) => name.startsWith('@mission-control/'))).toEqual([])
    const repository = JSON.parse(sbom(root, 'repository')) as Written
    expect(repository.components.map(({ name }) => name)).toEqual(expect.arrayContaining(['vitest', 'openclaw', 'convex']))
  })

  it('is CycloneDX: every component once, every reference to one of them', () => {
    expect([image.bomFormat, image.specVersion]).toEqual(['CycloneDX', '1.6'])
    const refs = new Set([image.metadata.component['bom-ref'], ...image.components.map((component) => component['bom-ref'])])
    expect(refs.size).toBe(image.components.length + 1)
    for (const { type, name, version, purl } of image.components) {
      expect(type).toBe('library')
      expect(purl).toBe(`pkg:npm/${name.replace('@', '%40')}@${version}`)
    }
    for (const { ref, dependsOn = [] } of image.dependencies) for (const one of [ref, ...dependsOn]) expect(refs).toContain(one)
    expect(image.dependencies.find(({ ref }) => ref === 'image')?.dependsOn).toContain('pkg:npm/pino@10.4.0')
  })

  it('is the same each time, and names neither a machine nor a time', () => {
    const text = sbom(root, 'image')
    expect(sbom(root, 'image')).toBe(text)
    expect(text).not.toContain(root)
    expect(text).not.toMatch(/"timestamp"|"serialNumber"|resolved/)
  })
})

it('a lock file that lacks an entry is refused', () => {
  const text =
    '__metadata:\n  version: 9\n"a@npm:1":\n  version: 1.0.0\n  resolution: "a@npm:1.0.0"\n  dependencies:\n    b: "npm:2"\n'
  expect(() => readYarnLock(text)).toThrow('yarn.lock has no entry for b@npm:2.')
})
