/**
 * The HTTP API against requests that no client sends: every answer is one of ours, none is a failure of the backend, nothing of its
 * insides is told, and afterwards it still serves.
 */
import { fuzzRuns, hostileText, INSIDES, mostly, mostlyRecord } from '@mission-control/shared/fuzz'
import { httpActionGeneric, httpRouter, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import fc from 'fast-check'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createEmbeddedConvex, type EmbeddedConvex } from '../src/index.ts'
import { functions } from './fixtures/functions.ts'
import { createIssuer } from './fixtures/issuer.ts'

const files = {
  uploadUrl: mutationGeneric({ args: {}, handler: (ctx) => ctx.storage.generateUploadUrl() }),
  url: queryGeneric({ args: { id: v.id('_storage') }, handler: (ctx, { id }) => ctx.storage.getUrl(id) }),
}
const http = httpRouter()
for (const method of ['GET', 'POST'] as const) {
  const handler = httpActionGeneric(async (_ctx, request) => new Response(`${request.url.length}`))
  http.route({ pathPrefix: '/', method, handler })
}
const CANARY = 'canary-stored-text'
let backend: EmbeddedConvex
let url: string
let port: number
let token: string
/** Lines that say that the backend failed, not its caller. */
const failures: string[] = []

beforeAll(async () => {
  const issuer = await createIssuer()
  token = await issuer.token()
  backend = await createEmbeddedConvex({
    functions: { ...functions, modules: { ...functions.modules, files }, http, auth: { providers: [issuer.provider] } },
    memory: true,
    log: {
      info: () => undefined,
      warn: () => undefined,
      error: (message, fields) => void failures.push(`${message} ${JSON.stringify(fields)}`),
    },
  })
  ;({ url, port } = await backend.listen())
  await backend.mutation('messages:send', { channel: 'hidden', body: CANARY })
})
afterAll(() => backend.close())
beforeEach(() => void (failures.length = 0))

/** Whatever was asked: an answer of ours. */
async function answered(ask: () => Promise<Response>, note: string): Promise<void> {
  failures.length = 0
  const response = await ask()
  const text = await response.text()
  expect([note, failures]).toEqual([note, []])
  expect([note, response.status]).not.toEqual([note, 500])
  expect(text).not.toMatch(INSIDES)
  expect(text).not.toContain(backend.adminKey)
  if (response.status >= 400) {
    expect(JSON.parse(text)).toEqual({ code: expect.any(String) as string, message: expect.stringMatching(/\S/) as string })
  }
}
const stillServes = async () => {
  expect(await backend.query('messages:bodies', { channel: 'hidden' })).toEqual([CANARY])
  expect((await fetch(`${url}/version`)).status).toBe(200)
}

const PATHS = [
  'messages:bodies',
  'messages:page',
  'messages:get',
  'messages:send',
  'messages:edit',
  'messages:whoami',
  'messages:secret',
]
const ROUTES = [
  'query',
  'mutation',
  'action',
  'query_batch',
  'query_at_ts',
  'query_ts',
  'function',
  'run/messages/bodies',
  'run/a/b',
]
  .concat(['storage/upload', 'storage/x.y', 'sync', 'shapes2', 'deploy2/start_push', 'get_config_hashes', 'export/request/zip'])
  .concat(['import/start_upload', 'import/upload_part', 'import/finish_upload', 'perform_import', 'v1/x'])
const words = ['messages', ':', '_', '$integer', '$bytes', '$float', 'cursor', 'AAAA']

const args = mostlyRecord({
  channel: fc.constantFrom('hidden', 'x'),
  body: hostileText(words),
  id: hostileText(words),
  paginationOpts: mostlyRecord({
    numItems: fc.constantFrom(1, 0, -1, 1e9, 2.5),
    cursor: fc.oneof(fc.constant(null), hostileText(words), fc.base64String()),
    endCursor: fc.oneof(fc.constant(null), fc.base64String()),
    maximumRowsRead: fc.constantFrom(1, 0, null),
  }),
})
const call = mostlyRecord({
  path: fc.oneof(fc.constantFrom(...PATHS), hostileText(words)),
  args: fc.oneof(args, fc.array(args, { maxLength: 2 })),
  format: fc.constantFrom('json', 'convex_encoded_json'),
  ts: fc.oneof(fc.base64String(), hostileText()),
})
const body = fc.oneof(
  { weight: 6, arbitrary: mostly(call).map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.array(mostly(call), { maxLength: 3 }).map((queries) => JSON.stringify({ queries })) },
  { weight: 1, arbitrary: hostileText(['{', '[', '"', ':']) },
)

