/** Finds functions by path. Modules may be namespaces or lazy loaders; each is loaded once. */
import { RequestError } from '../errors.ts'
import type { ValidatorJson } from '../validators/validate.ts'

export type FunctionKind = 'query' | 'mutation' | 'action'
export type Handler = (ctx: unknown, args: unknown) => unknown
export type Module = Record<string, unknown>
/** Module path without extension ("service/runtime") to its exports, or to a function that loads them. */
export type Modules = Record<string, Module | (() => Promise<Module>)>

export interface RegisteredFunction {
  /** Canonical "module:export". */
  path: string
  /** Always the root for now; addresses carry it so that components can be added without changing stored rows. */
  componentPath: ''
  kind: FunctionKind
  visibility: 'public' | 'internal'
  args: ValidatorJson
  /** Null when the function declares none. */
  returns: ValidatorJson | null
  handler: Handler
}

interface Exported {
  isQuery?: boolean
  isMutation?: boolean
  isAction?: boolean
  isPublic?: boolean
  isInternal?: boolean
  exportArgs?(): string
  exportReturns?(): string
  _handler?: Handler
}

export type Registry = ReturnType<typeof createRegistry>

export function createRegistry(modules: Modules) {
  const loaded = new Map<string, Promise<Module>>()
  const resolved = new Map<string, RegisteredFunction>()

  function load(name: string): Promise<Module> | undefined {
    const known = loaded.get(name)
    if (known) return known
    const entry = Object.hasOwn(modules, name) ? modules[name] : undefined
    if (entry === undefined) return undefined
    const promise = typeof entry === 'function' ? entry() : Promise.resolve(entry)
    loaded.set(name, promise)
    return promise
  }

  async function find(path: string): Promise<RegisteredFunction | null> {
    const canonical = canonicalPath(path)
    const known = resolved.get(canonical)
    if (known) return known
    const [moduleName, exportName] = canonical.split(':') as [string, string]
    const module = await load(moduleName)
    const exported = module && Object.hasOwn(module, exportName) ? module[exportName] : undefined
    const found = describe(canonical, exported)
    if (found) resolved.set(canonical, found)
    return found
  }

  return {
    moduleNames: () => Object.keys(modules),
    /** The function at `path`, or null when there is none. Errors of loading its module come through. */
    find,
    /** Every function of the modules, those of the engine itself (`_system/`) left out. Loads them all. */
    async all(): Promise<RegisteredFunction[]> {
      const found: RegisteredFunction[] = []
      for (const name of Object.keys(modules).filter((module) => !module.startsWith('_system/'))) {
        for (const exported of Object.keys((await load(name)) ?? {})) {
          const fn = await find(`${name}:${exported}`)
          if (fn) found.push(fn)
        }
      }
      return found
    },
  }
}

/** "dir/module.js:fn" and "dir/module" become "dir/module:fn" and "dir/module:default". */
export function canonicalPath(path: string): string {
  const colon = path.lastIndexOf(':')
  const moduleName = colon === -1 ? path : path.slice(0, colon)
  const exportName = colon === -1 ? 'default' : path.slice(colon + 1)
  if (moduleName === '' || exportName === '' || moduleName.includes(':')) {
    throw new RequestError(400, 'InvalidFunctionPath', `"${path}" is not a function path: expected "module:function".`)
  }
  return `${moduleName.replace(/^\//, '').replace(/\.(js|ts)$/, '')}:${exportName}`
}

function describe(path: string, value: unknown): RegisteredFunction | null {
  if (typeof value !== 'function') return null
  const exported = value as Exported
  const kind = exported.isQuery ? 'query' : exported.isMutation ? 'mutation' : exported.isAction ? 'action' : null
  if (!kind || !exported._handler) return null
  return {
    path,
    componentPath: '',
    kind,
    visibility: exported.isPublic ? 'public' : 'internal',
    args: JSON.parse(exported.exportArgs?.() ?? '{"type":"any"}') as ValidatorJson,
    returns: JSON.parse(exported.exportReturns?.() ?? 'null') as ValidatorJson | null,
    handler: exported._handler,
  }
}
