/**
 * The sync socket against messages that the official client never sends, one after the other: each is answered, or the socket is
 * closed as the client's fault (1008) with a reason. Never as ours (1011), never without a word, and others are served on.
 */
import { fuzzRuns, hostileJson, hostileText, INSIDES, mostly, mostlyRecord } from '@mission-control/shared/fuzz'
import fc from 'fast-check'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createEmbeddedConvex, type EmbeddedConvex } from '../src/index.ts'
import { RequestError } from '../src/errors.ts'
import { parseMessage } from '../src/sync/protocol.ts'
import { functions } from './fixtures/functions.ts'
import { hello } from './fixtures/raw-socket.ts'

let backend: EmbeddedConvex
let url: string
const failures: string[] = []

beforeAll(async () => {
  const error = (message: string, fields?: object) => void failures.push(`${message} ${JSON.stringify(fields)}`)
  backend = await createEmbeddedConvex({
    functions,
    memory: true,
    log: { info: () => undefined, warn: () => undefined, error },
  })
  url = `${(await backend.listen()).url.replace('http', 'ws')}/api/1.48.0/sync`
})
afterAll(() => backend.close())

const count = fc.oneof(fc.nat(3), fc.constantFrom(2 ** 53 - 1, 2 ** 31, 2 ** 32))
const text = hostileText()
const path = fc.oneof(
  fc.constantFrom('messages:bodies', 'messages:send', 'messages:page', 'messages:secret', 'messages:sendTwice'),
  text,
)
const args = fc.array(
  mostlyRecord({ channel: fc.constantFrom('x'), body: text, paginationOpts: hostileJson(['cursor', 'numItems']) }),
  {
    maxLength: 2,
  },
)
const ts = fc.oneof(fc.constant(null), fc.constant('AAAAAAAAAAA='), fc.base64String(), text)

const add = mostlyRecord({
  type: fc.constant('Add'),
  queryId: count,
  udfPath: path,
  args,
  journal: fc.oneof(fc.constant(null), text),
})
const remove = mostlyRecord({ type: fc.constant('Remove'), queryId: count })
const message = fc.oneof(
  mostlyRecord({ type: fc.constant('Connect'), sessionId: text, connectionCount: count, maxObservedTimestamp: ts }),
  mostlyRecord({
    type: fc.constant('Authenticate'),
    tokenType: fc.constantFrom('User', 'Admin', 'None'),
    value: fc.oneof(fc.constant(null), text, fc.constant('a.b.c')),
    baseVersion: count,
    impersonating: fc.oneof(fc.constant(null), hostileJson(['subject', 'issuer'])),
  }),
  mostlyRecord({
    type: fc.constant('ModifyQuerySet'),
    baseVersion: fc.nat(2),
    newVersion: fc.nat(3),
    modifications: fc.array(fc.oneof(add, remove), { maxLength: 4 }),
  }),
  mostlyRecord({ type: fc.constantFrom('Mutation', 'Action'), requestId: count, udfPath: path, args }),
  mostlyRecord({ type: fc.constant('Event'), eventType: text, event: hostileJson() }),
)
const frame = fc.oneof(
  { weight: 8, arbitrary: mostly(message).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: hostileText(['{', '"type"', ':', '"Connect"', '}']) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
)

it('any message is one of the protocol or refused with what is wrong', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        mostly(message).map((value) => JSON.stringify(value)),
        text,
      ),
      (given) => {
        try {
          const { type } = parseMessage(given)
          expect(['Connect', 'Authenticate', 'ModifyQuerySet', 'Mutation', 'Action', 'Event']).toContain(type)
        } catch (error) {
          if (!(error instanceof RequestError)) throw error
          expect(error).toMatchObject({ status: 400, code: 'BadMessage' })
        }
      },
    ),
    fuzzRuns(500),
  )
})

it('any conversation ends as the fault of the one who began it, or goes on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(frame, { minLength: 1, maxLength: 6 }), async (greets, frames) => {
      failures.length = 0
      const socket = new WebSocket(url)
      const answers: string[] = []
      socket.on('message', (data: Buffer) => answers.push(data.toString()))
      const closed = once(socket, 'close') as Promise<[number, Buffer]>
      await once(socket, 'open')
      if (greets) socket.send(JSON.stringify(hello))
      for (const each of frames) socket.send(each)
      // A message that nobody may send comes last, so that the end is the server's also where all before it was fine.
      socket.send('the end')
      const [code, reason] = await closed
      expect(failures).toEqual([])
      expect([code, reason.toString()]).toEqual([1008, expect.stringMatching(/^\w+(: |$)/) as string])
      for (const answer of answers) {
        expect(() => JSON.parse(answer) as unknown).not.toThrow()
        expect(answer).not.toMatch(INSIDES)
        expect(answer).not.toContain(backend.adminKey)
        expect(answer).not.toContain('internal only')
      }
    }),
    fuzzRuns(150),
  )
  expect(await backend.query('messages:bodies', { channel: 'nobody' })).toEqual([])
})