describe('any body', () => {
  it('has an answer at every route', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ROUTES),
        fc.constantFrom('POST', 'POST', 'POST', 'PUT', 'DELETE'),
        body,
        (path, method, sent) =>
          answered(() => fetch(`${url}/api/${path}`, { method, body: sent.toWellFormed() }), `${method} ${path} ${sent}`),
      ),
      fuzzRuns(150),
    )
    await stillServes()
  })

  it('has an answer in an address, as text and as it is', async () => {
    await fc.assert(
      fc.asyncProperty(hostileText(words), hostileText(['{', '}', '"channel"', ':']), (path, given) => {
        const search = new URLSearchParams({ path: path.toWellFormed(), args: given.toWellFormed() }).toString()
        return answered(() => fetch(`${url}/api/query?${search}`), search)
      }),
      fuzzRuns(100),
    )
  })

  it('has an answer for the admin too, whose routes look into it', async () => {
    const authorization = `Convex ${backend.adminKey}`
    // Not the imports and exports of whole databases: those are operations, and have tests of their own.
    const routes = ROUTES.filter((route) => !/^(export|perform_import|import\/(start|upload))/.test(route))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...routes), body, (path, sent) =>
        answered(
          () => fetch(`${url}/api/${path}`, { method: 'POST', body: sent.toWellFormed(), headers: { authorization } }),
          `${path} ${sent}`,
        ),
      ),
      fuzzRuns(60),
    )
    await stillServes()
  })
})

describe('any credentials', () => {
  /** What fetch lets through in a header. */
  const header = fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 80,
  })
  const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const jwt = fc
    .tuple(
      mostlyRecord({
        alg: fc.constantFrom('ES256', 'RS256', 'none', 'HS256'),
        kid: fc.constantFrom('key-1', '../x'),
        typ: fc.constant('JWT'),
      }),
      mostlyRecord({
        iss: fc.constant('https://issuer.example'),
        sub: fc.constant('u'),
        aud: fc.constant('app'),
        exp: fc.constantFrom(9e9, 0, 1e300),
      }),
      fc.base64String(),
    )
    .map(([head, claims, tail]) => `${base64url(head)}.${base64url(claims)}.${tail}`)
  const given = fc.oneof(
    header,
    jwt.map((text) => `Bearer ${text}`),
    header.map((text) => `Bearer ${text}`),
    header.map((text) => `Convex ${text}`),
    header.map((text) => `Convex embedded|${text}`),
    fc.nat(400).chain((at) => header.map((text) => `Bearer ${token.slice(0, at)}${text}${token.slice(at + 1)}`)),
  )

  it('are taken or refused, and a refusal repeats none of them', async () => {
    await fc.assert(
      fc.asyncProperty(given, async (authorization) => {
        const sent = JSON.stringify({ path: 'messages:secret', args: {} })
        const ask = () => fetch(`${url}/api/query`, { method: 'POST', body: sent, headers: { authorization } })
        await answered(ask, authorization)
        const again = await fetch(`${url}/api/query`, { method: 'POST', body: sent, headers: { authorization } })
        expect(await again.text()).not.toContain('internal only')
      }),
      fuzzRuns(80),
    )
  })

  it('in the address of a stored file, neither do they', async () => {
    // As many characters as a signature has, and another number of bytes.
    const unit = fc.constantFrom('é', 'a')
    const hmac = fc.oneof(fc.string({ unit, minLength: 43, maxLength: 43 }), hostileText())
    await fc.assert(
      fc.asyncProperty(
        hostileText().map((text) => text.replaceAll('.', '')),
        hmac,
        fc.boolean(),
        (id, signature, upload) => {
          const token = encodeURIComponent(`9999999999999.${id}.${signature}`.toWellFormed())
          const name = encodeURIComponent(`${id}.${signature}`.toWellFormed())
          return upload
            ? answered(() => fetch(`${url}/api/storage/upload?token=${token}`, { method: 'POST', body: 'x' }), token)
            : answered(() => fetch(`${url}/api/storage/${name}`, { headers: { range: 'bytes=0-' } }), name)
        },
      ),
      fuzzRuns(150),
    )
  })
})

