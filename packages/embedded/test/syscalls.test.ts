/**
 * Every call the installed client library can make, read from its source: each either works or is refused by name. A new version
 * with a new call makes the first test fail, so that somebody decides what becomes of it.
 */
/* eslint-disable @typescript-eslint/no-explicit-any -- the global has no type here */
import { actionGeneric, makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inMemory } from './fixtures/backend.ts'
import { schema } from './fixtures/functions.ts'

const WORK = [
  '1.0/get', '1.0/db/normalizeId', '1.0/insert', '1.0/shallowMerge', '1.0/replace', '1.0/remove',
  '1.0/queryStream', '1.0/queryStreamNext', '1.0/queryCleanup', '1.0/queryPage',
  '1.0/runUdf', '1.0/actions/query', '1.0/actions/mutation', '1.0/actions/action',
  '1.0/schedule', '1.0/cancel_job', '1.0/actions/schedule', '1.0/actions/cancel_job',
  '1.0/getUserIdentity', '1.0/getFunctionMetadata', '1.0/getTransactionMetrics', '1.0/getSnapshotTs',
  '1.0/storageGetUrl', '1.0/storageGetMetadata', '1.0/storageGenerateUploadUrl', '1.0/storageDelete', '1.0/storageStore', '1.0/storageGet',
  'storage/storeBlob', 'storage/getBlob',
] // prettier-ignore
/** Refused with the name of the index: its own tests are with searches. */
const REFUSED_ELSEWHERE = ['1.0/actions/vectorSearch']
const REFUSED = {
  async: [
    '1.0/count', '1.0/createFunctionHandle', '1.0/signJwt', '1.0/auditLog', '1.0/createServiceToken', '1.0/getServiceUrl',
    '1.0/getDeploymentMetadata', '1.0/getRequestMetadata', '1.0/fromTheFuture', '1.0/storageFromTheFuture',
  ],
  sync: ['1.0/syncFromTheFuture'],
  js: ['requestFromConvexJson', 'convexJsonFromResponse', 'storage/fromTheFuture'],
} // prettier-ignore

const calls = (kind: keyof typeof REFUSED, op: string): unknown => {
  const { Convex } = globalThis as any
  return kind === 'async' ? Convex.asyncSyscall(op, '{}') : kind === 'sync' ? Convex.syscall(op, '{}') : Convex.jsSyscall(op, {})
}
const args = { kind: v.any(), op: v.string() }
const handler = async (_ctx: unknown, { kind, op }: { kind: any; op: string }) => void (await calls(kind, op))
const stale = makeFunctionReference<'query', any>('c:nothing')
const c = {
  query: queryGeneric({ args, handler }),
  mutation: mutationGeneric({ args, handler }),
  action: actionGeneric({ args, handler }),
  nothing: queryGeneric({ args: {}, handler: () => null }),
  stale: mutationGeneric({ args: {}, handler: (ctx) => ctx.runQuery(stale, {}, { useStaleSnapshot: true }) }),
  staleInQuery: queryGeneric({ args: {}, handler: (ctx) => ctx.runQuery(stale, {}, { useStaleSnapshot: true } as any) }),
  limits: mutationGeneric({ args: {}, handler: (ctx) => ctx.runQuery(stale, {}, { transactionLimits: { bytesRead: 1 } }) }),
  meta: mutationGeneric({
    args: {},
    handler: async (ctx) => {
      await ctx.db.insert('anything', { k: 1 })
      await ctx.db.query('anything').collect()
      return { metrics: await (ctx as any).meta.getTransactionMetrics(), ts: (ctx as any).meta.getSnapshotTs() }
    },
  }),
}
const functions = { schema, modules: { c } }

it('the client library makes no call that is not listed here', async () => {
  const source = join(dirname(createRequire(import.meta.url).resolve('convex/package.json')), 'src')
  const found = new Set<string>()
  for (const file of await readdir(source, { recursive: true })) {
    if (!file.endsWith('.ts') || file.includes('.test.')) continue
    const text = await readFile(join(source, file), 'utf8')
    for (const [, op] of text.matchAll(/["'`]((?:1\.0|storage)\/[A-Za-z_/]+)["'`]/g)) found.add(op!)
    for (const [, op] of text.matchAll(/perform(?:Async|Js)?Syscall\(\s*["'`]([^"'`]+)["'`]/g)) found.add(op!)
  }
  expect(found.size).toBeGreaterThan(30)
  const known = new Set([...WORK, ...REFUSED_ELSEWHERE, ...Object.values(REFUSED).flat()])
  expect([...found].filter((op) => !known.has(op))).toEqual([])
})

describe('refused by name', () => {
  const cases = Object.entries(REFUSED).flatMap(([kind, ops]) => ops.map((op) => [kind, op] as const))
  it.each(cases)('%s %s', async (kind, op) => {
    const backend = await inMemory({ functions })
    const text = `not supported by the embedded backend: ${op}`
    await expect(backend.query('c:query', { kind, op })).rejects.toThrow(text)
    await expect(backend.mutation('c:mutation', { kind, op })).rejects.toThrow(text)
    await expect(backend.action('c:action', { kind, op })).rejects.toThrow(text)
  })

  it.each([
    ['c:stale', 'useStaleSnapshot'],
    ['c:limits', 'transactionLimits'],
  ])('the option of %s', async (path, name) => {
    const backend = await inMemory({ functions })
    await expect(backend.mutation(path, {})).rejects.toThrow(`not supported by the embedded backend: ${name}`)
  })

  it('a stale snapshot in a query is refused as in production', async () => {
    const backend = await inMemory({ functions })
    await expect(backend.query('c:staleInQuery', {})).rejects.toThrow('only supported in mutations, not queries')
  })
})

it('ctx.meta tells what a transaction has used and what it sees', async () => {
  const backend = await inMemory({ functions })
  const { metrics, ts } = (await backend.mutation('c:meta', {})) as any
  expect(metrics).toMatchObject({
    documentsWritten: { used: 1, remaining: 15_999 },
    documentsRead: { used: 1, remaining: 31_999 },
    databaseQueries: { used: 1, remaining: 4_095 },
    functionsScheduled: { used: 0, remaining: 1_000 },
  })
  expect(metrics.bytesWritten.used + metrics.bytesWritten.remaining).toBe(16 * 1024 * 1024)
  expect(typeof ts).toBe('bigint')
})
