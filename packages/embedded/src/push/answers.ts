/**
 * What the official CLI hears when it pushes: its own functions analyzed, which is what `codegen` needs, and "done" to everything
 * else. Nothing that is pushed is kept or run as a backend: functions always come from the build.
 */
import type { Json, JsonObject } from '../values/json.ts'
import type { Analysis, PushRequest } from './analyze.ts'
import { analyzeInThread } from './in-thread.ts'

export interface DeploymentUrls {
  cloud: string
  site: string
}

/** For the person who pushed. */
export const PUSH_NOTICE =
  'This is an embedded backend: its functions come from the build it was started with. What you push is analyzed for code generation, not deployed.'

const SCHEMA_CHANGE = { allocatedComponentIds: {}, schemaIds: {}, indexDiffs: {} }

/** `key` is "METHOD /path". Undefined when it is no push endpoint. */
export async function answerPush(key: string, body: JsonObject, urls: DeploymentUrls): Promise<Json | undefined> {
  switch (key) {
    case 'POST /api/get_config_hashes':
      return {
        config: { modules: [], authInfo: [], functions: 'convex/' },
        moduleHashes: [],
        udfServerVersion: '0.0.0',
        nodeVersion: null,
      }
    case 'POST /api/deploy2/start_push': {
      const analysis = await analyzeInThread(body as unknown as PushRequest)
      return {
        environmentVariables: {},
        externalDepsId: null,
        componentDefinitionPackages: {},
        appAuth: [],
        analysis,
        app: checkedComponent(analysis, '', ''),
        schemaChange: SCHEMA_CHANGE,
      }
    }
    case 'POST /api/deploy2/evaluate_push':
      return { schemaChange: SCHEMA_CHANGE }
    case 'POST /api/deploy2/evaluate_schema':
      return { components: {}, indexDiffs: {}, schemaChange: SCHEMA_CHANGE }
    case 'POST /api/deploy2/wait_for_schema':
      return { type: 'complete' }
    case 'POST /api/deploy2/finish_push':
      return { authDiff: { added: [], removed: [] }, definitionDiffs: {}, componentDiffs: {} }
    case 'POST /api/deploy2/report_push_completed':
      return {}
    case 'GET /api/v1/get_canonical_urls':
      return { convexCloudUrl: urls.cloud, convexSiteUrl: urls.site }
    default:
      return undefined
  }
}

function checkedComponent(analysis: Analysis, definitionPath: string, componentPath: string): JsonObject {
  const { definition } = analysis[definitionPath] as { definition: { childComponents: { name: string; path: string }[] } }
  return {
    definitionPath,
    componentPath,
    args: {},
    childComponents: Object.fromEntries(
      definition.childComponents.map(({ name, path }) => [
        name,
        checkedComponent(analysis, path, componentPath === '' ? name : `${componentPath}/${name}`),
      ]),
    ),
    httpRoutes: { httpModuleRoutes: null, mounts: [] },
    exports: {},
  }
}