it('any range of a stored file is a part of it, none, or all of it', async () => {
  const address = (await backend.mutation('files:uploadUrl')) as string
  const { storageId } = (await (await fetch(address, { method: 'POST', body: 'abcdefghij' })).json()) as { storageId: string }
  const target = (await backend.query('files:url', { id: storageId })) as string
  const range = fc.oneof(
    hostileText(['bytes=', '-', '0', '9', ',', '999999999999999999999']).map((text) => text.replace(/[^\x20-\x7e]/g, '')),
    fc
      .tuple(fc.bigInt({ min: 0n, max: 40n }), fc.bigInt({ min: 0n, max: 10n ** 400n }))
      .map(([from, to]) => `bytes=${from}-${to}`),
  )
  await fc.assert(
    fc.asyncProperty(range, async (given) => {
      const response = await fetch(target, { headers: { range: given } })
      expect([200, 206, 416]).toContain(response.status)
      const text = await response.text()
      expect('abcdefghij').toContain(text)
      if (response.status === 206) expect(text).not.toBe('')
      expect(failures).toEqual([])
    }),
    fuzzRuns(100),
  )
})

describe('any bytes', () => {
  const printable = (words: string[]) => hostileText(words).map((text) => text.replace(/[^\x21-\x7e]/g, ''))
  const target = fc.oneof(
    fc.constantFrom('/http/x', '/http', '/version', '/api/sync', '//', '/%00', '/http/../../x', 'http://a:b@c/http/x', '*'),
    printable(['/', 'http', 'api', '..', '%', '%2e', '?', '#', '@', '[', 'sync']).map((text) => `/${text}`),
  )
  const method = fc.constantFrom('GET', 'GET', 'POST', 'OPTIONS', 'HEAD', 'TRACE', 'CONNECT', 'DELETE')
  const line = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(method, target).map(([verb, text]) => `${verb} ${text} HTTP/1.1`) },
    { weight: 1, arbitrary: hostileText(['GET ', 'POST ', '/api/query', ' HTTP/1.1', ' ']) },
  )
  const host = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        'localhost',
        '127.0.0.1',
        '[::1]',
        'a:b@localhost',
        'localhost/x',
        'localhost?y#z',
        'evil.example',
      ),
    },
    { weight: 1, arbitrary: printable(['localhost', ':', '@', '[', ']', '%']) },
  )
  const names = [
    'origin',
    'content-length',
    'transfer-encoding',
    'upgrade',
    'connection',
    'sec-websocket-key',
    'content-type',
  ].concat([
    'x-forwarded-proto',
    'forwarded',
    'expect',
    'range',
    'digest',
    'authorization',
    'x y',
    'access-control-request-headers',
  ])
  const header = fc.tuple(
    fc.constantFrom(...names),
    fc.oneof(
      printable(['http://', 'localhost', 'websocket', 'upgrade', 'chunked', '5', 'Bearer ', 'Convex ', 'proto=']),
      hostileText(),
    ),
  )

  it('are answered or hung up on, and nobody else is held up', async () => {
    await fc.assert(
      fc.asyncProperty(line, host, fc.array(header, { maxLength: 4 }), hostileText(), async (first, name, headers, rest) => {
        failures.length = 0
        const socket = connect(port, '127.0.0.1')
        let seen = ''
        socket.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')))
        socket.on('error', () => undefined) // a reset is an answer too
        const closed = once(socket, 'close')
        socket.end(
          `${first}\r\nHost: ${name}\r\nConnection: close\r\n${headers.map(([key, value]) => `${key}: ${value}\r\n`).join('')}\r\n${rest}`,
        )
        await closed
        expect([first, name, headers, failures]).toEqual([first, name, headers, []])
        expect(seen).not.toMatch(/^HTTP\/1\.1 500/)
        expect(seen).not.toMatch(INSIDES)
      }),
      fuzzRuns(200),
    )
    await stillServes()
  })
})
