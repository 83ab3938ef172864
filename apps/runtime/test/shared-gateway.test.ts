/**
 * Two runtimes, one gateway, as after a take-over: an agent that one of them has removed comes back through the other, which never had it.
 * What OpenClaw 2026.9.6 does then stands in the contract that the fake keeps as well (packages/openclaw/test/contract.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '@mission-control/host/clock'
import { createClient } from '@mission-control/openclaw/client'
import { INTERNAL_AGENT } from '@mission-control/openclaw/config/initial'
import { isGatewayError, isTakenForDeleted } from '@mission-control/openclaw/errors'
import { createGateway } from '@mission-control/openclaw/official-gateway'
import { startFakeGateway } from '@mission-control/openclaw/testing/fake-gateway'
import { runTurn } from '@mission-control/openclaw/turn/run'
import { afterAll, expect, it } from 'vitest'
import { createGatewayAgents } from '../src/agent-sync/gateway-agents.ts'
import { rosterEntry } from './doubles/harness.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'mc-shared-gateway-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function gatewayWithTwo({ shared }: { readonly shared: boolean }) {
  const fake = await startFakeGateway({ agents: ['writer'] })
  const client = createClient({ clock: systemClock }, { url: fake.url, token: fake.token })
  const signal = systemClock.timeout(10_000)
  await client.connected(signal)
  const dir = mkdtempSync(path.join(folder, 'two-'))
  const runtime = (name: string) =>
    createGatewayAgents({
      client: () => client,
      workspaceRoot: path.join(dir, name, 'agents'),
      dataDir: path.join(dir, name),
      tools: { keep: async () => undefined, entryOf: () => null },
      shared,
    })
  const turn = (slug: string, turnKey: string) =>
    runTurn(
      { gateway: createGateway(client), clock: systemClock },
      { sessionKey: `agent:${slug}:a:task:t`, turnKey, message: '[[say:here]]', reconcile: false, timeoutMs: 2_000, signal },
    )
  const [first, second] = [runtime('first'), runtime('second')]
  const ada = rosterEntry('ada')
  await first.list(signal)
  await first.put([ada], signal)
  await first.remove('ada', signal)
  await second.list(signal)
  return {
    ...{ second, ada, turn, signal },
    async [Symbol.asyncDispose]() {
      await client.close()
      await fake.stop()
    },
  }
}

it('an agent that the other runtime has removed is made by a call of its own, and answers', async () => {
  await using two = await gatewayWithTwo({ shared: true })
  const { second, ada, turn, signal } = two
  await second.put([ada], signal)
  expect(await turn('ada', 'd1.1')).toMatchObject({ text: 'here' })
  expect(await turn('writer', 'd2.1')).toMatchObject({ text: 'here' })
})

it('one that was brought back by a patch is refused, with all others; removed and put, it answers, and so do they', async () => {
  await using two = await gatewayWithTwo({ shared: false })
  const { second, ada, turn, signal } = two
  await turn('ada', 'd0.1').catch(() => undefined) // its database is being closed
  await expect(second.put([ada], signal)).rejects.toThrow(/recovery restart/)
  const refused = await turn('ada', 'd1.1').catch((error: unknown) => error)
  expect(isGatewayError(refused) && refused.code === 'UNKNOWN_AGENT' && isTakenForDeleted(refused)).toBe(true)
  await expect(turn('writer', 'd2.1')).rejects.toThrow(/not published/)
  // As the agent sync does for who is refused like this.
  await second.remove('ada', signal)
  await expect(second.put([ada], signal)).rejects.toThrow(/recovery restart/) // it says so until it is started again, and has done it
  expect(await turn('ada', 'd1.2')).toMatchObject({ text: 'here' })
  expect(await turn('writer', 'd2.2')).toMatchObject({ text: 'here' })
})

it('the agents of a gateway that nobody has used come in one patch', async () => {
  const calls: string[] = []
  await using fake = await startFakeGateway({ agents: [INTERNAL_AGENT], onCall: (method) => calls.push(method) })
  await using client = createClient({ clock: systemClock }, { url: fake.url, token: fake.token })
  const signal = systemClock.timeout(10_000)
  await client.connected(signal)
  const dataDir = mkdtempSync(path.join(folder, 'unused-'))
  const tools = { keep: async () => undefined, entryOf: () => null }
  const host = createGatewayAgents({ client: () => client, workspaceRoot: dataDir, dataDir, tools, shared: true })
  await host.list(signal)
  // By halves, as after a patch that was refused for one of them.
  await host.put([rosterEntry('ada'), rosterEntry('ben')], signal)
  await host.put([rosterEntry('cleo')], signal)
  expect(calls.filter((method) => method !== 'config.get')).toEqual(['config.patch', 'config.patch'])
})
