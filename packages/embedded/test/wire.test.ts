/**
 * Golden transcripts of the sync protocol: every frame in both directions, byte for byte, with a clock and randomness of our own.
 * A change of the wire shows up as a change of a file in `wire/`; `vitest -u` rewrites them, the rules below still judge them.
 */
import { afterEach, expect, it } from 'vitest'
import { createTestClock, createTestRandom, inMemory } from './fixtures/backend.ts'
import { connectRaw, hello } from './fixtures/raw-socket.ts'

type Frame = Record<string, unknown>
interface Version {
  querySet: number
  identity: number
  ts: string
}

const sockets: { terminate(): void }[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate()
})

async function story() {
  const { clock } = createTestClock()
  const backend = await inMemory({ clock, random: createTestRandom(5), autoSchedule: false })
  const lines: string[] = []
  const wire = (frame: string) => frame.replaceAll(backend.adminKey, '<admin key>') // a secret, and another one each time

  async function connect(session = 'a-session', connectionCount = 0) {
    const { socket } = await connectRaw(backend)
    sockets.push(socket)
    const frames: Frame[] = []
    let arrived = Promise.withResolvers<void>()
    socket.on('message', (data: Buffer) => {
      const frame = data.toString()
      lines.push(`< ${wire(frame)}`)
      frames.push(JSON.parse(frame) as Frame)
      arrived.resolve()
    })
    const ended = new Promise<void>((resolve) =>
      socket.on('close', (code, reason: Buffer) => {
        lines.push(`closed ${code} ${reason.toString()}`)
        resolve()
      }),
    )
    /** Sends one message and waits for as many answers. */
    async function say(message: unknown, answers: number): Promise<void> {
      const frame = typeof message === 'string' ? message : JSON.stringify(message)
      lines.push(`> ${wire(frame)}`)
      const target = frames.length + answers
      socket.send(frame)
      while (frames.length < target) {
        await arrived.promise
        arrived = Promise.withResolvers()
      }
    }
    await say({ ...hello, sessionId: session, connectionCount }, 0)
    return { say, frames, ended, socket }
  }
  return { backend, lines, connect }
}

const add = (queryId: number, udfPath: string, args: unknown) => ({ type: 'Add', queryId, udfPath, args: [args] })
const querySet = (baseVersion: number, ...modifications: unknown[]) => ({
  type: 'ModifyQuerySet',
  baseVersion,
  newVersion: baseVersion + 1,
  modifications,
})
const call = (type: 'Mutation' | 'Action', requestId: number, udfPath: string, args: unknown) => ({
  type,
  requestId,
  udfPath,
  args: [args],
})
const tsOf = (encoded: string) => Buffer.from(encoded, 'base64').readBigUInt64LE(0)

/** What must hold of every conversation, whatever the golden file says. */
function checkRules(frames: readonly Frame[]): void {
  let version: Version = { querySet: 0, identity: 0, ts: 'AAAAAAAAAAA=' }
  let owed: bigint | null = null
  for (const frame of frames) {
    if (frame['type'] === 'MutationResponse' && frame['success'] === true) owed = tsOf(frame['ts'] as string)
    if (frame['type'] !== 'Transition') continue
    expect(frame['startVersion']).toEqual(version)
    const end = frame['endVersion'] as Version
    expect(tsOf(end.ts)).toBeGreaterThanOrEqual(tsOf(version.ts))
    if (owed !== null && tsOf(end.ts) >= owed) owed = null
    version = end
  }
  expect(owed).toBeNull() // every mutation that was answered was followed by a transition that covers it
}

it('queries, mutations, failures, removal', async () => {
  const { lines, connect } = await story()
  const { say, frames } = await connect()
  await say(querySet(0, add(0, 'messages:bodies', { channel: 'a' }), add(1, 'messages:nowhere', {})), 1)
  await say(call('Mutation', 0, 'messages:send', { channel: 'a', body: 'one' }), 2)
  await say(call('Mutation', 1, 'messages:send', { channel: 'other', body: 'unwatched' }), 2)
  await say(call('Mutation', 2, 'messages:fail', { channel: 'a' }), 1)
  await say(call('Mutation', 3, 'messages:send', { channel: 7 }), 1)
  await say(call('Mutation', 4, 'messages:bodies', { channel: 'a' }), 1)
  await say(querySet(1, { type: 'Remove', queryId: 0 }), 1)
  checkRules(frames)
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('wire/queries-and-mutations.txt')
})

it('a repeated request, an action, a page with its journal, on a second socket', async () => {
  const { lines, connect } = await story()
  const first = await connect()
  for (const [n, body] of ['a', 'b', 'c'].entries())
    await first.say(call('Mutation', n, 'messages:send', { channel: 'p', body }), 2)
  const page = add(0, 'messages:page', { channel: 'p', paginationOpts: { cursor: null, numItems: 2 } })
  await first.say(querySet(0, page), 1)
  checkRules(first.frames)
  const [answer] = first.frames.at(-1)!['modifications'] as { journal: string }[]
  first.socket.terminate()
  await first.ended

  const second = await connect('a-session', 1)
  await second.say(querySet(0, { ...page, journal: answer!.journal }), 1)
  await second.say(call('Mutation', 2, 'messages:send', { channel: 'p', body: 'c' }), 2) // done already: not done again
  await second.say(call('Action', 3, 'messages:sendTwice', { channel: 'p2' }), 1)
  checkRules(second.frames)
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('wire/reconnect.txt')
})

it('who one is', async () => {
  const { backend, lines, connect } = await story()
  const { say, frames } = await connect()
  const authenticate = (baseVersion: number, more: object) => ({ type: 'Authenticate', baseVersion, ...more })
  await say(querySet(0, add(0, 'messages:whoami', {})), 1)
  const impersonating = { subject: 'u1', issuer: 'me', name: 'Ann' }
  await say(authenticate(0, { tokenType: 'Admin', value: backend.adminKey, impersonating }), 1)
  await say(authenticate(1, { tokenType: 'None' }), 1)
  checkRules(frames)
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('wire/identity.txt')
})

it.each([
  ['not-json', 'nonsense'],
  ['unknown-type', { type: 'Dance' }],
  ['skipped-version', querySet(5)],
  ['wrong-type', { type: 'Mutation', requestId: 'one', udfPath: 'messages:send', args: [] }],
  ['bad-value', querySet(0, add(0, 'messages:bodies', { $bad: 1 }))],
  ['wrong-admin-key', { type: 'Authenticate', baseVersion: 0, tokenType: 'Admin', value: 'embedded|00' }],
  ['from-the-future', { ...hello, maxObservedTimestamp: '/////////38=' }],
])('what closes a socket: %s', async (name, message) => {
  const { lines, connect } = await story()
  const { say, ended } = await connect()
  await say(message, 0)
  await ended
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`wire/closes-${name}.txt`)
})
