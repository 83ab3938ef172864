/**
 * The fake gateway as a process of its own, for stacks that want no OpenClaw and for tests that kill it:
 *   node fake-gateway-main.ts --port 18789 --token secret [--transcript file] [--agents writer,editor]
 * The token may also come from FAKE_GATEWAY_TOKEN, so that it need not stand in the process list. Prints one line when it listens.
 * SIGTERM drains, a second one is ignored, like the real gateway.
 */
import { parseArgs } from 'node:util'
import { startFakeGateway } from './fake-gateway.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    token: { type: 'string' },
    transcript: { type: 'string' },
    agents: { type: 'string', default: '' },
    'cold-start-ms': { type: 'string', default: '0' },
  },
})
const token = values.token ?? process.env.FAKE_GATEWAY_TOKEN
const gateway = await startFakeGateway({
  port: Number(values.port),
  coldStartMs: Number(values['cold-start-ms']),
  ...(values.agents === '' ? {} : { agents: values.agents.split(',') }),
  ...(token === undefined ? {} : { token }),
  ...(values.transcript === undefined ? {} : { transcriptFile: values.transcript }),
})
process.stdout.write(`${JSON.stringify({ event: 'listening', url: gateway.url, pid: process.pid, bootId: gateway.bootId })}\n`)

const stop = async () => {
  await gateway.drain()
  process.exit(0)
}
process.once('SIGTERM', () => void stop())
process.once('SIGINT', () => void stop())
process.on('SIGTERM', () => undefined)
