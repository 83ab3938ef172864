/** Who is charged when several share the thread: nobody for what another one computed, or for a stall. */
import { actionGeneric, makeFunctionReference, mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { expect, it } from 'vitest'
import { inMemory, onDisk } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'

const LIMIT_MS = 300
const TEXT = `Function execution timed out (maximum duration: ${LIMIT_MS}ms)`
function processorMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** Computes until this thread has used the processor for so long. */
function compute(ms: number): void {
  for (const start = processorMs(); processorMs() - start < ms;);
}
/** The thread stands still without computing, as while it waits for the garbage collector or the disk. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
const digest = () => crypto.subtle.digest('SHA-256', new Uint8Array(8))

async function open(modules: Record<string, object | (() => Promise<object>)>) {
  const warnings: unknown[] = []
  const log = { info() {}, error() {}, warn: (message: string, fields?: object) => warnings.push([message, fields]) }
  const functions = { schema, modules: modules as never }
  return { backend: await inMemory({ functions, log, deadlines: { transactionMs: LIMIT_MS }, autoSchedule: false }), warnings }
}

/** A mutation that waits for something other than a call while another one runs, and then goes on. */
function waiter(until: () => Promise<unknown>) {
  const waits = Promise.withResolvers<void>()
  const mutation = mutationGeneric({
    args: {},
    handler: async (ctx) => {
      await ctx.db.insert('anything', { k: 'before' })
      waits.resolve()
      await until()
      await ctx.db.insert('anything', { k: 'after' })
      await until()
      return 'kept'
    },
  })
  return { mutation, waits: waits.promise }
}

it.each([
  ['a native promise', digest],
  ['microtasks only', () => Promise.resolve()],
])('an action that computes beside a mutation which waits for %s', async (_name, until) => {
  const { mutation, waits } = waiter(until)
  const action = actionGeneric({
    args: {},
    handler: async () => {
      await waits
      compute(1.5 * LIMIT_MS)
    },
  })
  const { backend, warnings } = await open({ f: { mutation, action } })
  const acting = backend.action('f:action', {})
  expect(await backend.mutation('f:mutation', {})).toBe('kept')
  await acting
  expect(warnings).toContainEqual(['an action held up everything', expect.objectContaining({ function: 'f:action' })])
})

it.each([
  ['stands still', stall],
  ['computes outside of functions', compute],
])('a process that %s while a mutation waits', async (_name, hold) => {
  const { mutation, waits } = waiter(digest)
  const { backend } = await open({ f: { mutation } })
  const mutating = backend.mutation('f:mutation', {})
  await waits
  hold(2 * LIMIT_MS)
  expect(await mutating).toBe('kept')
})

it('one computes in pieces between waits for native promises, another waits beside it', async () => {
  const begun = Promise.withResolvers<void>()
  let refused = false
  const burns = queryGeneric({
    args: {},
    handler: async () => {
      begun.resolve()
      for (let piece = 0; piece < 6; piece++) {
        await digest()
        compute(200)
      }
      await digest()
    },
  })
  const waits = queryGeneric({
    args: {},
    handler: async () => {
      await begun.promise
      while (!refused) await digest()
      return 'answered'
    },
  })
  const backend = await onDisk({ functions: { schema, modules: { f: { burns, waits } } } }) // in memory they take turns
  const waiting = backend.query('f:waits', {})
  await expect(backend.query('f:burns', {})).rejects.toThrow('maximum duration: 1s')
  refused = true
  expect(await waiting).toBe('answered')
})

it('the module of a nested function that is loaded now', async () => {
  const child = queryGeneric({ args: {}, handler: () => 'child' })
  const parent = queryGeneric({
    args: {},
    handler: async (ctx): Promise<unknown> => ctx.runQuery(makeFunctionReference<'query'>('big:child'), {}),
  })
  const big = async () => {
    compute(1.5 * LIMIT_MS)
    await Promise.resolve()
    compute(1.5 * LIMIT_MS)
    return { child }
  }
  const { backend } = await open({ f: { parent }, big })
  expect(await backend.query('f:parent', {})).toBe('child')
})

it('a parent that computes beside its child’s call is charged, its child is not', async () => {
  const child = queryGeneric({
    args: { k: v.number() },
    handler: async () => {
      for (let turn = 0; turn < 50; turn++) await Promise.resolve()
      return 'child'
    },
  })
  const answers: unknown[] = []
  const parent = queryGeneric({
    args: {},
    handler: async (ctx) => {
      const called = ctx.runQuery(makeFunctionReference<'query'>('f:child'), { k: 1 }).then((answer) => answers.push(answer))
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
      compute(1.5 * LIMIT_MS)
      await called
    },
  })
  const { backend } = await open({ f: { parent, child } })
  await expect(backend.query('f:parent', {})).rejects.toThrow(TEXT)
  expect(answers).toEqual(['child'])
})
