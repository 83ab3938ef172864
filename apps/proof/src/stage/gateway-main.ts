/**
 * The stand-in gateway as a process that is killed: strict like the real one, with its transcript in a file, and its model elsewhere.
 *   node gateway-main.ts --port 18789 --transcript file --model http://127.0.0.1:4000       token from FAKE_GATEWAY_TOKEN
 * A turn that it recovers by itself goes to the model with the message it was about, as the real one's transcript does.
 * SIGTERM drains and ends; a second one is ignored.
 */
import { parseArgs } from 'node:util'
import { startFakeGateway } from '@mission-control/openclaw/testing/fake-gateway'
import type { FakeGateway, FakeTurn } from '@mission-control/openclaw/testing/fake-gateway'
import type { ScriptedReply } from '@mission-control/openclaw/testing/script'

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, transcript: { type: 'string' }, model: { type: 'string', default: '' } },
})

async function respond(turn: FakeTurn): Promise<string> {
  const { gateway } = await started.promise
  const prompt = turn.recovered ? interruptedMessage(gateway, turn.sessionKey) : turn.prompt
  const toolResults: string[] = []
  for (;;) {
    const body = JSON.stringify({ prompt, toolResults })
    const response = await fetch(values.model, { method: 'POST', body, signal: turn.signal })
    const reply = (await response.json()) as ScriptedReply
    if (reply.kind === 'text') return reply.text
    if (reply.kind === 'fail') throw new Error(`${reply.status} ${reply.message}`)
    // Its server's name stands in front, as the gateway shows it to a model.
    const name = (await turn.tools.list()).find((tool) => tool.endsWith(`__${reply.name}`)) ?? reply.name
    toolResults.push(await turn.tools.call(name, reply.args))
  }
}

/** The newest message of the session that is not the gateway's own. */
function interruptedMessage({ transcript }: FakeGateway, sessionKey: string): string {
  return (
    transcript.session(sessionKey).rows.findLast(({ role, text }) => role === 'user' && !text.startsWith('[System]'))?.text ?? ''
  )
}

const token = process.env['FAKE_GATEWAY_TOKEN']
/** A recovery begins while the gateway starts. */
const started = Promise.withResolvers<{ gateway: FakeGateway }>()
const gateway = await startFakeGateway({
  port: Number(values.port),
  agents: ['mission-control'],
  respond,
  ...(token === undefined ? {} : { token }),
  ...(values.transcript === undefined ? {} : { transcriptFile: values.transcript }),
})
started.resolve({ gateway })
process.stdout.write(`${JSON.stringify({ event: 'listening', url: gateway.url, pid: process.pid })}\n`)

const stop = async () => {
  await gateway.drain()
  process.exit(0)
}
process.once('SIGTERM', () => void stop())
process.on('SIGTERM', () => undefined)
