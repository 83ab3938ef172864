/**
 * Two runtimes, one gateway, as after a take-over: an agent that one of them has removed comes back through the other, which never had it.
 * OpenClaw 2026.9.6 refuses its turns until it is made anew, and so does the fake (packages/openclaw/test/returning-agent.test.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '@mission-control/host/clock'
import { createClient } from '@mission-control/openclaw/client'
import { createGateway } from '@mission-control/openclaw/official-gateway'
import { startFakeGateway } from '@mission-control/openclaw/testing/fake-gateway'
import { runTurn } from '@mission-control/openclaw/turn/run'
import { afterAll, expect, it } from 'vitest'
import { createGatewayAgents } from '../src/agent-sync/gateway-agents.ts'
import { rosterEntry } from './doubles/harness.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'mc-shared-gateway-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const none: ReadonlySet<string> = new Set()

it('an agent that the other runtime has removed answers again once it is made anew', async () => {
  await using fake = await startFakeGateway({ agents: ['writer'] })
  await using client = createClient({ clock: systemClock }, { url: fake.url, token: fake.token })
  const signal = systemClock.timeout(10_000)
  await client.connected(signal)
  const runtime = (name: string) =>
    createGatewayAgents({
      client: () => client,
      workspaceRoot: path.join(folder, name, 'agents'),
      dataDir: path.join(folder, name),
      tools: { keep: async () => undefined, entryOf: () => null },
    })
  const turn = (turnKey: string) =>
    runTurn(
      { gateway: createGateway(client), clock: systemClock },
      { sessionKey: 'agent:ada:a:task:t', turnKey, message: '[[say:here]]', reconcile: false, timeoutMs: 10_000, signal },
    )
  const [first, second] = [runtime('first'), runtime('second')]
  const ada = rosterEntry('ada')
  await first.list(signal)
  await first.put([ada], none, signal)
  await first.remove('ada', signal)

  await second.list(signal)
  await expect(second.put([ada], none, signal)).rejects.toThrow(/recovery restart/)
  await second.list(signal)
  await second.put([ada], none, signal) // it is there by now, and still refused
  await expect(turn('d1.1')).rejects.toMatchObject({ code: 'UNKNOWN_AGENT' })
  await second.put([ada], new Set(['ada']), signal)
  expect(await turn('d1.2')).toMatchObject({ text: 'here' })
})
