import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference, queryGeneric } from 'convex/server'
import type { ConvexError } from 'convex/values'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { inMemory, onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'
import { schema } from '../../test/fixtures/functions.ts'
import { connectRaw, hello } from '../../test/fixtures/raw-socket.ts'
import { encodeTs } from '../http/routes.ts'

const bodies = makeFunctionReference<'query', { channel: string }, string[]>('messages:bodies')
const send = makeFunctionReference<'mutation', { channel: string; body: string }, string>('messages:send')
const fail = makeFunctionReference<'mutation', { channel: string }>('messages:fail')
const sendTwice = makeFunctionReference<'action', { channel: string }, string[]>('messages:sendTwice')
const page = makeFunctionReference<'query'>('messages:page')

const clients: { close(): unknown }[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})
function connect(url: string): ConvexClient {
  const client = new ConvexClient(url, { logger: false })
  clients.push(client)
  return client
}
function watch(client: ConvexClient, channel: string) {
  const seen: string[][] = []
  client.onUpdate(
    bodies,
    { channel },
    (value) => seen.push(value),
    (error) => void error,
  )
  return seen
}

describe.each([
  ['memory', inMemory],
  ['disk', onDisk],
])('the official client, %s', (_name, open) => {
  it('gets the result, then every change, and only of what it watches', async () => {
    const backend = await open()
    const { url } = await backend.listen()
    const client = connect(url)
    const [a, b] = [watch(client, 'a'), watch(client, 'b')]
    await vi.waitFor(() => expect([a, b]).toEqual([[[]], [[]]]))
    await client.mutation(send, { channel: 'a', body: '1' })
    expect(a.at(-1)).toEqual(['1']) // a mutation's promise resolves when its effects are visible
    await new ConvexHttpClient(url).mutation(send, { channel: 'a', body: '2' })
    await vi.waitFor(() => expect(a.at(-1)).toEqual(['1', '2']))
    await backend.mutation('messages:send', { channel: 'a', body: '3' })
    await vi.waitFor(() => expect(a.at(-1)).toEqual(['1', '2', '3']))
    expect(b).toEqual([[]])
  })

  it('reports failures with their data, and runs actions', async () => {
    const { url } = await (await open()).listen()
    const client = connect(url)
    const error = await client.mutation(fail, { channel: 'a' }).catch((thrown: unknown) => thrown)
    expect((error as ConvexError<{ code: string }>).data).toEqual({ code: 'REFUSED', channel: 'a' })
    expect(await client.action(sendTwice, { channel: 'a' })).toEqual(['one', 'two'])
    // A mutation that writes nothing must resolve too: the transition that covers it is sent all the same.
    await expect(client.mutation(makeFunctionReference<'mutation'>('messages:cancel'), { id: 'junk' })).rejects.toThrow(
      'ArgumentValidationError',
    )
  })

  it('many writers: the last update is the truth', async () => {
    const backend = await open()
    const { url } = await backend.listen()
    const seen = watch(connect(url), 'busy')
    const writers = Array.from({ length: 5 }, () => connect(url))
    await Promise.all(
      writers.flatMap((writer, w) =>
        Array.from({ length: 8 }, (_, n) => writer.mutation(send, { channel: 'busy', body: `${w}.${n}` })),
      ),
    )
    const truth = (await backend.query('messages:bodies', { channel: 'busy' })) as string[]
    expect(truth).toHaveLength(40)
    await vi.waitFor(() => expect(seen.at(-1)).toEqual(truth))
    for (const result of seen) expect(result).toEqual(truth.slice(0, result.length)) // every update was some past state
    expect(seen.map((result) => result.length)).toEqual(seen.map((result) => result.length).toSorted((x, y) => x - y))
  })
})

it('a commit that lands while a query runs makes it run again', async () => {
  const gate = Promise.withResolvers<void>()
  let runs = 0
  const slow = queryGeneric({
    args: {},
    handler: async (ctx) => {
      const rows = await ctx.db.query('anything').collect()
      runs++
      if (runs === 1) await gate.promise
      return rows.length
    },
  })
  const backend = await onDisk({ functions: { schema, modules: { m: { slow } } }, autoSchedule: false })
  const seen: unknown[] = []
  backend.onUpdate('m:slow', {}, (value) => seen.push(value))
  await vi.waitFor(() => expect(runs).toBe(1))
  await backend.run((ctx) => ctx.db.insert('anything', { k: 1 }))
  gate.resolve()
  await vi.waitFor(() => expect(seen).toEqual([0, 1]))
})

