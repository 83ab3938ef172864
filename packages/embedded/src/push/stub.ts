/**
 * The push endpoints of a deployment, answered without one: enough for the official CLI to run `codegen` and `dev --once`
 * offline. Nothing that is pushed is kept or run as a backend: functions always come from the build.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Random } from '@mission-control/shared/clock'
import { systemRandom } from '@mission-control/host/clock'
import { isAdminKey, loadAdminKey } from '../auth/admin-key.ts'
import type { Json } from '../values/json.ts'
import { answerPush } from './answers.ts'
import { readPushBody } from './body.ts'

export interface PushStub {
  url: string
  adminKey: string
  close(): Promise<void>
}

/** Listens on a free loopback port. Pass `url` and `adminKey` to `convex codegen --url … --admin-key …`. */
export async function startPushStub(options: { random?: Random } = {}): Promise<PushStub> {
  const adminKey = loadAdminKey(null, options.random ?? systemRandom)
  const server = createServer((request, response) => {
    void answer(adminKey, () => url, request)
      .then((body) => ({ status: 200, body }))
      .catch((error: unknown) => ({
        status: 400,
        body: { code: 'PushFailed', message: error instanceof Error ? error.message : String(error) },
      }))
      .then(({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    adminKey,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(adminKey: string, url: () => string, request: IncomingMessage): Promise<Json> {
  const body = await readPushBody(request)
  const [scheme, credentials] = (request.headers.authorization ?? '').split(' ')
  const given = scheme === 'Convex' ? credentials : body['adminKey']
  if (typeof given !== 'string' || !isAdminKey(adminKey, given)) throw new Error('The admin key is not the one of this server.')
  const key = `${request.method} ${new URL(request.url ?? '/', 'http://stub').pathname}`
  const answered = await answerPush(key, body, { cloud: url(), site: url() })
  if (answered === undefined) throw new Error(`not supported by the embedded backend: ${key}`)
  return answered
}
