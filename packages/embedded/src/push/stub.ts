/**
 * The push endpoints of a deployment, answered without one: enough for the official CLI to run `codegen` and `dev --once`
 * offline. Nothing that is pushed is kept or run as a backend: functions always come from the build.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'
import type { Random } from '@mission-control/shared/clock'
import { systemRandom } from '@mission-control/host/clock'
import { isAdminKey, loadAdminKey } from '../auth/admin-key.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { analyze, type Analysis, type PushRequest } from './analyze.ts'

export interface PushStub {
  url: string
  adminKey: string
  close(): Promise<void>
}

const MAX_BODY_BYTES = 64 * 1024 * 1024 // bundles of a large app with source maps
const SCHEMA_CHANGE = { allocatedComponentIds: {}, schemaIds: {}, indexDiffs: {} }

/** Listens on a free loopback port. Pass `url` and `adminKey` to `convex codegen --url … --admin-key …`. */
export async function startPushStub(options: { random?: Random } = {}): Promise<PushStub> {
  const adminKey = loadAdminKey(null, options.random ?? systemRandom)
  const server = createServer((request, response) => {
    void answer(adminKey, () => url, request)
      .then((body) => ({ status: 200, body }))
      .catch((error: unknown) => ({
        status: 400,
        body: { code: 'PushFailed', message: error instanceof Error ? error.message : String(error) },
      }))
      .then(({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    adminKey,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(adminKey: string, url: () => string, request: IncomingMessage): Promise<Json> {
  const body = await readBody(request)
  const [scheme, credentials] = (request.headers.authorization ?? '').split(' ')
  const given = scheme === 'Convex' ? credentials : body['adminKey']
  if (typeof given !== 'string' || !isAdminKey(adminKey, given)) throw new Error('The admin key is not the one of this server.')
  switch (`${request.method} ${new URL(request.url ?? '/', 'http://stub').pathname}`) {
    case 'POST /api/get_config_hashes':
      return {
        config: { modules: [], authInfo: [], functions: 'convex/' },
        moduleHashes: [],
        udfServerVersion: '0.0.0',
        nodeVersion: null,
      }
    case 'POST /api/deploy2/start_push': {
      const analysis = await analyze(body as unknown as PushRequest)
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
      return { convexCloudUrl: url(), convexSiteUrl: url() }
    default:
      throw new Error(`not supported by the embedded backend: ${request.method} ${request.url}`)
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

async function readBody(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Error('The push is too large.')
    chunks.push(chunk)
  }
  const raw = Buffer.concat(chunks)
  if (raw.length === 0) return {}
  const encoding = request.headers['content-encoding']
  const decoded =
    encoding === 'br' ? await promisify(brotliDecompress)(raw) : encoding === 'gzip' ? await promisify(gunzip)(raw) : raw
  return JSON.parse(decoded.toString('utf8')) as JsonObject
}