it('acts as a user with the admin key', async () => {
  const backend = await inMemory()
  const { url } = await backend.listen()
  const client = connect(url)
  const admin = client as unknown as { client: { setAdminAuth(key: string, identity: object): void } }
  admin.client.setAdminAuth(backend.adminKey, { subject: 'u1', issuer: 'me', name: 'Ann' })
  const identity = await client.query(makeFunctionReference<'query'>('messages:whoami'), {})
  expect(identity).toMatchObject({ subject: 'u1', tokenIdentifier: 'me|u1', name: 'Ann' })
})

it('mutations in flight across a restart are applied exactly once', { timeout: 30_000 }, async () => {
  const dataDir = await temporaryFolder()
  let backend = await onDisk({ dataDir })
  const { url, port } = await backend.listen()
  const client = connect(url)
  const seen = watch(client, 'r')
  await client.mutation(send, { channel: 'r', body: 'before' })
  const pending: Promise<string>[] = []
  for (let i = 0; i < 5; i++) pending.push(client.mutation(send, { channel: 'r', body: `m${i}` }))
  await backend.close()
  pending.push(client.mutation(send, { channel: 'r', body: 'while down' }))
  backend = await onDisk({ dataDir })
  await backend.listen({ port })
  await Promise.all(pending)
  expect(await backend.query('messages:bodies', { channel: 'r' })).toEqual(['before', 'm0', 'm1', 'm2', 'm3', 'm4', 'while down'])
  await vi.waitFor(() => expect(seen.at(-1)).toHaveLength(7))
})

