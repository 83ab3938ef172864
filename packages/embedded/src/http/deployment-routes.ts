/** Routes of the official CLI: pushes, exports and imports. Every one needs the admin key. */
import { NotSupportedError, RequestError } from '../errors.ts'
import { answerPush, PUSH_NOTICE } from '../push/answers.ts'
import { readPushBody } from '../push/body.ts'
import { readJson } from './body.ts'
import type { Reply, RouteContext } from './routes.ts'

const OWN =
  /^\/api\/(get_config_hashes|deploy2\/.*|v1\/.*|export\/.*|import\/.*|perform_import|update_environment_variables|stream_function_logs|run_test_function|shapes2|.*_log_sink.*)$/

/** Null when the path is none of them. */
export async function deploymentRoute(context: RouteContext): Promise<Reply | null> {
  const { request, url, engine } = context
  if (!OWN.test(url.pathname)) return null
  // A push may carry the key in its body only, but the CLI sends the header too: that is the one that counts.
  if (!(await context.principal()).admin) throw new RequestError(403, 'AdminOnly', 'This route needs the admin key.')
  const { deployment } = engine
  const key = `${request.method} ${url.pathname}`
  const exported = /^GET \/api\/export\/zip\/(\d+)$/.exec(key)?.[1]
  if (exported !== undefined)
    return {
      status: 200,
      body: '',
      download: { name: `snapshot_${exported}.zip`, write: (out) => deployment.export(exported, out) },
    }
  switch (key) {
    case 'POST /api/export/request/zip':
      deployment.requestExport(url.searchParams.get('includeStorage') === 'true')
      return { status: 200, body: {} }
    case 'POST /api/import/start_upload':
      return { status: 200, body: { uploadToken: deployment.imports().begin() } }
    case 'POST /api/import/upload_part': {
      const { searchParams } = url
      const part = await deployment.imports().part(searchParams.get('uploadToken'), searchParams.get('partNumber'), request)
      return { status: 200, body: JSON.stringify(part) }
    }
    case 'POST /api/import/finish_upload':
      return { status: 200, body: { importId: await deployment.imports().finish(await readJson(request)) } }
    case 'POST /api/perform_import':
      deployment.imports().perform((await readJson(request))['importId'])
      return { status: 200, body: {} }
  }
  return (await push(context, key)) ?? refuse(key)
}

async function push({ request, engine }: RouteContext, key: string): Promise<Reply | null> {
  const own = `http://${request.headers.host ?? 'localhost'}`
  const { CONVEX_CLOUD_URL: cloud = own, CONVEX_SITE_URL: site = own } = engine.deployment.env
  try {
    const body = await answerPush(key, await readPushBody(request), { cloud, site })
    if (body === undefined) return null
    if (key !== 'POST /api/get_config_hashes') return { status: 200, body }
    engine.log.warn('a push was answered, nothing of it was deployed', { notice: PUSH_NOTICE })
    // The one way this CLI has to show a message of the server.
    const headers = { 'x-convex-deprecation-state': 'EmbeddedBackend', 'x-convex-deprecation-message': PUSH_NOTICE }
    return { status: 200, body, headers }
  } catch (error) {
    throw new RequestError(400, 'PushFailed', error instanceof Error ? error.message : String(error))
  }
}

function refuse(key: string): never {
  throw new RequestError(400, 'NotSupported', new NotSupportedError(key).message)
}
