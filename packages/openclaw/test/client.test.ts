/** The connection itself: refusals, losses, and who hears of them. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@mission-control/host/clock'
import { afterEach, describe, expect, it } from 'vitest'
import type { Client } from '../src/client.ts'
import { WebSocketServer } from 'ws'
import { createClient } from '../src/client.ts'
import { createExternalGateway } from '../src/supervisor/external.ts'
import type { FakeGateway, FakeGatewayOptions } from '../src/testing/fake-gateway.ts'
import { createGateway } from '../src/official-gateway.ts'
import { startFakeGateway } from '../src/testing/fake-gateway.ts'
import { runTurn } from '../src/turn/run.ts'
import { startSilentProxy } from './fixtures/silent-proxy.ts'
import { systemRandom } from '@mission-control/host/clock'

describe('client', () => {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]()
  })
  const start = async (options: FakeGatewayOptions = {}): Promise<FakeGateway> => {
    const fake = await startFakeGateway({ agents: ['writer'], token: 'right', ...options })
    open.push(fake)
    return fake
  }
  const connect = (fake: FakeGateway, token = 'right'): Client => {
    const client = createClient({ clock: systemClock }, { url: fake.url, token })
    open.push(client)
    return client
  }

  it('refused once, it stays refused until told to try again, and then recovers', async () => {
    const rotated = await start({ token: 'rotated' })
    const client = connect(rotated)
    await expect(client.connected()).rejects.toMatchObject({ code: 'GATEWAY_AUTH' })
    await rotated.stop()
    await start({ port: rotated.port })
    await expect(client.connected()).rejects.toMatchObject({ code: 'GATEWAY_AUTH' })

    client.reconnect()
    const { bootId } = await client.connected(AbortSignal.timeout(10_000))
    expect(client.current?.bootId).toBe(bootId)
    expect(client.lastError).toBeNull()
    expect(await client.request('agents.list', {})).toMatchObject({ bootId })
  })

  it('refused in the middle of its life, it recovers the same way', async () => {
    const fake = await start()
    const client = connect(fake)
    await client.connected()
    await fake.crash()
    const rotated = await start({ port: fake.port, token: 'rotated' })
    client.reconnect()
    await expect(client.connected()).rejects.toMatchObject({ code: 'GATEWAY_AUTH' })
    await rotated.stop()
    await fake.restart()
    client.reconnect()
    expect(await client.connected(AbortSignal.timeout(10_000))).toMatchObject({ bootId: fake.bootId })
  })

  it('tells of a lost connection at once, and of the next one, also to the same boot', async () => {
    const fake = await start()
    const client = connect(fake)
    const seen: string[] = []
    const { promise: lost, resolve: onLost } = Promise.withResolvers<void>()
    const stopChanges = client.onChange(() => seen.push(client.current === null ? 'down' : 'up'))
    const stopLosses = client.onDisconnect(() => {
      expect(client.current).toBeNull()
      seen.push('lost')
      onLost()
    })
    const { bootId } = await client.connected()
    expect(seen.at(-1)).toBe('up')
    await fake.dropConnections()
    await lost
    await expect.poll(() => seen.at(-1), { timeout: 10_000 }).toBe('up')
    expect(client.current?.bootId).toBe(bootId)
    expect(seen.filter((entry) => entry === 'lost')).toHaveLength(1)

    stopChanges()
    stopLosses()
    const before = seen.length
    await client.close()
    expect(seen).toHaveLength(before)
  })

  it('tells of a refusal, with the reason in place', async () => {
    const fake = await start()
    const client = createClient({ clock: systemClock }, { url: fake.url, token: 'wrong', connectNow: false })
    open.push(client)
    const refused = new Promise<string | undefined>((resolve) => client.onChange(() => resolve(client.lastError?.code)))
    client.reconnect()
    expect(await refused).toBe('GATEWAY_AUTH')
  })

  it('half-open link under a turn in flight: it is noticed by its silence, and the turn gets its answer', async () => {
    const fake = await start({ tickMs: 100 })
    const proxy = await startSilentProxy(fake.port)
    open.push(proxy)
    const client = createClient({ clock: systemClock }, { url: proxy.url, token: 'right' })
    open.push(client)
    await client.connected()
    const gate = fake.gate('dead')
    const request = { sessionKey: 'agent:writer:dead', turnKey: 'dead.1', message: '[[gate:dead]][[say:alive]]' }
    const turn = runTurn({ gateway: createGateway(client), clock: systemClock }, { ...request, timeoutMs: 25_000 })
    await gate.entered
    const lost = new Promise<void>((resolve) => client.onDisconnect(resolve))
    proxy.silence()
    await lost
    gate.release()
    expect(await turn).toMatchObject({ text: 'alive' })
    expect(fake.turns).toHaveLength(1)
  })

  it('a link is not given up while the gateway answers, though it says no ticks', async () => {
    const fake = await start({ tickMs: 300, noTicks: true })
    const client = connect(fake)
    await client.connected()
    let lost = 0
    client.onDisconnect(() => (lost += 1))
    await client.request('agent.wait', { runId: 'nobody', timeoutMs: 2_000 })
    expect(lost).toBe(0)
  })

  it('a gateway that was away for long is met a moment after it is back', async () => {
    const fake = await start()
    const client = connect(fake)
    await client.connected()
    await fake.crash()
    // The official client alone would try 7 and 15 s after the loss, and then every 30 s.
    await systemClock.sleep(7_500)
    await fake.restart()
    expect(await client.connected(AbortSignal.timeout(4_000))).toMatchObject({ bootId: fake.bootId })
  })

  it('a gateway that lets us in and says nothing is tried again, though it never closes the link', async () => {
    const mute = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(mute, 'listening')
    open.push({
      async [Symbol.asyncDispose]() {
        for (const socket of mute.clients) socket.terminate()
        await new Promise((resolve) => mute.close(resolve))
      },
    })
    // It reads nothing either: a close of ours is not answered.
    mute.on('connection', (_, { socket }) => socket.pause())
    const { port } = mute.address() as AddressInfo
    open.push(createClient({ clock: systemClock }, { url: `ws://127.0.0.1:${port}`, token: 'right' }))
    await once(mute, 'connection')
    await once(mute, 'connection', { signal: AbortSignal.timeout(14_000) })
  }, 30_000)

  it('a client that is closed while its gateway is away tries no more', async () => {
    const fake = await start()
    const client = connect(fake)
    await client.connected()
    await fake.crash()
    await systemClock.sleep(1_500) // two failures: the next attempt would be another client's
    await client.close()
    await fake.restart()
    await systemClock.sleep(2_500)
    expect(client.current).toBeNull()
    await expect(client.connected()).rejects.toThrow('closed')
  })

  it('an external gateway passes both on', async () => {
    const fake = await start()
    const host = createExternalGateway({ clock: systemClock, random: systemRandom }, { url: fake.url, token: 'right' })
    open.push(host)
    const states: string[] = []
    host.onChange(({ state, bootId }) => states.push(`${state} ${bootId === null ? 'down' : 'up'}`))
    const lost = new Promise<void>((resolve) => host.onDisconnect(resolve))
    await host.start()
    expect(states.at(-1)).toBe('running up')
    await fake.crash()
    await lost
    await expect.poll(() => states.at(-1)).toBe('running down')
  })
})