describe('the protocol', () => {
  const raw = connectRaw
  const mutation = { type: 'Mutation', requestId: 1, udfPath: 'messages:send', args: [{ channel: 'd', body: 'once' }] }

  it('answers a repeated request from the store, across sockets', async () => {
    const backend = await onDisk()
    const first = await raw(backend)
    first.send(hello)
    first.send(mutation)
    await vi.waitFor(() => expect(first.messages.some((message) => message['type'] === 'MutationResponse')).toBe(true))
    first.socket.terminate()
    const second = await raw(backend)
    second.send({ ...hello, connectionCount: 1 })
    second.send(mutation)
    await vi.waitFor(() => expect(second.messages.some((message) => message['type'] === 'MutationResponse')).toBe(true))
    const answer = (messages: Record<string, unknown>[]) => messages.find((message) => message['type'] === 'MutationResponse')
    expect(answer(second.messages)).toEqual(answer(first.messages))
    expect(await backend.query('messages:bodies', { channel: 'd' })).toEqual(['once'])
    second.send({ ...mutation, requestId: 2 })
    await vi.waitFor(async () => expect(await backend.query('messages:bodies', { channel: 'd' })).toEqual(['once', 'once']))
    second.socket.terminate()
  })

  it('chains versions, answers before the transition, and removes queries', async () => {
    const backend = await inMemory()
    const { messages, send: write, socket } = await raw(backend)
    write(hello)
    const add = { type: 'Add', queryId: 7, udfPath: 'messages:bodies', args: [{ channel: 'd' }] }
    write({ type: 'ModifyQuerySet', baseVersion: 0, newVersion: 1, modifications: [add] })
    write(mutation)
    await vi.waitFor(() => expect(messages.at(-1)).toMatchObject({ type: 'Transition', modifications: [{ value: ['once'] }] }))
    write({ type: 'ModifyQuerySet', baseVersion: 1, newVersion: 2, modifications: [{ type: 'Remove', queryId: 7 }] })
    await vi.waitFor(() => expect(messages.at(-1)).toMatchObject({ modifications: [{ type: 'QueryRemoved', queryId: 7 }] }))
    const kinds = messages.map((message) => message['type'])
    expect(kinds.indexOf('MutationResponse')).toBeLessThan(kinds.lastIndexOf('Transition'))
    const transitions = messages.filter((message) => message['type'] === 'Transition') as {
      startVersion: object
      endVersion: object
    }[]
    expect(transitions[0]!.startVersion).toEqual({ querySet: 0, identity: 0, ts: encodeTs(0n) })
    for (const [at, transition] of transitions.slice(1).entries())
      expect(transition.startVersion).toEqual(transitions[at]!.endVersion)
    socket.terminate()
  })

  it('a page keeps its end when rows are inserted into it', async () => {
    const backend = await inMemory()
    for (const body of ['a', 'b', 'c', 'd']) await backend.mutation('messages:send', { channel: 'p', body })
    const { url } = await backend.listen()
    const client = connect(url)
    const pages: string[][] = []
    client.onUpdate(
      page,
      { channel: 'p', paginationOpts: { cursor: null, numItems: 2 } },
      (value: { page: { body: string }[] }) => pages.push(value.page.map((row) => row.body)),
    )
    await vi.waitFor(() => expect(pages.at(-1)).toEqual(['a', 'b']))
    const first = (await backend.query('messages:page', { channel: 'p', paginationOpts: { cursor: null, numItems: 1 } })) as {
      page: { _id: string }[]
    }
    await backend.mutation('messages:remove', { id: first.page[0]!._id })
    await vi.waitFor(() => expect(pages.at(-1)).toEqual(['b'])) // not refilled from the next page
  })

  it.each([
    ['text that is no JSON', 'nonsense'],
    ['an unknown type', { type: 'Dance' }],
    ['a prototype name', { type: 'constructor' }],
    ['a null', null],
    ['an array', []],
    ['a mutation before Connect', mutation],
    ['a Connect without session', { type: 'Connect' }],
  ])('closes on %s and keeps serving others', async (_name, message) => {
    const backend = await inMemory()
    const { closed, send: write } = await raw(backend)
    write(typeof message === 'string' ? message : JSON.stringify(message))
    expect((await closed)[0]).toBe(1008)
    expect(await backend.query('messages:bodies', { channel: 'd' })).toEqual([])
  })

  it.each([
    ['modifications that are no objects', { type: 'ModifyQuerySet', baseVersion: 0, newVersion: 1, modifications: [3] }],
    ['a skipped version', { type: 'ModifyQuerySet', baseVersion: 5, newVersion: 6, modifications: [] }],
    [
      'arguments that are no values',
      {
        type: 'ModifyQuerySet',
        baseVersion: 0,
        newVersion: 1,
        modifications: [{ type: 'Add', queryId: 1, udfPath: 'messages:bodies', args: [{ $bad: 1 }] }],
      },
    ],
  ])('closes on %s', async (_name, message) => {
    const { closed, send: write } = await raw(await inMemory())
    write(hello)
    write(message)
    expect((await closed)[0]).toBe(1008)
  })

  it('a client from the future is turned away', async () => {
    const { closed, messages, send: write } = await raw(await inMemory())
    write({ ...hello, maxObservedTimestamp: encodeTs(2n ** 63n) })
    expect((await closed)[1]).toBe('DatabaseRestored')
    expect(messages).toMatchObject([{ type: 'FatalError' }])
  })

  it('a wrong admin key is an AuthError and the end, internal functions stay closed to the socket', async () => {
    const backend = await inMemory()
    const refused = await raw(backend)
    refused.send(hello)
    refused.send({ type: 'Authenticate', tokenType: 'Admin', value: 'embedded|00', baseVersion: 0 })
    refused.send(mutation)
    expect((await refused.closed)[0]).toBe(1008)
    expect(refused.messages).toMatchObject([{ type: 'AuthError', baseVersion: 0, authUpdateAttempted: true }])
    expect(await backend.query('messages:bodies', { channel: 'd' })).toEqual([])

    const { messages, send: write, socket } = await raw(backend)
    write(hello)
    write({
      type: 'ModifyQuerySet',
      baseVersion: 0,
      newVersion: 1,
      modifications: [{ type: 'Add', queryId: 1, udfPath: 'messages:secret', args: [{}] }],
    })
    await vi.waitFor(() => expect(messages).toHaveLength(1))
    expect(messages[0]).toMatchObject({
      modifications: [{ type: 'QueryFailed', errorMessage: expect.stringContaining('Could not find public function') }],
    })
    socket.terminate()
  })

  it('says goodbye with 1001', async () => {
    const backend = await inMemory()
    const { closed } = await raw(backend)
    await backend.close()
    expect((await closed)[0]).toBe(1001)
  })
})
