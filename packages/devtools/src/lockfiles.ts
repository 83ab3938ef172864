/** What the two lock files say is installed: yarn.lock for everything of ours, package-lock.json for OpenClaw in the image. Pure. */
import { parse } from 'yaml'

export interface Locked {
  readonly name: string
  readonly version: string
  /** Of this repository: not from a registry. */
  readonly isWorkspace: boolean
  /** `sha512-<base64>` of the package's archive, where the lock file has it. */
  readonly integrity: string | null
  /** As one of the licences of SPDX, or an expression; `null`: the lock file does not say. */
  readonly license: string | null
  /** Keys of what it depends on, of the same lock file. */
  readonly dependencies: readonly string[]
}

/** By a key that is unique in its lock file. */
export type Lock = ReadonlyMap<string, Locked>

interface YarnEntry {
  readonly version: string
  readonly resolution: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/** @throws Error when a dependency is in no entry: the file is damaged, or of another Yarn */
export function readYarnLock(text: string): Lock {
  const { __metadata: _, ...entries } = parse(text) as Record<string, YarnEntry>
  const byDescriptor = new Map<string, string>()
  const byName = new Map<string, string[]>()
  for (const [descriptors, { resolution }] of Object.entries(entries)) {
    for (const descriptor of descriptors.split(', ')) byDescriptor.set(descriptor, resolution)
    const name = nameOf(resolution)
    byName.set(name, [...(byName.get(name) ?? []), resolution])
  }
  const find = (name: string, range: string): string => {
    // `resolutions` of package.json puts another range in the place of the one that was asked for.
    const found = byDescriptor.get(`${name}@${range}`) ?? (byName.get(name)?.length === 1 ? byName.get(name)?.[0] : undefined)
    if (found === undefined) throw new Error(`yarn.lock has no entry for ${name}@${range}.`)
    return found
  }
  return new Map(
    Object.values(entries).map(({ version, resolution, dependencies = {} }) => [
      resolution,
      {
        name: nameOf(resolution),
        version,
        isWorkspace: resolution.includes('@workspace:'),
        integrity: null,
        license: null,
        dependencies: Object.entries(dependencies).map(([name, range]) => find(name, range)),
      },
    ]),
  )
}

const nameOf = (resolution: string): string => resolution.slice(0, resolution.indexOf('@', 1))

interface NpmEntry {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** Of version 3: every place in node_modules by its path. */
export function readNpmLock(text: string): Lock {
  const { packages } = JSON.parse(text) as { packages: Record<string, NpmEntry> }
  /** As Node looks for it: beside whoever asks, then further up. */
  const find = (from: string, name: string): string[] => {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
      const place = `${at === '' ? '' : `${at}/`}node_modules/${name}`
      if (place in packages) return [place]
      if (at === '') return [] // an optional one, of another platform
    }
  }
  return new Map(
    Object.entries(packages).flatMap(([place, entry]): [string, Locked][] => {
      if (place === '' || entry.version === undefined) return []
      const wanted = Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
      return [
        [
          place,
          {
            name: place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length),
            version: entry.version,
            isWorkspace: false,
            integrity: entry.integrity ?? null,
            license: entry.license ?? null,
            dependencies: wanted.flatMap((name) => find(place, name)),
          },
        ],
      ]
    }),
  )
}

/** Those keys and everything below them. */
export function closure(lock: Lock, roots: Iterable<string>): Set<string> {
  const seen = new Set<string>()
  const open = [...roots]
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (seen.has(key)) continue
    seen.add(key)
    open.push(...(lock.get(key)?.dependencies ?? []))
  }
  return seen
}
