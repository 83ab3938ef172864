/** The Brain over the official clients, against a real backend and against servers that misbehave. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { systemClock } from '@mission-control/host/clock'
import { freePort } from '@mission-control/host/ports'
import { createConvexBrain } from './convex-client.ts'
import { service } from './service.ts'

const caller = { accountId: 'abc1', serviceToken: `mcs_abc1_${'s'.repeat(43)}` }

async function withServer<T>(listener: RequestListener, body: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function callOf(
  url: string,
  timeoutMs = 5_000,
  signal?: AbortSignal,
): Promise<{ kind: string; code: string; message: string }> {
  const brain = createConvexBrain({ url, caller, clock: systemClock, timeoutMs })
  try {
    await brain.mutate(service.release, { id: 'd', fence: 1, ended: true }, signal)
    throw new Error('the call was answered')
  } catch (error) {
    return error as { kind: string; code: string; message: string }
  } finally {
    await brain.close()
  }
}

const answer =
  (status: number, body: unknown): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }

describe('a call to the backend', () => {
  it('carries account and token', async () => {
    let seen = ''
    await withServer(
      (request, response) => {
        request.on('data', (chunk: Buffer) => (seen += chunk.toString()))
        request.on('end', () => answer(200, { status: 'success', value: null })(request, response))
      },
      async (url) => {
        const brain = createConvexBrain({ url, caller, clock: systemClock })
        await brain.mutate(service.release, { id: 'd\ud83d', fence: 1, ended: true })
        await brain.close()
      },
    )
    expect(JSON.parse(seen)).toMatchObject({
      path: 'service/notifications:release',
      // Half a surrogate pair would have the whole request refused.
      args: [{ id: 'd\ufffd', fence: 1, ended: true, ...caller }],
    })
  })

  it('is unreachable when nobody listens, and says where it failed', async () => {
    const port = await freePort()
    const error = await callOf(`http://127.0.0.1:${port}`)
    expect(error).toMatchObject({ kind: 'unreachable', code: 'CONVEX_UNREACHABLE' })
    expect(error.message).toContain(`127.0.0.1:${port}`)
  })

  it('ends at its time limit, and leaves no request running behind it', async () => {
    const closed = Promise.withResolvers<void>()
    await withServer(
      (request) => request.on('close', () => closed.resolve()),
      async (url) => {
        expect(await callOf(url, 50)).toMatchObject({ kind: 'unreachable', message: 'The backend did not answer within 50 ms.' })
        await closed.promise
      },
    )
  })

  it('ends when its signal aborts, with the reason', async () => {
    const stop = new AbortController()
    await withServer(
      () => stop.abort(new Error('enough')),
      async (url) => expect(await callOf(url, 5_000, stop.signal)).toMatchObject({ message: 'enough' }),
    )
  })

  it('tells coded refusals, failures of the backend and refused requests apart, and never prints the token', async () => {
    const cases = [
      [
        answer(200, { status: 'error', errorMessage: 'x', errorData: { code: 'STALE_FENCE', message: 'Too late.' } }),
        { kind: 'refused', code: 'STALE_FENCE', message: 'Too late.' },
      ],
      [
        answer(560, { status: 'error', errorMessage: 'x', errorData: { code: 'TOKEN_REFUSED', message: 'No.' } }),
        { kind: 'refused', code: 'TOKEN_REFUSED' },
      ],
      [answer(200, { status: 'error', errorMessage: `Server Error: ${caller.serviceToken}` }), { kind: 'server' }],
      [answer(503, { code: 'Overloaded', message: `busy ${caller.serviceToken}` }), { kind: 'server' }],
      [answer(400, { code: 'BadRequest', message: 'not JSON' }), { kind: 'invalid', code: 'INVALID', retryable: false }],
      [answer(413, 'too large'), { kind: 'invalid', code: 'INVALID', retryable: false }],
      [
        answer(560, { status: 'error', errorMessage: 'ArgumentValidationError: Object is missing the required field `x`.' }),
        { kind: 'invalid', code: 'INVALID', retryable: false },
      ],
    ] as const
    for (const [listener, expected] of cases) {
      const error = await withServer(listener, (url) => callOf(url))
      expect(error).toMatchObject(expected)
      expect(error.message).not.toContain(caller.serviceToken)
    }
  })
})
