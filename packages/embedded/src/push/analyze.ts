/**
 * Reads what the official CLI uploads: bundles are written to a scratch folder, imported, and asked what they define. Runs the
 * uploaded code, so only the holder of the key gets here, and in a thread that ends with the push (see `in-thread.ts`).
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Json, JsonObject } from '../values/json.ts'

export interface UploadedModule {
  path: string
  source: string
}
export interface PushRequest {
  appDefinition: { definition: UploadedModule | null; schema: UploadedModule | null; changedModules: UploadedModule[] }
  componentDefinitions: {
    definitionPath: string
    definition: UploadedModule
    schema: UploadedModule | null
    functions: UploadedModule[]
  }[]
}
interface AnalyzedFunction {
  name: string
  pos: null
  udfType: 'Query' | 'Mutation' | 'Action'
  visibility: { kind: 'public' | 'internal' }
  args: string
  returns: string
}
interface Exported {
  isQuery?: boolean
  isMutation?: boolean
  isAction?: boolean
  isPublic?: boolean
  exportArgs(): string
  exportReturns(): string
}
type Exports = Record<string, unknown>
export type Analysis = Record<string, JsonObject>

/** One entry per component definition; the app itself is "". Writes into `folder`, which is the caller's to remove. */
export async function analyze(request: PushRequest, folder: string): Promise<Analysis> {
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  const names = new Map<string, string>()
  const analysis: Analysis = {}
  // Components first: what imports a component needs its name.
  const components = request.componentDefinitions
  for (const { definitionPath } of components) names.set(definitionPath, definitionPath.split('/').at(-1) ?? definitionPath)
  for (const [at, component] of components.entries()) {
    const own = join(folder, `component-${at}`)
    analysis[component.definitionPath] = await analyzeOne(own, component.definitionPath, names, {
      definition: component.definition,
      schema: component.schema,
      functions: component.functions,
    })
  }
  const { definition, schema, changedModules } = request.appDefinition
  analysis[''] = await analyzeOne(join(folder, 'app'), '', names, { definition, schema, functions: changedModules })
  return analysis
}

async function analyzeOne(
  folder: string,
  definitionPath: string,
  names: ReadonlyMap<string, string>,
  parts: { definition: UploadedModule | null; schema: UploadedModule | null; functions: UploadedModule[] },
): Promise<JsonObject> {
  const functions: Record<string, AnalyzedFunction[]> = {}
  await Promise.all(parts.functions.map((module) => place(join(folder, 'functions'), module)))
  for (const { path } of parts.functions) {
    if (path.startsWith('_deps/')) continue
    functions[path] = describeModule(await load(join(folder, 'functions', path)))
  }
  const schema = parts.schema ? await readSchema(join(folder, 'schema'), parts.schema) : null
  const definition = parts.definition ? await readDefinition(join(folder, 'definition'), parts.definition, names) : EMPTY_APP
  return {
    definition: {
      ...definition,
      path: definitionPath,
      ...(definitionPath !== '' && { exports: exportTree(functions) }),
    },
    schema,
    functions: Object.fromEntries(
      Object.entries(functions).map(([path, list]) => [
        path,
        { functions: list as unknown as Json, httpRoutes: null, cronSpecs: null, sourceMapped: null },
      ]),
    ),
    udfConfig: { serverVersion: '0.0.0', importPhaseRngSeed: null, importPhaseUnixTimestamp: null },
  }
}

const EMPTY_APP: JsonObject = {
  definitionType: { type: 'app' },
  childComponents: [],
  httpMounts: {},
  exports: { type: 'branch', branch: [] },
}

async function place(folder: string, module: UploadedModule): Promise<string> {
  const file = join(folder, module.path)
  await mkdir(dirname(file), { recursive: true })
  // The source map was uploaded separately and is not needed here: without it nothing should look for it.
  await writeFile(file, module.source.replace(/^\/\/# sourceMappingURL=.*$/m, ''))
  return file
}

async function load(file: string): Promise<Exports> {
  return (await import(pathToFileURL(file).href)) as Exports
}

function describeModule(exports: Exports): AnalyzedFunction[] {
  return Object.entries(exports).flatMap(([name, value]) => {
    if (typeof value !== 'function') return []
    const fn = value as unknown as Exported
    const udfType = fn.isQuery ? 'Query' : fn.isMutation ? 'Mutation' : fn.isAction ? 'Action' : null
    if (!udfType) return []
    const kind = fn.isPublic ? 'public' : 'internal'
    return [{ name, pos: null, udfType, visibility: { kind }, args: fn.exportArgs(), returns: fn.exportReturns() }]
  })
}

async function readSchema(folder: string, module: UploadedModule): Promise<Json> {
  const { default: schema } = await load(await place(folder, module))
  return JSON.parse((schema as { export(): string }).export()) as Json
}

/** The bundle imports child components from `./_componentDeps/<base64url of their path>`: small modules stand in for them. */
async function readDefinition(folder: string, module: UploadedModule, names: ReadonlyMap<string, string>): Promise<JsonObject> {
  for (const [componentDefinitionPath, defaultName] of names) {
    const path = join(dirname(module.path), '_componentDeps', Buffer.from(componentDefinitionPath).toString('base64url'))
    await place(folder, { path, source: `export default ${JSON.stringify({ componentDefinitionPath, defaultName })}` })
  }
  const { default: definition } = await load(await place(folder, module))
  return (definition as { export(): JsonObject }).export()
}

/** A component offers its public functions to its parent, as a tree of modules. */
function exportTree(functions: Record<string, AnalyzedFunction[]>): JsonObject {
  interface Branch {
    [name: string]: Branch | string
  }
  const root: Branch = {}
  for (const [path, list] of Object.entries(functions)) {
    const modulePath = path.replace(/\.js$/, '')
    for (const fn of list) {
      if (fn.visibility.kind !== 'public') continue
      let at = root
      for (const part of modulePath.split('/')) at = (at[part] ??= {}) as Branch
      at[fn.name] = `_reference/function/${modulePath}:${fn.name}`
    }
  }
  const serialize = (branch: Branch): JsonObject => ({
    type: 'branch',
    branch: Object.entries(branch).map(([name, child]) => [
      name,
      typeof child === 'string' ? { type: 'leaf', leaf: child } : serialize(child),
    ]),
  })
  return serialize(root)
}
