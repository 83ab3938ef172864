/** The HTTP API: function calls and a few facts about the server. Function failures answer 200, as the clients expect. */
import type { IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import type { Engine } from '../engine.ts'
import { FunctionError, RequestError } from '../errors.ts'
import type { Principal } from '../auth/authorize.ts'
import { SYSTEM_PREFIX } from '../deployment/system-queries.ts'
import type { FunctionKind } from '../functions/registry.ts'
import { bigintOf, isObject, numberOf, typeOf, type Json, type JsonObject } from '../values/json.ts'
import { parseArgs, parseJson, readJson } from './body.ts'
import { deploymentRoute } from './deployment-routes.ts'
import { health } from './health.ts'

export interface Reply {
  status: number
  body: Json | string
  headers?: Readonly<Record<string, string>>
  /** Written to the client as it is made, instead of `body`. */
  download?: { name: string; write: (out: Writable) => Promise<void> }
}
export interface RouteContext {
  engine: Engine
  instanceName: string
  request: IncomingMessage
  url: URL
  /** Reads the Authorization header; throws when it is wrong. */
  principal(): Promise<Principal>
}

/** Reported by `GET /version`. */
const SERVER_VERSION = 'mission-control-embedded'
const ALL_KINDS: readonly FunctionKind[] = ['query', 'mutation', 'action']

export async function route(context: RouteContext): Promise<Reply> {
  const { request, url } = context
  const key = `${request.method} ${url.pathname}`
  switch (key) {
    case 'GET /':
      return { status: 200, body: 'This is an embedded Convex-compatible backend.' }
    case 'GET /version':
    case 'GET /instance_version':
      return { status: 200, body: SERVER_VERSION }
    case 'GET /health':
      return health(context.engine)
    case 'GET /metrics':
      return (await import('./metrics.ts')).metrics(context.engine) // its library takes 8 MiB: only for those who ask
    case 'GET /instance_name':
      return { status: 200, body: context.instanceName }
    case 'POST /api/query_at_ts': {
      // Every answer is at the newest timestamp, which is never older than the one asked for.
      const body = await readJson(request)
      if (typeof body['ts'] !== 'string')
        throw new RequestError(400, 'BadTimestamp', '`ts` must be a timestamp of /api/query_ts.')
      if (decodeTs(body['ts']) > context.engine.lastTs())
        throw new RequestError(400, 'BadTimestamp', '`ts` is newer than anything this backend holds.')
      return callFunction(context, body, ['query'], false)
    }
    case 'POST /api/query':
      return callFunction(context, await readJson(request), ['query'], false)
    case 'GET /api/query':
      return callFunction(context, fromSearch(url), ['query'], false)
    case 'POST /api/mutation':
      return callFunction(context, await readJson(request), ['mutation'], false)
    case 'POST /api/action':
      return callFunction(context, await readJson(request), ['action'], false)
    case 'POST /api/query_ts':
      return { status: 200, body: { ts: encodeTs(context.engine.lastTs()) } }
    case 'POST /api/query_batch':
      return queryBatch(context)
    case 'POST /api/function':
      await requireAdmin(context)
      return callFunction(context, await readJson(request), ALL_KINDS, true)
  }
  const run = request.method === 'POST' ? /^\/api\/run\/(.+)\/([^/]+)$/.exec(url.pathname) : null
  if (run) {
    const body = await readJson(request)
    return callFunction(context, { format: 'json', ...body, path: `${run[1]}:${run[2]}` }, ALL_KINDS, false)
  }
  const deployment = await deploymentRoute(context)
  if (deployment) return deployment
  throw new RequestError(404, 'NotFound', `There is nothing at ${request.method} ${url.pathname}.`)
}

async function requireAdmin(context: RouteContext): Promise<void> {
  if (!(await context.principal()).admin) throw new RequestError(403, 'AdminOnly', 'This route needs the admin key.')
}

/** How a function is run: on its own, or with others on one snapshot. */
type Run = (...call: Parameters<Engine['core']['call']>) => Promise<{ value: Json; logLines: string[] }>

async function queryBatch(context: RouteContext): Promise<Reply> {
  const { queries } = await readJson(context.request)
  if (!Array.isArray(queries) || !queries.every(isObject))
    throw new RequestError(400, 'BadJsonBody', '`queries` must be an array of queries.')
  const { core, snapshots } = context.engine
  const results: Json[] = []
  await snapshots.with(async (snapshot) => {
    const run: Run = async (path, kinds, args, options) => {
      const { outcome, error } = await core.queryIn(snapshot, await core.resolve(path, kinds, options.internal), args, options)
      if (!outcome) throw error
      return outcome
    }
    for (const query of queries) {
      const { body } = await callFunction(context, query, ['query'], false, run)
      results.push(body)
    }
  })
  return { status: 200, body: { results } }
}

function fromSearch(url: URL): JsonObject {
  const { path, args, format } = Object.fromEntries(url.searchParams)
  return { path: path ?? null, args: args === undefined ? {} : parseJson(args), ...(format !== undefined && { format }) }
}

async function callFunction(
  context: RouteContext,
  body: JsonObject,
  kinds: readonly FunctionKind[],
  internal: boolean,
  run?: Run,
): Promise<Reply> {
  const { engine } = context
  const { path, args, format, componentPath } = body
  if (typeof path !== 'string') throw new RequestError(400, 'BadFunctionPath', '`path` must be a string like "module:function".')
  if (typeof componentPath === 'string' && componentPath !== '') {
    throw new RequestError(400, 'NotSupported', 'not supported by the embedded backend: components')
  }
  const encode = encoderFor(format)
  const { identity, admin } = await context.principal()
  const requestId = engine.core.newRequestId()
  try {
    // The admin may call everything; acting as a user it goes through the user's guards.
    const everything = internal || (admin && (identity === null || path.startsWith(SYSTEM_PREFIX)))
    const options = { identity, internal: everything, forAdmin: internal, requestId }
    const answer = await (run ?? engine.core.call)(path, kinds, parseArgs(args), options)
    return { status: 200, body: { status: 'success', value: encode(answer.value), logLines: answer.logLines } }
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error
    return { status: 200, body: failureBody(error, requestId, encode) }
  }
}

/** `[Request ID: …] Server Error` and the message: what every client prints. */
export function failureMessage(message: string, requestId: string): string {
  return `[Request ID: ${requestId}] Server Error\n${message}`
}

function failureBody(error: FunctionError, requestId: string, encode: (value: Json) => Json): JsonObject {
  return {
    status: 'error',
    errorMessage: failureMessage(error.message, requestId),
    ...(error.data !== undefined && { errorData: encode(error.data) }),
    logLines: error.logLines,
  }
}

function encoderFor(format: Json | undefined): (value: Json) => Json {
  if (format === 'convex_encoded_json') return (value) => value
  if (format === undefined || format === 'json' || format === 'convex_clean_json') return cleanJson
  throw new RequestError(400, 'BadFormat', '`format` must be "json" or "convex_encoded_json".')
}

/** Convex values as ordinary JSON: integers as text, bytes as base64, NaN and infinities as text. */
function cleanJson(value: Json): Json {
  switch (typeOf(value)) {
    case 'bigint':
      return bigintOf(value).toString()
    case 'number': {
      const number = numberOf(value)
      return Number.isFinite(number) ? number : String(number)
    }
    case 'bytes':
      return (value as { $bytes: string }).$bytes
    case 'array':
      return (value as Json[]).map(cleanJson)
    case 'object':
      return Object.fromEntries(Object.entries(value as JsonObject).map(([field, child]) => [field, cleanJson(child)]))
    default:
      return value
  }
}

/** Unsigned 64-bit little-endian, base64: timestamps on the wire. */
export function encodeTs(ts: bigint): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(ts)
  return bytes.toString('base64')
}

export function decodeTs(encoded: string): bigint {
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.length !== 8) throw new RequestError(400, 'BadTimestamp', 'A timestamp must be 8 bytes in base64.')
  return bytes.readBigUInt64LE(0)
}
